"""Where the masks of train samples are and what they mean: cells, images or annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foldwise.collecting import end_in_classes, split_suffix
from foldwise.errors import DataError
from foldwise.stages.proposing.asked_masks import AskedMasks, find_asked_masks
from foldwise.stages.proposing.mask_annotations import find_annotations
from foldwise.stages.proposing.mask_order import find_row_order
from foldwise.stages.proposing.mask_pictures import (
    class_pattern,
    index_values,
    look_at_pixels,
    name_pattern,
    path_columns,
)
from foldwise.stages.proposing.mask_rows import Rows, rows_by_column, runs_columns
from foldwise.stages.proposing.note import Note, listed
from foldwise.stages.proposing.readme import Readme
from foldwise.stages.proposing.said import check_column
from foldwise.stages.proposing.tables import FoundTables
from foldwise.tables import Table
from foldwise.tasks.task import MasksSeen

_ID_WORDS = ("id", "image", "file", "name", "img")


@dataclass(frozen=True)
class FoundMasks:
    """The masks of the train samples.

    Attributes:
        values: `masks` of competition.yaml.
        classes: their names in order.
        id: the column that names samples.
        used: columns of train that tell of masks and of nothing else.
        asked: what the sample submission asks for; None: there is none, or not for masks.
        notes: the guesses.
        undecided: what cannot be told.
    """

    values: dict[str, Any]
    classes: tuple[str, ...]
    id: str
    used: tuple[str, ...]
    asked: AskedMasks | None
    notes: tuple[Note, ...]
    undecided: tuple[str, ...] = ()

    @property
    def is_exclusive(self) -> bool:
        """Whether every pixel is of one class."""
        return bool(self.values.get("exclusive"))

    def seen(self, *, is_asked: bool) -> MasksSeen:
        """As a task looks at it."""
        reason = "there are masks of the train images"
        if self.asked is not None:
            reason = f"the sample submission asks for masks: {self.asked.reason}"
        return MasksSeen(self.classes, self.is_exclusive, is_asked, reason)

    def plain(self, table: Table | None) -> Table | None:
        """A table with a row a sample, named by it alone."""
        if table is None or self.id not in table.frame.columns:
            return table
        frame = table.frame.assign(**{self.id: self.plain_names(table)})
        first = ~frame[self.id].duplicated().to_numpy()
        return Table(table.path, frame[first].reset_index(drop=True), table.lines[first])

    def plain_names(self, table: Table) -> list[str]:
        """The sample of each row, whose id may end in a class."""
        names = [str(cell) for cell in table.frame[self.id]]
        values = list(self.values.get("values", {})) or list(self.classes)
        if not end_in_classes(names, values) and not self._end_in_values(names, values):
            return names
        return [split_suffix(name)[0] for name in names]

    def _end_in_values(self, names: Sequence[str], values: Sequence[str]) -> bool:
        """Whether ids of train end in classes although not every sample comes with every class."""
        ends = {split_suffix(name)[1] for name in names}
        return bool(self.values.get("in_id")) and ends <= set(values)


def find_masks(
    data: Path, tables: FoundTables, readme: Readme, said_id: str | None = None
) -> FoundMasks | None:
    """Look for masks in columns, folders and JSON files; None: there are none.

    Args:
        data: the data folder.
        tables: of it.
        readme: the text beside the data.
        said_id: the id column that a person named.

    Raises:
        ConfigError: train lacks that column.
        DataError: there are masks, but what they mean cannot be told.
    """
    train, sample = tables.train, tables.sample
    if train is None:
        return None  # See `look_at_mask_folders`.
    if said_id is not None:
        check_column(train, "--id", said_id)
    inputs = None if tables.test is sample else tables.test
    runs = runs_columns(train)
    asked = find_asked_masks(sample, inputs, runs)
    id_column = said_id or _id_column(train, inputs, asked, runs)
    if id_column is None:
        return None
    if runs:
        return _from_runs(data, train, inputs, id_column, runs, asked, readme)
    known = [] if inputs is None else [str(name) for name in inputs.frame.columns]
    columns = path_columns(data, train, [*known, id_column])
    if columns:
        return _from_paths(data, train, inputs, id_column, columns, asked, readme)
    ids = [str(cell) for cell in train.frame[id_column]]
    if len(set(ids)) < len(ids):
        return None
    return named_masks(data, ids, id_column, asked, readme)


def named_masks(
    data: Path,
    ids: Sequence[str],
    id_column: str,
    asked: AskedMasks | None,
    readme: Readme,
    but: Sequence[str] = (),
) -> FoundMasks | None:
    """Masks in COCO's JSON or in images that are named like the samples; None: there are none.

    Args:
        data: the data folder.
        ids: of the samples.
        id_column: names them.
        asked: what the sample submission asks for.
        readme: the text beside the data.
        but: folders that hold the images themselves.

    Raises:
        DataError: there are such images, but what their pixels mean cannot be told.
    """
    found = find_annotations(data, ids)
    if found is not None:
        values, classes, note = found
        return FoundMasks(values, classes, id_column, (), asked, (note,))
    pattern = name_pattern(data, ids, but)
    if pattern is not None:
        return _from_pattern(data, ids, id_column, pattern, asked, readme)
    by_class = class_pattern(data, ids, but)
    if by_class is None:
        return None
    pattern, classes = by_class
    why = f"{pattern} are images named like the samples and a class"
    note = Note("mask classes", listed(classes), "by the names of the images")
    values = {"kind": "files", "pattern": pattern}
    return FoundMasks(values, classes, id_column, (), asked, (Note("masks", "images", why), note))


def _id_column(
    train: Table, inputs: Table | None, asked: AskedMasks | None, runs: Sequence[str]
) -> str | None:
    """The column that names samples: that of test's rows which are asked for, else by its name."""
    shared = [str(c) for c in train.frame.columns if inputs is None or c in inputs.frame.columns]
    shared = [name for name in shared if name not in runs]
    if inputs is not None and asked is not None:
        for name in shared:
            if set(map(str, inputs.frame[name])) == set(asked.names):
                return name
    named = [name for name in shared if any(word in name.lower() for word in _ID_WORDS)]
    unique = [name for name in shared if train.frame[name].nunique() == len(train)]
    return next(iter([n for n in named if n in unique] or unique or named), None)


