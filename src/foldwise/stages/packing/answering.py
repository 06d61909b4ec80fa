"""Plans a pack that answers, and says what was chosen, what it takes and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from foldwise.errors import BudgetError
from foldwise.rundir import RunDir
from foldwise.stages.answering.rounds import Round
from foldwise.stages.display import Display
from foldwise.stages.packing.costs import measured_costs
from foldwise.stages.packing.planning import (
    Costs,
    Option,
    Planned,
    options_of,
    plan,
    rounds_of,
    searched,
)
from foldwise.stages.packing.subsets import Subsets
from foldwise.stages.progress import duration
from foldwise.tasks.problem import Problem

#: A forecast is kept below this share of the limit; what is slower still drops rounds, not the
#: file.
MARGIN = 1.25


@dataclass(frozen=True)
class Answering:
    """What a pack will do.

    Attributes:
        planned: the option and what it was chosen from.
        rounds: its units in order.
        costs: of all units.
        limit_s: seconds it may take.
        notes: what was left out and what is assumed, in sentences.
    """

    planned: Planned
    rounds: list[Round]
    costs: Costs
    limit_s: float
    notes: list[str]


def planned_answer(
    problem: Problem,
    run: RunDir,
    *,
    limit_s: float,
    num_images: int | None = None,
    factor: float = 1.0,
    show: Display,
) -> Answering:
    """Choose what of a run is packed.

    Args:
        problem: the competition's.
        run: what is to be handed in.
        limit_s: how long it may take where it runs.
        num_images: test samples that are announced; None: as many as there are.
        factor: how many times longer than here it takes there.
        show: where it is said what is measured.

    Raises:
        BudgetError: not even one unit stays within the limit.
        RunError: something of the run cannot be packed.
    """
    subsets = Subsets(problem, run)
    show.say(f"measuring what {run.name} takes")
    whole = subsets.whole
    costs = measured_costs(problem, whole.node, num_images=num_images, factor=factor)
    higher = problem.metric.higher_is_better
    tried = searched(subsets.names, subsets.of, costs, higher_is_better=higher)
    if whole.names not in {subset.names for subset in tried}:
        tried.append(whole)
    options = options_of(tried, costs)
    planned = plan(options, limit_s=limit_s / MARGIN, higher_is_better=higher)
    if planned is None:
        least = min(options, key=lambda option: option.seconds)
        raise BudgetError(
            f"{run.name}: nothing of it fits {duration(limit_s)}: one unit of each run of "
            f"{least.subset.node.name} takes {duration(least.seconds)}, and {MARGIN:g} times that "
            "is kept free",
            remedy="raise --limit, or train a smaller network",
        )
    sign = 1.0 if higher else -1.0
    rounds = rounds_of(planned.chosen, costs, subsets.of, sign=sign)
    notes = [*_left_out(subsets, planned.chosen, limit_s), *_assumed(planned.chosen, factor)]
    return Answering(planned, rounds, costs, limit_s, notes)


def tell(found: Answering, show: Display) -> None:
    """Show the frontier, the rounds and what was left out."""
    chosen = found.planned.chosen
    if not show.quiet:
        show.console.print(_frontier(found.planned.frontier, chosen))
        show.console.print(_rounds(found.rounds, found.costs.start))
    score = found.planned.score
    told = "" if score is None else f", {score:.4f} cross-fitted"
    show.say(
        f"chosen: {chosen.subset.node.name}{told}; about {duration(chosen.seconds)} of "
        f"{duration(found.limit_s)}"
    )
    for note in found.notes:
        show.warn(note)


def _frontier(options: Sequence[Option], chosen: Option) -> Table:
    table = Table(title="score against time", title_justify="left")
    for column in ("members", "score", "time"):
        table.add_column(column, justify="left" if column == "members" else "right")
    names = {option.subset.names for option in options}
    for option in [*options, *([] if chosen.subset.names in names else [chosen])]:
        mark = " (chosen)" if option.subset.names == chosen.subset.names else ""
        score = option.subset.score
        shown = "" if score is None else f"{score:.4f}"
        table.add_row(", ".join(option.subset.names) + mark, shown, duration(option.seconds))
    return table


def _rounds(rounds: Sequence[Round], start_s: float) -> Table:
    table = Table(title="order of work: a whole submission after each round", title_justify="left")
    for column in ("round", "units", "handed in", "score", "done after"):
        table.add_column(column, justify="left" if column in ("units", "handed in") else "right")
    spent = start_s
    for number, each in enumerate(rounds, start=1):
        spent += each.seconds
        score = "" if each.score is None else f"{each.score:.4f}"
        table.add_row(
            str(number), ", ".join(each.units), each.node.name, score, duration(spent)
        )  # fmt: skip
    return table


def _left_out(subsets: Subsets, chosen: Option, limit_s: float) -> list[str]:
    missing = [name for name in subsets.names if name not in chosen.subset.names]
    if not missing:
        return []
    return [
        f"left out: {', '.join(missing)}; all members would not stay within {duration(limit_s)}"
    ]


def _assumed(chosen: Option, factor: float) -> list[str]:
    found = []
    if chosen.is_thinned:
        num, every = (
            len({unit for turn in chosen.subset.node.turns(share) for unit in turn})
            for share in (chosen.share, 1.0)
        )
        found.append(
            f"{num} of {every} units fit, evenly thinned; what the mean over the others would "
            "bring, out-of-fold scores cannot say, so the score stated assumes that it is nothing"
        )
    if factor != 1.0:
        found.append(f"times are those of this machine, times {factor:g} as you said")
    return found
