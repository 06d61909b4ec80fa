"""COCO's `segmentation` fields, whichever of their forms each has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from foldwise.csv_files import limited
from foldwise.errors import DataError
from foldwise.masks.coco import Name, read_compressed, read_counts
from foldwise.masks.polygons import fill_polygons
from foldwise.masks.runs import Runs, concatenate


def read_segmentations(
    segmentations: Sequence[Mapping[str, Any] | Sequence[Sequence[float]]],
    heights: np.ndarray,
    widths: np.ndarray,
    *,
    name: Name = "annotation {}".format,
) -> Runs:
    """The masks of COCO's `segmentation` fields, each in the form that it has.

    Args:
        segmentations: N lists of polygons, or `size` and `counts`, a list or a string.
        heights: (N,) int pixels of the images.
        widths: (N,) int pixels.
        name: says which annotation it is, from its position.

    Raises:
        DataError: another form, a size that is not the image's, or as the readers of each form.
    """
    forms = [_form(each) for each in segmentations]
    told = [
        _problem(each, form, [int(height), int(width)])
        for each, form, height, width in zip(segmentations, forms, heights, widths, strict=True)
    ]
    if any(told):
        problems = [f"{name(row)}: {problem}" for row, problem in enumerate(told) if problem]
        raise DataError(*limited(problems))
    parts, order = [], []
    for form, read in _READERS.items():
        rows = np.flatnonzero(np.array(forms) == form)
        given: list[Any] = [segmentations[row] for row in rows.tolist()]
        if form != "polygons":
            given = [each["counts"] for each in given]
        parts.append(read(given, heights[rows], widths[rows], name=_of_rows(name, rows)))
        order.append(rows)
    return concatenate(parts).take(np.argsort(np.concatenate(order)))


_READERS: dict[str, Callable[..., Runs]] = {
    "polygons": fill_polygons,
    "list": read_counts,
    "string": read_compressed,
}


def _of_rows(name: Name, rows: np.ndarray) -> Name:
    return lambda place: name(int(rows[place]))


def _form(segmentation: object) -> str | None:
    if isinstance(segmentation, list | tuple):
        return "polygons"
    counts = segmentation.get("counts") if isinstance(segmentation, Mapping) else None
    if isinstance(counts, str | bytes):
        return "string"
    return "list" if isinstance(counts, list | tuple) else None


def _problem(segmentation: Any, form: str | None, size: list[int]) -> str:
    if form is None:
        return f"found {str(segmentation)[:40]}, wanted polygons, or size and counts"
    if form != "polygons" and list(segmentation.get("size") or ()) != size:
        return f"its size is {segmentation.get('size')}, that of the image is {size}"
    return ""
