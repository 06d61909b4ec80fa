"""Plans a pack that answers, and says what was chosen, what it takes and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from foldwise.errors import BudgetError
from foldwise.parts import Spec
from foldwise.rundir import RunDir
from foldwise.stages.answering.rounds import Round
from foldwise.stages.display import Display
from foldwise.stages.packing.costs import BackendFound, measured_here, recipes_of
from foldwise.stages.packing.elsewhere import Elsewhere
from foldwise.stages.packing.planning import (
    Costs,
    Option,
    Planned,
    options_of,
    plan,
    rounds_of,
    searched,
)
from foldwise.stages.packing.single_views import first_views
from foldwise.stages.packing.subsets import Subset, Subsets
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
        start_s: seconds before the first round.
        views: run → the views it answers by, where these are fewer than its recipe's.
        backends: run → what passes its images soonest, where that is not PyTorch.
        limit_s: seconds it may take.
        notes: what was left out and what is assumed, in sentences.
    """

    planned: Planned
    rounds: list[Round]
    start_s: float
    views: Mapping[str, Sequence[Spec]]
    backends: Mapping[str, BackendFound]
    limit_s: float
    notes: list[str]

    def option_facts(self) -> list[dict[str, Any]]:
        """What there was to choose from, the fastest first, for the report."""
        best = {id(option) for option in self.planned.frontier}
        return [
            {
                "members": option.label,
                "score": option.subset.score,
                "seconds": round(option.seconds, 1),
                "is_best": id(option) in best,
                "is_chosen": option is self.planned.chosen,
            }
            for option in sorted(self.planned.options, key=lambda option: option.seconds)
        ]


def planned_answer(
    problem: Problem,
    run: RunDir,
    *,
    limit_s: float,
    in_time_s: float | None = None,
    num_images: int | None = None,
    factor: float = 1.0,
    elsewhere: Elsewhere | None = None,
    show: Display,
) -> Answering:
    """Choose what of a run is packed.

    Args:
        problem: the competition's.
        run: what is to be handed in.
        limit_s: how long it may take where it runs.
        in_time_s: how long it may be forecast to take, to be scored before the deadline; None:
            there is none, or it does not count.
        num_images: test samples that are announced; None: as many as there are.
        factor: how many times longer than here it takes there.
        elsewhere: what was measured there, which takes the factor's place.
        show: where it is said what is measured.

    Raises:
        BudgetError: not even one unit stays within the limit.
        RunError: something of the run cannot be packed.
    """
    subsets = Subsets(problem, run)
    show.say(f"measuring what {run.name} takes")
    whole = subsets.whole.node
    here = measured_here(problem, whole, num_images=num_images)
    measured = here.times(factor) if elsewhere is None else elsewhere.brought(here)
    recipes = recipes_of(problem, whole)
    by_first, unmeasured = first_views(problem, whole, recipes)
    plain = _Variant(subsets, measured.costs())
    variants = [plain]
    if by_first:
        fewer = {name: each.passes for name, each in by_first.items()}
        others = {name: each.held for name, each in by_first.items()}
        variants.append(_Variant(Subsets(problem, run, others), measured.costs(fewer)))
    higher = problem.metric.higher_is_better
    options = [
        option
        for variant in variants
        for option in options_of(
            variant.searched(higher), variant.costs, is_one_view=variant is not plain
        )
    ]
    most_s = limit_s / MARGIN if in_time_s is None else min(limit_s / MARGIN, in_time_s)
    planned = plan(options, limit_s=most_s, higher_is_better=higher)
    if planned is None and in_time_s == most_s:
        raise BudgetError(
            f"{run.name}: nothing of it would be scored before the deadline: "
            f"{duration(in_time_s)} are left for its run",
            remedy="hand in a file that is there already, or pack it all the same with --anyway",
        )
    if planned is None:
        least = min(options, key=lambda option: option.seconds)
        raise BudgetError(
            f"{run.name}: nothing of it fits {duration(limit_s)}: one unit of each run of "
            f"{least.subset.node.name} takes {duration(least.seconds)}, and {MARGIN:g} times that "
            "is kept free",
            remedy="raise --limit, or train a smaller network",
        )
    chosen = planned.chosen
    variant = variants[-1] if chosen.is_one_view else plain
    sign = 1.0 if higher else -1.0
    rounds = rounds_of(chosen, variant.costs, variant.subsets.of, sign=sign)
    packed = {unit.split("/")[0] for unit in chosen.subset.node.every_unit}
    backends = {
        name: each.backend
        for name, each in measured.runs.items()
        if name in packed and each.backend is not None
    }
    views = {name: [each.spec] for name, each in by_first.items() if name in packed}
    notes = [
        *_left_out(plain.subsets, chosen, most_s),
        *_assumed(chosen, factor, elsewhere),
        *_of_backends(backends),
        *_of_views(chosen, list(views), unmeasured, most_s),
    ]
    return Answering(
        planned, rounds, variant.costs.start, views if chosen.is_one_view else {}, backends,
        limit_s, notes,
    )  # fmt: skip


