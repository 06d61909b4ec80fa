"""A run's out-of-fold answers by sets of views, decided as the run is, and a set chosen forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from foldwise.decide import OVER_TIME, Decision
from foldwise.predictions import concatenate
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.scoring.choice import fit_last
from foldwise.stages.scoring.deciding import decision_facts, read_decided
from foldwise.stages.scoring.held_out import HeldOut, held_out
from foldwise.stages.training.unit import Unit
from foldwise.stages.viewing.files import read_predictions
from foldwise.stages.viewing.forward import Shown, ViewAnswers, chosen_forward
from foldwise.tasks.problem import Problem
from foldwise.tasks.task import merge
from foldwise.views import View

#: Whether a view shows all of an image is asked of one of this size, pixels.
_SQUARE = (64, 64)


@dataclass(frozen=True)
class Answers:
    """What a run's networks say of rows they have not seen, in each view.

    Attributes:
        held: the rows, with the fixed decision; its scores count for nothing.
        scores: view → (n, C) on the common scale, the mean over seeds.
        decisions: fold → what the run decides its rows by, chosen and fitted without it.
        by_shares: whether cuts and thresholds are fitted to the classes' shares, not the metric.
    """

    held: HeldOut
    scores: Mapping[str, np.ndarray]
    decisions: Mapping[int, Decision]
    by_shares: bool = False

    #: What the reader of gains should know.
    notes: ClassVar[tuple[str, ...]] = ()

    @cached_property
    def folds(self) -> list[int]:
        """Folds that are there."""
        return [int(fold) for fold in np.unique(self.held.folds)]

    def mean(self, views: Sequence[View]) -> HeldOut:
        """The weighted mean of views, with the fixed decision."""
        scores = np.average(
            [self.scores[view.name] for view in views],
            axis=0,
            weights=[view.weight for view in views],
        )
        return self.held.with_scores(scores)

    def decided(self, views: Sequence[View]) -> HeldOut:
        """The mean of views, each fold decided by what was fitted without it."""
        return self.crossed(dict.fromkeys(self.folds, views))

    def crossed(self, sets: Mapping[int, Sequence[View]]) -> HeldOut:
        """Each fold's rows by its own set of views, and by a decision fitted without it."""
        scores = np.empty_like(self.held.scores)
        decisions: dict[int, Decision] = {}
        for fold, views in sets.items():
            mean = self.mean(views)
            is_own = mean.folds == fold
            scores[is_own] = mean.scores[is_own]
            decisions[fold] = self._fitted(mean.among(~is_own), fold)
        return replace(self.held.with_scores(scores), by_fold=decisions)

    def forward(self, views: Sequence[View], *, without: int | None = None) -> list[View]:
        """Views one after the other, each the one that raises the mean's score most.

        While choosing, cuts and thresholds are fitted to the rows that the choice is made on.

        Args:
            views: to choose from; the first begins.
            without: fold whose rows have no part in it; None: all have.

        Returns:
            The first, and more as long as the score rises. Equally good ones: the earlier.
        """
        rows = self.held.folds != without
        as_of = self.folds[0] if without is None else without

        def goal(chosen: Sequence[View]) -> float:
            mean = self.mean(chosen).among(rows)
            metric = mean.problem.metric
            try:
                score = replace(mean, decision=self._fitted(mean, as_of)).score(metric)
            except ValueError:  # Undefined on these rows.
                return -np.inf
            return score if metric.higher_is_better else -score

        return chosen_forward(views, lambda sets: [goal(chosen) for chosen in sets])

    def _fitted(self, held: HeldOut, fold: int) -> Decision:
        """What a fold is decided by, its cuts or thresholds fitted to these rows if they were.

        Steps over time stay as the run chose them without the fold.
        """
        decision = self.decisions[fold]
        *before, last = decision.steps
        if not last.fitted or last.name in OVER_TIME:
            return decision
        fixed = Decision((*before, self.held.decision.steps[-1]))
        return fit_last(replace(held, decision=fixed), "shares" if self.by_shares else "exact")


def read_answers(
    problem: Problem,
    run: RunDir,
    units: Sequence[Unit],
    views: Sequence[View],
    *,
    show: Display,
) -> ViewAnswers:
    """What was stored of a run's units in these views.

    Args:
        problem: whose rows they are.
        run: merged, of these units.
        units: each fold with the same seeds.
        views: answered by all units.
        show: where progress over sets of views is shown, of which each looks through all maps.

    Raises:
        DataError: a file is absent or damaged.
    """
    found = {view.name: held_by_view(problem, run, units, view) for view in views}
    decided = read_decided(problem, run)
    scores = {name: each.scores for name, each in found.items()}
    held = next(iter(found.values()))
    if problem.task.kind == "map":
        # Here alone: what works on masks is loaded where there are any.
        from foldwise.stages.viewing.map_answers import MapAnswers

        return MapAnswers(decided, scores, _shown_by(units[0]), show.counting)
    decisions = {fold: decided.without(fold) for fold in np.unique(held.folds).tolist()}
    return Answers(held, scores, decisions, decision_facts(run)["kind"] == "shares")


def _shown_by(unit: Unit) -> Shown:
    """What views have shown of a sample, as the unit's network is shown them."""
    from foldwise.engine.feeding import Feed
    from foldwise.engine.infer_maps import shown_share

    side = Feed(unit.problem, unit.recipe).scored_side
    part = lru_cache(maxsize=64)(lambda view, size: shown_share(view, side, size))
    shows_all = lru_cache(lambda view: shown_share(view, None, _SQUARE) is None)
    return lambda view, size: None if shows_all(view) else part(view, size)


def held_by_view(problem: Problem, run: RunDir, units: Sequence[Unit], view: View) -> HeldOut:
    """A run's out-of-fold scores by one view alone, with the fixed decision.

    Args:
        problem: whose rows they are.
        run: of these units.
        units: each fold with the same seeds.
        view: answered by all units.

    Raises:
        DataError: a file is absent or damaged.
    """
    by_fold: dict[int | None, list[Unit]] = {}
    for unit in units:
        by_fold.setdefault(unit.fold, []).append(unit)
    parts = [merge([read_predictions(unit, view) for unit in seeds]) for seeds in by_fold.values()]
    name = f"{run.name} ({view.name})"
    return held_out(problem, concatenate(parts), problem.default_decision(), name=name)
