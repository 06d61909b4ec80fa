"""A run's maps by sets of views, decided as the run is; no map is held, counts alone are kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from foldwise.blending.contributions import Counting
from foldwise.decide import Decision
from foldwise.device import num_cores
from foldwise.maps.maps import Maps, scattered_maps
from foldwise.masks.of_samples import Masks, joined_masks, scattered
from foldwise.stages.scoring.held_out import Answered, HeldOut
from foldwise.stages.viewing.forward import Shown, chosen_forward
from foldwise.views import View

#: Samples whose maps are averaged before they are decided, so that several decisions share them.
_AT_ONCE = 8

#: Names and weights of views.
_Key = tuple[tuple[str, float], ...]


def _unseen(what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
    return nullcontext(lambda: None)


@dataclass(frozen=True)
class MapAnswers:
    """What a run's networks say of samples that they have not seen, in each view.

    A set is the mean of its views' maps, pixel by pixel over those that showed it. It is decided by
    what the run decides by: thresholds and areas that were fitted to the run's own views. To fit
    them to each set anew would be another search through all components of all its maps.

    Attributes:
        held: the rows as the run decides them, each fold by what was fitted without it.
        maps: view → `Maps` of these rows, sums of what each view has shown.
        shown: what a view has shown of a sample.
        counting: shows progress over sets; see `Display.counting`.
    """

    held: HeldOut
    maps: Mapping[str, Maps]
    shown: Shown
    counting: Counting = _unseen
    _counts: dict[_Key, list[tuple[Decision, Any]]] = field(default_factory=dict)

    @cached_property
    def folds(self) -> list[int]:
        """Folds that are there."""
        return [int(fold) for fold in np.unique(self.held.folds)]

    @property
    def notes(self) -> tuple[str, ...]:
        """That a fitted decision favours the views it was fitted to."""
        decisions = [self.held.decision, *(self.held.by_fold or {}).values()]
        if not any(decision.is_fitted for decision in decisions):
            return ()
        return (
            "sets are decided by the thresholds and areas that the run has fitted to its own "
            "views, which favours these a little: a run with the proposed views fits its own",
        )

    def mean(self, views: Sequence[View]) -> Maps:
        """The weighted mean of views, each map made when it is read."""
        first = self.maps[views[0].name]

        def read(row: int) -> np.ndarray:
            size = (int(first.sizes[row, 0]), int(first.sizes[row, 1]))
            total = np.zeros((first.num_classes, *size), np.float32)
            weight: Any = 0.0
            for view in views:
                total += np.float32(view.weight) * self.maps[view.name].read(row)
                share = self.shown(view, size)
                weight = weight + view.weight * (1.0 if share is None else share)
            total /= np.maximum(weight, 1e-6)
            total += 0.5
            return np.minimum(total, 255).astype(np.uint8)

        gates = self.held.scores.gates
        return Maps(first.sizes, first.num_classes, np.arange(len(first)), read, gates)

    def decided(self, views: Sequence[View]) -> HeldOut:
        """The mean of views, each fold decided by what was fitted without it."""
        return self.crossed(dict.fromkeys(self.folds, views))

    def crossed(self, sets: Mapping[int, Sequence[View]]) -> HeldOut:
        """Each fold's rows by its own set of views, and by a decision fitted without it."""
        parts: list[tuple[np.ndarray, Maps]] = []
        for fold, views in sets.items():
            rows = np.flatnonzero(self.held.folds == fold)
            parts.append((rows, self.mean(views)[rows]))
        decisions = [self.held.without(fold) for fold in sets]
        with ThreadPoolExecutor(num_cores(), thread_name_prefix="views") as pool:
            found = list(pool.map(_decided, [maps for _, maps in parts], decisions))
        answers = scattered([(rows, masks) for (rows, _), masks in zip(parts, found, strict=True)])
        held = self.held.with_scores(scattered_maps(parts))
        return replace(held, answered=Answered(answers, held.decision, held.by_fold))

    def forward(self, views: Sequence[View], *, without: int | None = None) -> list[View]:
        """Views one after the other, each the one that raises the mean's score most.

        Args:
            views: to choose from; the first begins.
            without: fold whose rows have no part in it, nor in the decision; None: all have.

        Returns:
            The first, and more as long as the score rises. Equally good ones: the earlier.
        """
        rows = self.held.folds != without
        decision = self.held.decision if without is None else self.held.without(without)
        metric, target = self.held.problem.metric, self.held.target[rows]
        weight = None if self.held.weight is None else self.held.weight[rows]

        def goal(chosen: Sequence[View]) -> float:
            try:
                score = metric(self._counted(chosen, decision)[rows], target, weight)
            except ValueError:  # Undefined on these rows.
                return -np.inf
            return score if metric.higher_is_better else -score

        def goals(sets: Sequence[Sequence[View]]) -> list[float]:
            # Each looks through all maps, of which a few are held at a time.
            found = []
            with (
                self.counting("sets of views", len(sets)) as done,
                ThreadPoolExecutor(num_cores(), thread_name_prefix="views") as pool,
            ):
                for value in pool.map(goal, sets):
                    found.append(value)
                    done()
            return found

        return chosen_forward(views, goals)

    def _counted(self, views: Sequence[View], decision: Decision) -> Any:
        """What the metric counts of all rows, decided by one of the run's decisions."""
        key = tuple(sorted((view.name, view.weight) for view in views))
        if key not in self._counts:
            self._counts[key] = self._looked(views)
        return next(counts for known, counts in self._counts[key] if known == decision)

    def _looked(self, views: Sequence[View]) -> list[tuple[Decision, Any]]:
        """Counts of all rows by each of the run's decisions, from one look at the maps."""
        held, metric, target = self.held, self.held.problem.metric, self.held.target
        decisions = distinct([held.decision, *(held.by_fold or {}).values()])
        found = _decided_by(self.mean(views), decisions)
        return [
            (decision, metric.count(masks.runs, target.runs, target.num_classes, target.ignored))
            for decision, masks in zip(decisions, found, strict=True)
        ]


def distinct(decisions: Collection[Decision]) -> list[Decision]:
    """Each once, in their order."""
    found: list[Decision] = []
    for decision in decisions:
        if decision not in found:
            found.append(decision)
    return found


def _decided(maps: Maps, decision: Decision) -> Masks:
    (found,) = _decided_by(maps, [decision])
    return found


def _decided_by(maps: Maps, decisions: Sequence[Decision]) -> list[Masks]:
    """The answers of each decision; means of a few samples are made once for all."""
    parts: list[list[Masks]] = [[] for _ in decisions]
    for start in range(0, len(maps), _AT_ONCE):
        chosen = maps[np.arange(start, min(start + _AT_ONCE, len(maps)))]
        levels = list(chosen)
        few = replace(chosen, numbers=np.arange(len(levels)), of=levels.__getitem__)
        for found, decision in zip(parts, decisions, strict=True):
            found.append(decision.answers(few))
    return [joined_masks(found) for found in parts]