@dataclass(frozen=True)
class _Variant:
    """All subsets of members, with all views or with one each where that was measured."""

    subsets: Subsets
    costs: Costs

    def searched(self, higher_is_better: bool) -> list[Subset]:
        """Those worth looking at, all members among them."""
        names, subset_of = self.subsets.names, self.subsets.of
        found = searched(names, subset_of, self.costs, higher_is_better=higher_is_better)
        is_there = names in {subset.names for subset in found}
        return found if is_there else [*found, self.subsets.whole]


def tell(found: Answering, show: Display) -> None:
    """Show the frontier, the rounds and what was left out."""
    chosen = found.planned.chosen
    if not show.quiet:
        show.console.print(_frontier(found.planned.frontier, chosen))
        show.console.print(_rounds(found.rounds, found.start_s))
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
    labels = {option.label for option in options}
    for option in [*options, *([] if chosen.label in labels else [chosen])]:
        mark = " (chosen)" if option.label == chosen.label else ""
        score = option.subset.score
        shown = "" if score is None else f"{score:.4f}"
        table.add_row(option.label + mark, shown, duration(option.seconds))
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


def _left_out(subsets: Subsets, chosen: Option, most_s: float) -> list[str]:
    missing = [name for name in subsets.names if name not in chosen.subset.names]
    if not missing:
        return []
    return [f"left out: {', '.join(missing)}; all members would not stay within {duration(most_s)}"]


def _assumed(chosen: Option, factor: float, elsewhere: Elsewhere | None) -> list[str]:
    found = []
    if chosen.is_thinned:
        num, every = (
            len({unit for turn in chosen.subset.node.turns(share) for unit in turn})
            for share in (chosen.share, 1.0)
        )
        averaging = chosen.subset.averaging
        found.append(
            f"{num} of {every} units fit, evenly thinned; what the mean over the others would "
            "bring, out-of-fold scores cannot say, so the score stated assumes that it is nothing"
            if averaging is None
            else f"{num} of {every} units fit, evenly thinned: from the mean over "
            f"{averaging.num_seeds} seeds, {averaging.gain:+.4f} over one, the score is expected "
            f"{averaging.beyond(chosen.num_models):+.4f} from the one stated, better is more"
        )
    if elsewhere is not None:
        found.append(
            f"times are those of {elsewhere.machine}, as a pack measured them with "
            f"{elsewhere.num_images} test samples"
        )
    elif factor != 1.0:
        found.append(f"times are those of this machine, times {factor:g} as you said")
    return found


def _of_backends(backends: Mapping[str, BackendFound]) -> list[str]:
    return [
        f"{name} is planned with {each.choice}, which takes {each.of_eager:.2f} of PyTorch's time "
        "here and was checked against it; where it is not installed or gives something else, "
        "PyTorch answers, and fewer rounds may fit"
        for name, each in backends.items()
    ]


def _of_views(
    chosen: Option, one_view: Sequence[str], unmeasured: Sequence[str], most_s: float
) -> list[str]:
    found = []
    if chosen.is_one_view and one_view:
        found.append(f"by one view alone: {', '.join(one_view)}; so all stays within the time")
    # Only where it would have mattered.
    if unmeasured and (chosen.is_thinned or chosen.is_one_view):
        names = ", ".join(unmeasured)
        found.append(
            f"{names}: what one view alone is worth is not known, so only all of its views were "
            f"planned; `foldwise views {unmeasured[0]}` measures it"
        )
    return found
