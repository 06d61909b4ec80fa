"""Plans a pack that answers, and says what was chosen, what it takes and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from foldwise.errors import BudgetError
from foldwise.parts import Spec
from foldwise.rundir import RunDir
from foldwise.stages.answering.rounds import Round
from foldwise.stages.display import Display
from foldwise.stages.packing import notes
from foldwise.stages.packing.answer_costs import answer_seconds
from foldwise.stages.packing.costs import BackendFound, Measured, measured_here, recipes_of
from foldwise.stages.packing.elsewhere import Elsewhere
from foldwise.stages.packing.planning import (
    SLOWER,
    Costs,
    Option,
    Planned,
    options_of,
    plan,
    rounds_of,
    searched,
)
from foldwise.stages.packing.single_views import FirstView, first_views
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
        start_s: seconds before the first round.
        seconds_here: that it would take on this machine.
        views: run → the views it answers by, where these are fewer than its recipe's.
        backends: run → what passes its images soonest, where that is not PyTorch.
        limit_s: seconds it may take.
        notes: what was left out and what is assumed, in sentences.
    """

    planned: Planned
    rounds: list[Round]
    start_s: float
    seconds_here: float
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
    is_here: bool = False,
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
        is_here: whether it is to run on this machine, with all that is installed here.
        show: where it is said what is measured.

    Raises:
        BudgetError: not even one unit stays within the limit.
        RunError: something of the run cannot be packed.
    """
    show.say(f"measuring what {run.name} takes")
    plain = Subsets(problem, run)
    whole = plain.whole
    # Of maps no other backend is planned with; what answers may find one that is sooner.
    by_any_backend = is_here and problem.task.kind == "vector"
    here = measured_here(problem, whole.node, num_images=num_images, by_any_backend=by_any_backend)
    each_s = answer_seconds(whole.held, len(whole.node.every_unit))
    here = replace(here, hand_in_s=here.num_images * each_s)
    measured = here.times(factor) if elsewhere is None else elsewhere.brought(here)
    recipes = recipes_of(problem, whole.node.every_unit)
    single, unmeasured = first_views(problem, whole.node, recipes)
    variants = [_Variant(plain, measured.costs())]
    if single:
        variants.append(_one_view(problem, run, single, measured))
    higher = problem.metric.higher_is_better
    options = [option for variant in variants for option in variant.options(higher)]
    most_s = limit_s / MARGIN if in_time_s is None else min(limit_s / MARGIN, in_time_s)
    planned = plan(options, limit_s=most_s, higher_is_better=higher)
    if planned is None:
        raise _nothing_fits(run.name, options, limit_s, in_time_s if in_time_s == most_s else None)
    chosen = planned.chosen
    variant = variants[-1] if chosen.is_one_view else variants[0]
    packed = {unit.split("/")[0] for unit in chosen.subset.node.every_unit}
    views = {name: [each.spec] for name, each in single.items() if name in packed}
    backends = {name: each.backend for name, each in measured.runs.items() if name in packed}
    used = {name: each for name, each in backends.items() if each is not None}
    rounds = rounds_of(
        chosen,
        variant.costs,
        variant.subsets.of,
        sign=1.0 if higher else -1.0,
        first_s=limit_s / SLOWER,
    )
    return Answering(
        planned=planned,
        rounds=rounds,
        start_s=variant.costs.start,
        seconds_here=here.costs().whole(chosen.subset.node.every_unit),
        views=views if chosen.is_one_view else {},
        backends=used,
        limit_s=limit_s,
        notes=[
            *notes.left_out(plain, chosen, most_s),
            *notes.assumed(chosen, factor, elsewhere),
            *notes.of_first_round(
                variant.costs.start + rounds[0].seconds + rounds[0].hand_in_s, limit_s
            ),
            *notes.of_backends(used),
            *notes.of_views(chosen, list(views), unmeasured),
        ],
    )


def _nothing_fits(
    name: str, options: Sequence[Option], limit_s: float, in_time_s: float | None
) -> BudgetError:
    """What is said where no option fits: the limit, or the time to the deadline."""
    if in_time_s is not None:
        return BudgetError(
            f"{name}: nothing of it would be scored before the deadline: "
            f"{duration(in_time_s)} are left for its run",
            remedy="hand in a file that is there already, or pack it all the same with --anyway",
        )
    least = min(options, key=lambda option: option.seconds)
    return BudgetError(
        f"{name}: nothing of it fits {duration(limit_s)}: one unit of each run of "
        f"{least.subset.node.name} takes {duration(least.seconds)}, and {MARGIN:g} times that "
        "is kept free",
        remedy="raise --limit, or train a smaller network",
    )


@dataclass(frozen=True)
class _Variant:
    """All subsets of members, with all views or with one each where that was measured."""

    subsets: Subsets
    costs: Costs
    is_one_view: bool = False

    def options(self, higher_is_better: bool) -> list[Option]:
        """Of the subsets that are worth looking at, all members among them."""
        names, subset_of = self.subsets.names, self.subsets.of
        found = searched(names, subset_of, self.costs, higher_is_better=higher_is_better)
        if names not in {subset.names for subset in found}:
            found.append(self.subsets.whole)
        return options_of(found, self.costs, is_one_view=self.is_one_view)


def _one_view(
    problem: Problem, run: RunDir, single: Mapping[str, FirstView], measured: Measured
) -> _Variant:
    others = {name: each.held for name, each in single.items()}
    passes = {name: each.passes for name, each in single.items()}
    return _Variant(Subsets(problem, run, others), measured.costs(passes), is_one_view=True)
