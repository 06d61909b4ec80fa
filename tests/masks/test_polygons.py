from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as oracle

from foldwise.errors import DataError
from foldwise.masks.polygons import fill_polygons
from foldwise.masks.runs import decode

# pycocotools is older than numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

Polygons = list[list[float]]


def draw(rng: np.random.Generator, height: int, width: int) -> Polygons:
    """One to three polygons: stars that cross themselves, over the border, on whole pixels."""
    polygons = []
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(-0.2, 1.2, (rng.integers(3, 12), 2)) * [width, height]
        kind = rng.integers(4)
        if kind == 0:
            points = np.round(points)
        elif kind == 1:
            points = np.repeat(np.round(points * 2) / 2, 2, axis=0)
        elif kind == 2:
            points[1::2, 0] = points[::2, 0][: len(points[1::2])]
        polygons.append(points.ravel().tolist())
    return polygons


def test_polygons_are_filled_as_pycocotools_fills_them() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 90, (2000, 2))
    outlines = [draw(rng, *size) for size in sizes]
    runs = fill_polygons(outlines, *sizes.T)
    assert runs.areas.sum() > 100_000
    for polygons, (height, width), found in zip(outlines, sizes, decode(runs), strict=True):
        theirs = oracle.merge(oracle.frPyObjects(polygons, int(height), int(width)))
        np.testing.assert_array_equal(found, oracle.decode(theirs))


def test_a_mask_without_polygons_is_empty() -> None:
    runs = fill_polygons([[], [[0, 0, 9, 0, 9, 9, 0, 9]]], np.array([3, 3]), np.array([2, 2]))
    assert runs.areas.tolist() == [0, 6]


@pytest.mark.parametrize(
    ("polygon", "found"),
    [
        ([1, 2, 3, 4], "polygon 2 has 4 coordinates"),
        ([1, 2, 3, 4, 5, 6, 7], "polygon 2 has 7 coordinates"),
        ([1, 2, 3, float("nan"), 5, 6], "polygon 2 has a coordinate without value"),
    ],
)
def test_polygons_that_are_wrong_are_named(polygon: list[float], found: str) -> None:
    fine = [1, 1, 3, 1, 3, 3]
    with pytest.raises(DataError, match=f"^mask 1: {found}"):
        fill_polygons([[fine], [fine, polygon]], np.array([9, 9]), np.array([9, 9]))
