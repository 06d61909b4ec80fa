"""What is needed of maps to fit masks, read once: sums by fold, class, top score and shape."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from foldwise.decide.area_curves import (
    AreaCurves,
    Changes,
    Terms,
    areas_tried,
    changes,
    dice_terms,
    difference,
    iou_terms,
    pooled_terms,
)
from foldwise.decide.component_tree import SHAPES, Components, Shape, components
from foldwise.decide.fit_areas import Value, first_sum, quotient
from foldwise.decide.mask_steps import num_top, top_means, which_top
from foldwise.errors import NoExactFitError
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
        is_pooled: whether pixels are pooled over samples; else each sample scores by itself, 1
            where answer and truth are empty, and 0 where one of them is.
    """

    terms: Terms
    value: Value
    is_pooled: bool = False


#: Metric → what is raised. All are means over classes, so that each class is fitted by itself.
AIMS: dict[str, Aim] = {
    "mean_dice": Aim(dice_terms, first_sum),
    "mean_iou_per_image": Aim(iou_terms, first_sum),
    "mean_iou": Aim(pooled_terms, quotient, is_pooled=True),
}


#: Least top scores and chances that are tried; between two of them all samples do the same, as far
#: as is known.
LEAST_GRID = (0.0, 0.01, 0.02, 0.05, *(0.05 * n for n in range(2, 20)), 0.98, 0.99, 0.995)


def aim_of(metric: str) -> Aim:
    """What is raised of a metric, by its name.

    Raises:
        NoExactFitError: nothing is known for it.
    """
    if metric not in AIMS:
        raise NoExactFitError(
            f"for masks, exact fits are known for {', '.join(AIMS)}, not for {metric}"
        )
    return AIMS[metric]


class Part(NamedTuple):
    """Some of the maps.

    Attributes:
        fold: that they are held out in.
        place: in `LEAST_GRID`, of the last that lets them through.
    """

    fold: int
    place: int


class Curves(NamedTuple):
    """What is known by its own curves.

    Attributes:
        shape: what is answered.
        classes: that are decided as one.
    """

    shape: Shape
    classes: tuple[int, ...]


#: Some of the maps, and sums over them.
Summand = tuple[Part, AreaCurves]


@dataclass(frozen=True)
class MaskCurves:
    """What every top score, shape, threshold and smallest area would give, by fold and class.

    Attributes:
        aim: of the metric.
        together: the classes, those that are decided as one together.
        areas: (A,) int64 smallest areas that are tried.
        parts: of each set of classes, by what is answered, the sums over the parts; with filled
            holes, by how much they differ from those without: most maps have none.
    """

    aim: Aim
    together: tuple[tuple[int, ...], ...]
    areas: np.ndarray
    parts: Mapping[Curves, Mapping[Part, AreaCurves]]

    def sums(self, shape: Shape, classes: tuple[int, ...]) -> list[Summand]:
        """Parts of the maps, and what together sums up to what is answered of them.

        Args:
            shape: what is answered of them.
            classes: one of `together`, or several of them.
        """
        shapes = dict.fromkeys((shape._replace(fill=False), shape))
        among = [each for each in self.together if set(each) <= set(classes)]
        names = [Curves(each, found) for each in shapes for found in among]
        return [summand for name in names for summand in self.parts[name].items()]


def mask_curves(
    maps: Maps,
    truths: Masks,
    folds: np.ndarray,
    *,
    metric: str,
    options: Mapping[str, Any] | None = None,
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
        options: of the step `masks`: which pixels are the top ones.
        groups: (N,) what belongs together; None: every sample for itself.
        weight: (N,) how much each sample counts; None: all alike.
        workers: threads.
        progress: called with the number of samples done.

    Raises:
        NoExactFitError: none is known for the metric.
    """
    aim, together = aim_of(metric), decided_together(truths, groups)
    curves: dict[Curves, dict[Part, AreaCurves]] = {
        Curves(*name): {} for name in product(SHAPES, together)
    }
    areas = areas_tried(int(maps.sizes.prod(axis=1).max(initial=0)))
    look = _Look(maps, truths, partial(changes, terms=aim.terms, areas=areas), options or {})
    for row, looked in enumerate(_ahead(look, len(maps), workers)):
        heavy = 1.0 if weight is None else float(weight[row])
        for name, parts in curves.items():
            for seen in (looked[index] for index in name.classes):
                part = Part(int(folds[row]), seen.place)
                if part not in parts:
                    parts[part] = AreaCurves.of_none(aim.terms, areas)
                parts[part].add(seen.changes[name.shape], heavy)
        progress(row + 1)
    return MaskCurves(aim, together, areas, curves)


class _Seen(NamedTuple):
    """Of a map of one class: what it adds to sums, and the last least top score that lets it by."""

    changes: dict[Shape, Changes]
    place: int


@dataclass(frozen=True)
class _Look:
    """Looks at a sample: what the map of each class adds."""

    maps: Maps
    truths: Masks
    added: Callable[[Components, int], Changes]
    options: Mapping[str, Any]

    def __call__(self, row: int) -> list[_Seen]:
        levels, marks = self.maps.read(row), truth_marks(self.truths[np.array([row])])
        trues = (marks == 1).sum(axis=(1, 2)).tolist()
        places = self._places(levels)
        found = []
        for index, by_shape in enumerate(map(components, levels, marks)):
            added = {shape: self.added(each, trues[index]) for shape, each in by_shape.items()}
            for shape in (each for each in SHAPES if each.fill):
                added[shape] = difference(added[shape], added[shape._replace(fill=False)])
            found.append(_Seen(added, places[index]))
        return found

    def _places(self, levels: np.ndarray) -> list[int]:
        """The last least top score that lets each class of a sample by."""
        tops = top_means(levels, num_top(levels[0].size, **which_top(self.options)))
        found: list[int] = (np.searchsorted(LEAST_GRID, tops, side="right") - 1).tolist()
        return found


def truth_marks(truth: Masks) -> np.ndarray:
    """(C, H, W) uint8 of one sample: 1 where a class is true, `IGNORED` where nothing counts."""
    marks = np.stack(decode(truth.runs))
    if truth.ignored is not None:
        marks[:, decode(truth.ignored)[0] > 0] = IGNORED
    return marks


def decided_together(truths: Masks, groups: np.ndarray | None) -> tuple[tuple[int, ...], ...]:
    """The classes one by one, but those together that few groups show."""
    names = np.arange(len(truths)) if groups is None else groups
    shown = [len(set(names[there > 0].tolist())) for there in truths.present.T]
    rare = tuple(index for index, num in enumerate(shown) if num < FEW_GROUPS)
    alone = tuple((index,) for index in range(len(shown)) if index not in rare)
    return (rare, *alone) if rare else alone


def _ahead(look: Callable[[int], list[_Seen]], num: int, workers: int) -> Iterator[list[_Seen]]:
    """What is found in each sample, in order, a few of them ahead."""
    with ThreadPoolExecutor(workers, thread_name_prefix="maps") as pool:
        waiting: deque[Future[list[_Seen]]] = deque()
        for row in range(num):
            waiting.append(pool.submit(look, row))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
