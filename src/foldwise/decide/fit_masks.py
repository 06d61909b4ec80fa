"""Masks fitted: for each class the best threshold, smallest area, shape and top score together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from foldwise.decide.area_curves import changes_of
from foldwise.decide.component_tree import SHAPES, Shape
from foldwise.decide.decision import Step
from foldwise.decide.fit_areas import AreaFit, fit_areas, is_more
from foldwise.decide.mask_curves import LEAST_GRID, MaskCurves, Summand
from foldwise.maps.levels import TOP, least_level


def fit_masks(
    step: Step,
    curves: MaskCurves,
    *,
    folds: Collection[int] | None = None,
    any_top: bool = False,
    any_shape: bool = False,
    alike: bool = False,
) -> Step:
    """The step with the thresholds and smallest areas that score highest, and what goes with them.

    Each shape and each least top score of the grid is tried with the best pair behind it.

    Args:
        step: `masks` as it is; of equally good values the nearest to its own are taken, its own
            shape before others, and no least top score before any.
        curves: of the maps that are fitted to.
        folds: of these maps; None: all.
        any_top: whether the least mean of the top pixels is fitted; else all are let through.
        any_shape: whether it is fitted if holes are filled and if the largest component alone is
            kept; else that stays as it is.
        alike: all classes are given the same values.
    """
    asked = _Asked(step, folds, any_top, any_shape)
    found: dict[int, _Best] = {}
    every = tuple(sorted(index for classes in curves.together for index in classes))
    for classes in [every] if alike else curves.together:
        found |= dict.fromkeys(classes, _best(curves, classes, asked))
    each = [found[index] for index in range(len(found))]
    options = {
        **{name: value for name, value in step.options.items() if name not in _OF_CHANCES},
        "thresholds": [best.fit.threshold / TOP for best in each],
        "smallest_areas": [best.fit.smallest_area for best in each],
    }
    if any_shape:
        options["largest_only"] = [best.shape.largest_only for best in each]
        options["fill"] = [best.shape.fill for best in each]
    if any_top:
        options["top_scores"] = [best.top for best in each]
    return Step(step.name, options, fitted=True)


#: Options that are not looked at here: what is fitted has none of them.
_OF_CHANCES = ("chances", "least_chances")


class _Best(NamedTuple):
    top: float
    shape: Shape
    fit: AreaFit


@dataclass(frozen=True)
class _Asked:
    """What is to be fitted, as of `fit_masks`."""

    step: Step
    folds: Collection[int] | None
    any_top: bool
    any_shape: bool

    def shapes(self, index: int) -> list[Shape]:
        """What is tried for a class, its own first."""
        own = Shape(self._own("largest_only", index, False), self._own("fill", index, False))
        return list(dict.fromkeys([own, *(SHAPES if self.any_shape else ())]))

    def fixed(self, index: int) -> tuple[int, int]:
        """Least level and smallest area that a class has so far."""
        level = least_level(self._own("thresholds", index, 0.5))
        return level, int(self._own("smallest_areas", index, 0))

    def _own(self, name: str, index: int, default: Any) -> Any:
        value = self.step.options.get(name, default)
        return value[index] if isinstance(value, (list, tuple)) else value


def _best(curves: MaskCurves, classes: tuple[int, ...], asked: _Asked) -> _Best:
    """What is best for classes that are decided as one."""
    fixed, best = asked.fixed(classes[0]), None
    for shape in asked.shapes(classes[0]):
        every = curves.sums(shape, classes)
        used = [each for each in every if asked.folds is None or each[0].fold in asked.folds]
        tried = _behind_tops if asked.any_top else _behind_none
        for top, fit in tried(curves, used, fixed):
            if best is None or is_more(fit.value, best.fit.value):
                best = _Best(top, shape, fit)
    assert best is not None
    return best


#: Least top scores, rising, and what is best behind each.
_Behind = Iterator[tuple[float, AreaFit]]


def _behind_none(curves: MaskCurves, parts: Sequence[Summand], fixed: tuple[int, int]) -> _Behind:
    sums = np.cumsum(changes_of([each for _, each in parts]), axis=1)
    yield 0.0, fit_areas(sums, curves.areas, fixed=fixed, value=curves.aim.value)


def _behind_tops(curves: MaskCurves, parts: Sequence[Summand], fixed: tuple[int, int]) -> _Behind:
    """None that keeps back what one before it does."""
    places = sorted({part.place for part, _ in parts})
    through = changes_of([each for _, each in parts])
    kept_back = np.zeros(through.shape[2])
    for before in [-1, *places[:-1]]:
        gone = [each for part, each in parts if part.place == before]
        if gone:
            through -= changes_of(gone)
            kept_back += sum(each.empty for each in gone)
        sums = np.cumsum(through, axis=1)
        fit = fit_areas(sums, curves.areas, fixed=fixed, value=curves.aim.value, beside=kept_back)
        yield LEAST_GRID[before + 1], fit
