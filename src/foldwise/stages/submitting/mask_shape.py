"""What a table of masks must look like: which sample and class each cell of runs is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise import samples as samples_file
from foldwise.collecting import end_in_classes, split_suffix
from foldwise.config.competition import Competition
from foldwise.errors import ConfigError, DataError
from foldwise.home import Home
from foldwise.masks.text import EMPTY_CELLS
from foldwise.tables import Table, read_table
from foldwise.tasks.asked import data_folder

#: The column of runs where neither a sample submission nor the train table names one.
_RUNS = "rle"


@dataclass(frozen=True)
class MaskShape:
    """The shape of a table of masks.

    Attributes:
        header: all columns in order.
        id_column: the one that names samples, or samples and classes.
        ids: (R,) its cells, in the order of the rows.
        class_column: the one that names the class of a row, or None.
        class_cells: (R,) its cells; nothing where there is none.
        samples: (R,) the sample of each row.
        classes: column of runs → (R,) int64 class of each of its cells.
        empty: how the mask without a pixel is written.
        sample: the organiser's sample submission; None if there is none.
    """

    header: tuple[str, ...]
    id_column: str
    ids: tuple[str, ...]
    class_column: str | None
    class_cells: tuple[str, ...]
    samples: tuple[str, ...]
    classes: Mapping[str, np.ndarray]
    empty: str
    sample: Path | None

    @property
    def names(self) -> tuple[str, ...]:
        """(R,) what tells the rows apart: the id, and the class where it stands beside it."""
        if self.class_column is None:
            return self.ids
        return tuple(map(row_name, self.ids, self.class_cells))


def row_name(name: str, label: str) -> str:
    """A row's name, where id and class stand in two columns."""
    return f"{name}, {label}"


def mask_shape(home: Home, competition: Competition) -> MaskShape:
    """The sample submission's shape; without one a row `<id>_<class>` for each, sorted by id.

    Raises:
        ConfigError: what the sample submission asks for cannot be told.
        DataError: it is absent or no right table, or asks twice for the same mask.
    """
    name = competition.tables.sample_submission
    if name is None:
        return _plain_shape(home, competition)
    table = read_table(data_folder(home, competition) / name)
    header = tuple(map(str, table.frame.columns))
    shape = _told(home, competition, table, header)
    repeated = pd.Series(shape.names, dtype=object).duplicated().to_numpy()
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        raise DataError(
            f"{table.at(row)}: the sample submission asks for {shape.names[row]} twice",
            remedy="correct it, or set tables.sample_submission: null for rows of foldwise's own",
        )
    return shape


def class_names(competition: Competition) -> dict[str, int]:
    """What a class may be called in cells → its position."""
    names = {name: index for index, name in enumerate(competition.classes)}
    values = {} if competition.masks is None else competition.masks.values
    return names | {value: names[name] for value, name in values.items()}


def _plain_shape(home: Home, competition: Competition) -> MaskShape:
    masks, id_column = competition.masks, competition.columns.id
    assert masks is not None
    # Values come last, and a class is called by its value where it has one.
    called = {index: name for name, index in class_names(competition).items()}
    num = len(competition.classes)
    test = sorted(samples_file.read(home.samples).part("test").ids)
    column = masks.column if masks.kind == "runs" and masks.column is not None else _RUNS
    return MaskShape(
        header=(id_column, column),
        id_column=id_column,
        ids=tuple(f"{name}_{called[index]}" for name in test for index in range(num)),
        class_column=None,
        class_cells=(),
        samples=tuple(name for name in test for _ in range(num)),
        classes={column: np.tile(np.arange(num), len(test))},
        empty=masks.empty,
        sample=None,
    )


def _told(home: Home, competition: Competition, table: Table, header: tuple[str, ...]) -> MaskShape:
    """Which of the three forms it has: ids that end in a class, a column of it, or of each."""
    known = class_names(competition)
    cells = {name: tuple(map(str, table.frame[name])) for name in header}
    labelled = [name for name in header if all(cell in known for cell in cells[name])]
    id_column = competition.columns.id
    if id_column not in header:
        id_column = next((name for name in header if name not in labelled), header[0])
    ids, others = cells[id_column], [name for name in header if name != id_column]
    labelled = [name for name in labelled if name in others]
    class_column: str | None = None
    labels, samples = tuple[str, ...](), ids
    by_column = {c: known.get(competition.submission.columns.get(c, c)) for c in others}
    if len(others) == 2 and len(labelled) == 1:
        class_column = labelled[0]
        labels = cells[class_column]
        others.remove(class_column)
        places = {others[0]: np.array([known[label] for label in labels], np.int64)}
    elif len(others) == 1 and _end_in_classes(ids, known):
        parted = [split_suffix(name) for name in ids]
        samples = tuple(name for name, _ in parted)
        places = {others[0]: np.array([known[label] for _, label in parted], np.int64)}
    elif len(others) == len(competition.classes) == 1:
        places = {others[0]: np.zeros(len(ids), np.int64)}
    elif all(place is not None for place in by_column.values()):
        places = {c: np.full(len(ids), place) for c, place in by_column.items()}
    else:
        lost = [name for name, place in by_column.items() if place is None]
        raise ConfigError(
            f"{home.competition}: of the sample submission's columns {', '.join(header)} it cannot "
            f"be told which holds which class; {', '.join(lost)} is none of {', '.join(known)}",
            remedy="say what they hold: submission: {columns: {COLUMN: CLASS}}; or what classes "
            "are called there: masks: {values: {CALLED: CLASS}}",
        )
    empty = _empty([cell for name in others for cell in cells[name]], competition)
    return MaskShape(
        header, id_column, ids, class_column, labels, samples, places, empty, table.path
    )


def _end_in_classes(ids: Sequence[str], known: Mapping[str, int]) -> bool:
    values = {split_suffix(name)[1] for name in ids}
    if len(set(known.values())) == 1:
        return values <= set(known)
    return values <= set(known) and end_in_classes(ids, sorted(values))


def _empty(cells: Sequence[str], competition: Competition) -> str:
    """What stands in every cell of a sample submission that shows no mask, if it means that."""
    assert competition.masks is not None
    found = {cell.strip() for cell in cells}
    shown = [word for word in EMPTY_CELLS if word in found]
    return shown[0] if shown else competition.masks.empty
