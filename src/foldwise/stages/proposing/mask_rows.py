"""Masks in the cells of the train table: which column holds runs, and what says the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foldwise.collecting import end_in_classes, split_suffix
from foldwise.errors import DataError
from foldwise.masks.text import EMPTY_CELLS
from foldwise.stages.proposing.asked_masks import MOST_CLASSES, AskedMasks, holds_runs
from foldwise.stages.proposing.mask_classes import (
    class_columns,
    clean_cells,
    named_classes,
    names_beside,
    names_in_text,
)
from foldwise.stages.proposing.note import Note, listed
from foldwise.stages.proposing.readme import Readme
from foldwise.tables import Table
from foldwise.tasks.labels import is_integer, natural_order

#: A few masks may be missing; on `tile-defects` it is one in seventy.
_MOST = 0.95


@dataclass
class Rows:
    """What the rows of a table say of the classes of masks.

    Attributes:
        values: keys of `masks` in competition.yaml.
        classes: their names in order.
        used: columns that tell of masks.
        notes: the guesses.
    """

    values: dict[str, Any]
    classes: tuple[str, ...]
    used: list[str]
    notes: list[Note] = field(default_factory=list)


def runs_columns(train: Table) -> list[str]:
    """Columns of train that hold masks as runs."""
    names = [str(name) for name in train.frame.columns]
    return [name for name in names if holds_runs(name, [str(c) for c in train.frame[name]])]


def rows_by_column(
    train: Table,
    id_column: str,
    columns: Sequence[str],
    inputs: Table | None,
    asked: AskedMasks | None,
    readme: Readme,
) -> Rows:
    """The classes of masks in one column, or in one column for each class.

    Args:
        train: the train table.
        id_column: names the samples, or the samples and classes.
        columns: that hold masks.
        inputs: the test table, whose columns say nothing of masks.
        asked: what the sample submission asks for.
        readme: the text beside the data.
    """
    if len(columns) > 1:
        note = Note("masks", listed(columns), "a column of masks for each class")
        values = {"columns": {name: name for name in columns}}
        return Rows(values, tuple(columns), list(columns), [note])
    known = set() if inputs is None else set(map(str, inputs.frame.columns))
    frame, column = train.frame, columns[0]
    free = [str(c) for c in frame.columns if c not in (id_column, column) and c not in known]
    rows = Rows({"column": column}, (), [column])
    masks = ["" if str(cell).strip() in EMPTY_CELLS else str(cell) for cell in frame[column]]
    wanted = set(asked.values) if asked is not None else set()
    by_class = [
        name
        for name in class_columns(frame, free, MOST_CLASSES)
        if wanted <= set(frame[name]) and (wanted or _is_by_class(train, id_column, name, masks))
    ]
    ids = [str(cell) for cell in frame[id_column]]
    endings = natural_order([split_suffix(name)[1] for name in ids])
    if _ends(ids, endings, wanted):
        rows.values["in_id"] = True
        _name(rows, endings, {}, readme)
        rows.notes.append(Note("mask classes", listed(rows.classes), "ids end in the class"))
    elif by_class:
        _by_class(rows, train, by_class[0], free, masks, wanted, readme)
    elif len(wanted) > 1:
        raise DataError(
            f"the sample submission asks for masks of {listed(natural_order(list(wanted)))}, and "
            f"no column of {train.path.name} holds these, nor do its ids end in them",
            remedy="call classes in train as the sample submission does; or, if it is no example "
            "of masks, say --sample none",
        )
    else:
        rows.classes = (_one_class(asked),)
        why = "nothing in the table says a class, so that all masks are of one"
        rows.notes.append(Note("mask classes", rows.classes[0], why))
    if len(set(ids)) < len(ids) and "class_column" not in rows.values:
        rows.values["several_rows"] = True
        why = f"{len(ids)} rows of {len(set(ids))} samples: masks of one sample are united"
        rows.notes.append(Note("mask rows", "several a sample", why))
    return rows


def _by_class(
    rows: Rows,
    train: Table,
    column: str,
    free: Sequence[str],
    masks: Sequence[str],
    wanted: set[str],
    readme: Readme,
) -> None:
    frame = train.frame
    cells = [str(cell) for cell in frame[column]]
    clean = clean_cells(cells, masks, wanted)
    beside, names = names_beside(frame, column, free)
    rows.values["class_column"] = column
    rows.used += [column, *([beside] if beside else [])]
    _name(rows, [c for c in natural_order(cells) if c not in clean], names, readme)
    why = f"column {column}" + (f", named by column {beside}" if beside else "")
    rows.notes.append(Note("mask classes", listed(rows.classes), why))
    if clean:
        rows.values["clean"] = clean
        called = [f"{cell} ({names[cell]})" if cell in names else repr(cell) for cell in clean]
        num = sum(cell in clean for cell in cells)
        why = f"none of its {num} rows has a mask" + (", and nobody asks for it" if wanted else "")
        rows.notes.append(Note("clean", listed(called), why))


def _name(rows: Rows, values: Sequence[str], names: Mapping[str, str], readme: Readme) -> None:
    """Names for numbers, from a column beside or else from the text."""
    if not names and all(is_integer(value) for value in values):
        told = names_in_text(readme.text, [int(value) for value in values])
        names = {value: told[int(value)] for value in values} if told else {}
    rows.classes, renamed = named_classes(values, names)
    if renamed:
        rows.values["values"] = renamed


def _ends(ids: Sequence[str], endings: Sequence[str], wanted: set[str]) -> bool:
    """Whether ids end in a class: all those asked for and no other, or each sample with each."""
    if len(endings) > MOST_CLASSES:
        return False
    return set(endings) <= wanted if wanted else end_in_classes(ids, endings)


def _is_by_class(train: Table, id_column: str, column: str, masks: Sequence[str]) -> bool:
    """Whether a column says the class where no sample submission tells the classes.

    It does where samples have several rows, each of another value; and where a value is of rows
    without a mask only, and nearly all other rows have one.
    """
    frame = train.frame
    if frame[id_column].nunique() < len(frame):
        return not frame.duplicated([id_column, column]).any()
    clean = clean_cells([str(cell) for cell in frame[column]], masks, ())
    agree = sum(
        (not mask) == (cell in clean) for mask, cell in zip(masks, frame[column], strict=True)
    )
    return bool(clean) and agree >= _MOST * len(frame)


def _one_class(asked: AskedMasks | None) -> str:
    return asked.values[0] if asked is not None and len(asked.values) == 1 else "mask"