def _from_runs(
    data: Path,
    train: Table,
    inputs: Table | None,
    id_column: str,
    columns: Sequence[str],
    asked: AskedMasks | None,
    readme: Readme,
) -> FoundMasks:
    rows = rows_by_column(train, id_column, columns, inputs, asked, readme)
    why = f"cells of column {listed(columns)} are runs"
    notes = (Note("masks", "runs", why), *rows.notes)
    values = {"kind": "runs", **rows.values}
    return FoundMasks(values, rows.classes, id_column, tuple(rows.used), asked, notes)


def with_order(found: FoundMasks, train: Table, images: Sequence[Path]) -> FoundMasks:
    """Masks of cells with the order of their pixels.

    Args:
        found: masks; those of images and annotations stay as they are.
        train: the train table.
        images: the image of each of its rows.

    Raises:
        DataError: runs that are wrong, of the cells looked at.
    """
    if found.values["kind"] != "runs":
        return found
    columns = list(found.values.get("columns", {}).values()) or [found.values["column"]]
    told = find_row_order(train, columns, images)
    values = {**found.values, "order": told.order or "columns"}
    undecided = found.undecided
    if told.first == 0:
        values["first"] = 0
        undecided = (*undecided, "masks.first 0: a mask starts at pixel 0, which may be a slip")
    if told.empty:
        values["empty"] = told.empty
    note = Note("mask order", values["order"], told.reason)
    if told.order is None:
        undecided = (*undecided, f"masks.order columns: {told.reason}; it is the usual one")
    return replace(found, values=values, notes=(*found.notes, note), undecided=undecided)


def _from_paths(
    data: Path,
    train: Table,
    inputs: Table | None,
    id_column: str,
    columns: Sequence[str],
    asked: AskedMasks | None,
    readme: Readme,
) -> FoundMasks:
    cells = [str(cell) for name in columns for cell in train.frame[name] if cell]
    pixels = look_at_pixels(data, cells)
    where = f"cells of column {listed(columns)} are mask images"
    if len(columns) == 1 and not pixels.is_binary:
        values, classes, notes = index_values(pixels, readme)
        why = f"{where}, numbers of classes"
        found = {"kind": "index", "column": columns[0], **values}
        every = (Note("masks", "index images", why), *notes)
        return FoundMasks(found, classes, id_column, (columns[0],), asked, every)
    if not pixels.is_binary:
        raise DataError(
            f"{where}, and their pixels have values {listed([str(v) for v in pixels.values])}: "
            "of a class each they should be black or not",
            remedy="take all but one out of the table",
        )
    rows: Rows = rows_by_column(train, id_column, columns, inputs, asked, readme)
    notes_of = (Note("masks", "images", f"{where}, of a class each"), *rows.notes)
    found = {"kind": "files", **rows.values}
    return FoundMasks(found, rows.classes, id_column, tuple(rows.used), asked, notes_of)


def _from_pattern(
    data: Path,
    ids: Sequence[str],
    id_column: str,
    pattern: str,
    asked: AskedMasks | None,
    readme: Readme,
) -> FoundMasks:
    stems = [name.rpartition(".")[0] or name for name in ids]
    files = [pattern.format(id=name, stem=s) for name, s in zip(ids, stems, strict=True)]
    pixels = look_at_pixels(data, files)
    where = f"{pattern} are images named like the samples"
    if pixels.is_binary:
        values: dict[str, Any] = {"kind": "files", "pattern": pattern}
        classes: tuple[str, ...] = ("mask",)
        notes = [Note("mask classes", "mask", "pixels are set or not, and nothing says of what")]
    else:
        values, classes, notes = index_values(pixels, readme)
        values = {"kind": "index", "pattern": pattern, **values}
    return FoundMasks(
        values, classes, id_column, (), asked, (Note("masks", "images", where), *notes)
    )
