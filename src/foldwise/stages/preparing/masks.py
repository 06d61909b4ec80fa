"""Masks of the train samples, read once and kept as runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldwise.config.competition import Competition
from foldwise.config.writing import fingerprint
from foldwise.data.mask_sources import MaskSource, mask_source, mask_table
from foldwise.data.mask_tables import mask_files, read_table_masks
from foldwise.home import Home
from foldwise.masks.of_samples import write_masks
from foldwise.samples import Samples
from foldwise.stages.display import Display


def keep_masks(
    home: Home, competition: Competition, data: Path, samples: Samples, display: Display
) -> None:
    """Read the masks of train samples, and keep them in the competition's folder.

    Args:
        home: the competition.
        competition: says where masks are.
        data: the data folder.
        samples: prepared, so that sizes of images are known; damaged ones are passed over.
        display: where it is said how many samples have no row.

    Raises:
        DataError: masks are wrong, each named by its row, or not as large as their images.
    """
    train = samples.whole().part("train")
    sizes = np.stack([train.frame["height"], train.frame["width"]], axis=1).astype(np.int64)
    source = mask_source(competition, data, train.ids, sizes, list(train.frame["file"]))
    if sentence := clean_without_rows(source, train):
        display.say(sentence)
    write_masks(home.masks, train.ids, read_table_masks(source))


def clean_without_rows(source: MaskSource, train: Samples) -> str:
    """How many samples no row names, which are taken as clean; "": none."""
    named = np.unique(source.rows_of[source.rows_of >= 0])
    num = len(train) - len(named)
    if not num:
        return ""
    first = train.ids[np.setdiff1d(np.arange(len(train)), named)[0]]
    return f"{num} of {len(train)} train images have no row of masks and are clean, as {first}"


def masks_state(competition: Competition, data: Path) -> dict[str, object]:
    """What kept masks depend on beside the images: cells by content, files by size and time."""
    masks = competition.masks
    if masks is None:
        return {}
    table = mask_table(competition, data)
    cells = table.frame[[competition.columns.id, *masks.table_columns]]
    files = [masks.file] if masks.file is not None else mask_files(competition, table)
    there = sorted({file for file in files if (data / file).is_file()})
    stats = [(f, s.st_size, s.st_mtime_ns) for f in there for s in [(data / f).stat()]]
    config = masks.model_dump(mode="json")
    return {"masks": fingerprint([config, competition.classes, cells.to_csv(), stats])}
