"""What the masks of train samples are read from: rows, images and annotations, told by samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise.collecting import folder_table, split_suffix
from foldwise.config.competition import Competition
from foldwise.config.masks import MasksConfig
from foldwise.tables import Table, read_table


@dataclass(frozen=True)
class MaskSource:
    """What masks are read from.

    Attributes:
        config: where they stand and what they mean.
        classes: C names.
        table: rows with the masks; a sample may have several.
        id_column: of the table.
        rows_of: (R,) int64 the sample that each row is of; -1: of none, as of a damaged image.
        sizes: (N, 2) int64 height and width of the samples' images.
        data: the data folder.
        files: N images, relative to the data folder, for annotations that name these.
    """

    config: MasksConfig
    classes: Sequence[str]
    table: Table
    id_column: str
    rows_of: np.ndarray
    sizes: np.ndarray
    data: Path
    files: Sequence[str] = ()

    @property
    def values(self) -> dict[str, int]:
        """What a class is called → its position."""
        named = self.config.values
        if not named:
            return {name: index for index, name in enumerate(self.classes)}
        place = {name: index for index, name in enumerate(self.classes)}
        return {value: place[name] for value, name in named.items()}

    def names_in_files(self, rows: np.ndarray) -> list[str]:
        """What the samples of these rows are called in the names of files: their ids."""
        cells = self.table.frame[self.id_column].to_numpy(dtype=object)
        return [str(cells[row]) for row in rows.tolist()]


def mask_source(
    competition: Competition,
    data: Path,
    ids: np.ndarray,
    sizes: np.ndarray,
    files: Sequence[str] = (),
) -> MaskSource:
    """What the masks of some train samples are read from.

    Args:
        competition: says where masks are.
        data: the data folder.
        ids: (N,) str of the samples.
        sizes: (N, 2) height and width of their images.
        files: N images, relative to the data folder.

    Raises:
        DataError: the train table cannot be read.
    """
    assert competition.masks is not None
    table = mask_table(competition, data)
    return MaskSource(
        competition.masks,
        competition.classes,
        table,
        competition.columns.id,
        rows_of_samples(_names(competition, table), ids),
        sizes,
        data,
        files,
    )


def mask_table(competition: Competition, data: Path) -> Table:
    """The train table, or a folder of images as one."""
    path = data / competition.tables.train
    return folder_table(path, competition.columns.id) if path.is_dir() else read_table(path)


def rows_of_samples(names: Sequence[str], ids: np.ndarray) -> np.ndarray:
    """(R,) int64 the position of each name in `ids`; -1: it is not there."""
    found: np.ndarray = pd.Index(ids).get_indexer(pd.Index(names))
    return found


def _names(competition: Competition, table: Table) -> list[str]:
    """The sample of each row."""
    assert competition.masks is not None
    prefix = competition.columns.train_prefix
    cells = [str(cell) for cell in table.frame[competition.columns.id]]
    if competition.masks.in_id:
        cells = [split_suffix(cell)[0] for cell in cells]
    return [f"{prefix}{cell}" for cell in cells]
