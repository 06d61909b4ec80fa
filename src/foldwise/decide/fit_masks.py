"""Masks fitted in one pass over the maps, with and without each fold: gates, thresholds, areas."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldwise.decide.area_curves import (
    AreaCurves,
    Terms,
    dice_terms,
    iou_terms,
    pooled_terms,
    summed,
)
from foldwise.decide.component_tree import NUM_THRESHOLDS, Components, components
from foldwise.decide.decision import Step
from foldwise.decide.fit_areas import AreaFit, Value, first_sum, fit_areas, quotient
from foldwise.decide.mask_steps import TOP_SHARE, top_means
from foldwise.errors import NoExactFitError
from foldwise.maps.levels import TOP, least_level
from foldwise.maps.maps import Maps
from foldwise.masks import IGNORED
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import decode

#: Classes that fewer groups show share a threshold and a smallest area: their own would be chance.
FEW_GROUPS = 8


@dataclass(frozen=True)
class Aim:
    """What a metric asks of the masks of a class: its own share of it is raised alone.

    Attributes:
        terms: what is summed over samples.
        value: what the sums give.
    """

    terms: Terms
    value: Value


#: Metric → what is raised. All are means over classes, so that each class is fitted by itself.
AIMS: dict[str, Aim] = {
    "mean_dice": Aim(dice_terms, first_sum),
    "mean_iou_per_image": Aim(iou_terms, first_sum),
    "mean_iou": Aim(pooled_terms, quotient),
}


#: What a class's answer waits for: another's word on the sample, the map's top pixels, or nothing.
Gate = Literal["gates", "top_scores"] | None

#: Gates that are tried; between two of them all samples do the same, as far as is known.
GATE_GRID = (0.0, 0.01, 0.02, 0.05, *(0.05 * n for n in range(2, 20)), 0.98, 0.99, 0.995)


@dataclass(frozen=True)
class MaskCurves:
    """What every gate, threshold and smallest area would score, by fold and class.

    Attributes:
        aim: of the metric.
        gate: what was looked at as one.
        by_fold: fold → the curves of each of the C classes, by place in `GATE_GRID`; of the first
            place alone where there is no gate.
        shares: (C,) bool, classes that are decided as one.
    """

    aim: Aim
    gate: Gate
    by_fold: dict[int, list[list[AreaCurves]]]
    shares: np.ndarray

    def fit(
        self, step: Step, *, folds: Collection[int] | None = None, is_gated: bool = True
    ) -> Step:
        """The step with the gates, thresholds and smallest areas that score highest.

        Args:
            step: `masks` as it is; of equally good values the nearest to its own are taken, and no
                gate before any.
            folds: that are fitted to; None: all.
            is_gated: whether a gate is fitted, where one was looked at.
        """
        used = [curves for fold, curves in self.by_fold.items() if folds is None or fold in folds]
        num = len(self.shares)
        levels = [least_level(each) for each in _each(step.options.get("thresholds", 0.5), num)]
        areas = [int(each) for each in _each(step.options.get("smallest_areas", 0), num)]
        together = [np.flatnonzero(self.shares)] if self.shares.any() else []
        together += [np.array([index]) for index in np.flatnonzero(~self.shares)]
        found: dict[int, tuple[float, AreaFit]] = {}
        for classes in together:
            fixed = (levels[classes[0]], areas[classes[0]])
            best = self._best(used, classes, fixed, is_gated=is_gated)
            found |= dict.fromkeys(classes.tolist(), best)
        options = {
            **step.options,
            "thresholds": [found[index][1].threshold / TOP for index in range(num)],
            "smallest_areas": [found[index][1].smallest_area for index in range(num)],
        }
        if self.gate is not None and is_gated:
            options[self.gate] = [found[index][0] for index in range(num)]
        return Step(step.name, options, fitted=True)

    def _best(
        self,
        used: Sequence[list[list[AreaCurves]]],
        classes: np.ndarray,
        fixed: tuple[int, int],
        *,
        is_gated: bool,
    ) -> tuple[float, AreaFit]:
        """The best gate, and the best threshold and smallest area behind it."""
        by_gate = [
            summed([each[index][place] for each in used for index in classes])
            for place in range(len(used[0][0]))
        ]
        if not is_gated:
            by_gate = [summed(by_gate)]
        best: tuple[float, AreaFit] | None = None
        closed = np.zeros(by_gate[0].base.shape[1])
        for place, gate in enumerate(GATE_GRID[: len(by_gate)]):
            behind = summed(by_gate[place:])
            fit = fit_areas(behind, fixed=fixed, value=self.aim.value, beside=closed)
            if best is None or fit.value > best[1].value + 1e-12:
                best = gate, fit
            closed = closed + by_gate[place].base[NUM_THRESHOLDS - 1]
        assert best is not None
        return best


def mask_curves(
    maps: Maps,
    truths: Masks,
    folds: np.ndarray,
    *,
    metric: str,
    gate: Gate = None,
    groups: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    workers: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> MaskCurves:
    """Read each map once, for all fits.

    Args:
        maps: of N samples and C classes.
        truths: of the same samples.
        folds: (N,) int64.
        metric: name of it.
        gate: what a class's answer may wait for.
        groups: (N,) what belongs together; None: every sample for itself.
        weight: (N,) how much each sample counts; None: all alike.
        workers: threads.
        progress: called with the number of samples done.

    Raises:
        NoExactFitError: none is known for the metric.
    """
    if metric not in AIMS:
        raise NoExactFitError(
            f"for masks, exact fits are known for {', '.join(AIMS)}, not for {metric}"
        )
    aim, num_classes = AIMS[metric], maps.num_classes
    num_gates = 1 if gate is None else len(GATE_GRID)
    by_fold = {
        fold: [[AreaCurves(aim.terms) for _ in range(num_gates)] for _ in range(num_classes)]
        for fold in np.unique(folds).tolist()
    }

    def look(row: int) -> _Looked:
        levels, marks = maps.read(row), truth_marks(truths[np.array([row])])
        places = np.zeros(num_classes, np.int64)
        if gate is not None:
            sure = top_means(levels, TOP_SHARE) if gate == "top_scores" else _gates(maps)[row]
            places = np.searchsorted(GATE_GRID, sure, side="right") - 1
        trues = (marks == 1).sum(axis=(1, 2))
        found = [components(*each) for each in zip(levels, marks, strict=True)]
        return list(zip(found, trues.tolist(), places.tolist(), strict=True))

    for row, looked in enumerate(_ahead(look, len(maps), workers)):
        heavy = 1.0 if weight is None else float(weight[row])
        for curves, (found, true, place) in zip(by_fold[int(folds[row])], looked, strict=True):
            curves[place].add(found, true, heavy)
        progress(row + 1)
    return MaskCurves(aim, gate, by_fold, _rare(truths, groups))


#: Of each class: its components, true pixels, and the last gate that lets it through.
_Looked = list[tuple[Components, int, int]]


def _gates(maps: Maps) -> np.ndarray:
    if maps.gates is None:
        raise ValueError("there are no gates beside the maps")
    return maps.gates


def truth_marks(truth: Masks) -> np.ndarray:
    """(C, H, W) uint8 of one sample: 1 where a class is true, `IGNORED` where nothing counts."""
    marks = np.stack(decode(truth.runs))
    if truth.ignored is not None:
        marks[:, decode(truth.ignored)[0] > 0] = IGNORED
    return marks


def _rare(truths: Masks, groups: np.ndarray | None) -> np.ndarray:
    """(C,) bool, classes that few groups show, where there are several such."""
    names = np.arange(len(truths)) if groups is None else groups
    shown = [len(set(names[there > 0].tolist())) for there in truths.present.T]
    rare = np.array(shown) < FEW_GROUPS
    return rare if rare.sum() > 1 else np.zeros_like(rare)


def _each(values: float | Sequence[float], num: int) -> list[float]:
    return [values] * num if isinstance(values, (int, float)) else list(values)


def _ahead(look: Callable[[int], _Looked], num: int, workers: int) -> Iterator[_Looked]:
    """What is found in each sample, in order, a few of them ahead."""
    with ThreadPoolExecutor(workers, thread_name_prefix="maps") as pool:
        waiting: deque[Future[_Looked]] = deque()
        for row in range(num):
            waiting.append(pool.submit(look, row))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
