"""Masks as a table of runs, written piece by piece in the exact form that is asked for."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise.config.masks import MasksConfig
from foldwise.errors import RunError
from foldwise.masks.of_samples import Masks
from foldwise.masks.text import write_cells
from foldwise.publish import publish
from foldwise.stages.submitting.mask_shape import MaskShape

#: Rows that are text at one time: all others are runs, which take a third of the memory.
_AT_ONCE = 4096


def write_mask_table(
    path: Path, shape: MaskShape, names: np.ndarray, masks: Masks, config: MasksConfig
) -> tuple[str, ...]:
    """Publish the masks of test samples as cells of runs.

    Args:
        path: the file.
        shape: header, rows and how the empty mask is written.
        names: (N,) str, the samples.
        masks: of the same, in their order.
        config: in which order pixels are counted, and from which number on.

    Returns:
        What was done beyond copying, one sentence each: samples without an answer, whose images
        are damaged, have no pixel.
    """
    places = pd.Index(names).get_indexer(pd.Index(shape.samples))
    publish(path, lambda part: _write(part, shape, places, masks, config))
    missing = list(dict.fromkeys(shape.samples[row] for row in np.flatnonzero(places < 0)))
    if not missing:
        return ()
    shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
    return (f"{len(missing)} damaged test images get empty masks: {shown}",)


def refuse_unknown(shape: MaskShape, known: set[str], *, name: str) -> None:
    """Refuse a sample submission that asks for samples that there are not.

    Args:
        shape: what is asked.
        known: ids of all test samples, damaged ones too.
        name: the run's, for the message.

    Raises:
        RunError: with the first five.
    """
    lost = list(dict.fromkeys(each for each in shape.samples if each not in known))
    if lost:
        shown = ", ".join(lost[:5]) + (" ..." if len(lost) > 5 else "")
        raise RunError(
            f"{name}: {len(lost)} samples of {shape.sample or 'the test table'} have no "
            f"prediction: {shown}",
            remedy="every sample of the sample submission must be in the test table; then run "
            "`foldwise predict`",
        )


def _write(
    part: Path, shape: MaskShape, places: np.ndarray, masks: Masks, config: MasksConfig
) -> None:
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(shape.header)
        for start in range(0, len(places), _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, len(places)))
            writer.writerows(_cells(shape, rows, places, masks, config))


def _cells(
    shape: MaskShape, rows: np.ndarray, places: np.ndarray, masks: Masks, config: MasksConfig
) -> Iterator[tuple[str, ...]]:
    """The cells of some rows."""
    columns = {shape.id_column: [shape.ids[row] for row in rows]}
    if shape.class_column is not None:
        columns[shape.class_column] = [shape.class_cells[row] for row in rows]
    answered = rows[places[rows] >= 0]
    for column, classes in shape.classes.items():
        wanted = places[answered] * masks.num_classes + classes[answered]
        runs = masks.runs.take(wanted)
        texts = write_cells(runs, order=config.order, first=config.first, empty=shape.empty)
        found = dict(zip(answered.tolist(), texts, strict=True))
        columns[column] = [found.get(row, shape.empty) for row in rows.tolist()]
    return zip(*(columns[name] for name in shape.header), strict=True)
