"""From a raw folder to the values of `competition.yaml`, with a comment for each guess."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.config.competition import Images
from foldwise.errors import DataError
from foldwise.rundir import Home
from foldwise.stages.proposing.columns import Asked, Meaning, find_asked, find_id, find_meaning
from foldwise.stages.proposing.images import (
    ClassFolders,
    ImageSource,
    find_class_folders,
    find_images,
    locate_ids,
)
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.question import Ask, Question, find_question
from foldwise.stages.proposing.readme import Readme, read_readme
from foldwise.stages.proposing.tables import FoundTables, find_tables
from foldwise.tables import Table
from foldwise.tasks import TASKS

_MANY_UPS = 3


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        values: keys of `competition.yaml`.
        comments: dotted key → reason.
        notes: the guesses in the order of the work.
    """

    values: dict[str, Any]
    comments: dict[str, str]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class _Seen:
    """Tables, images and columns, before the question is asked."""

    tables: dict[str, Any]
    source: ImageSource
    asked: Asked
    meaning: Meaning
    targets: Mapping[str, Sequence[str]]
    notes: tuple[Note, ...]


def find_competition(
    home: Home,
    data: Path,
    *,
    task: str | None,
    metric: str | None,
    pretrained: str | None,
    ask: Ask | None,
) -> Finding:
    """Look at tables, images and texts.

    Raises:
        ConfigError: a flag names what there is not.
        DataError: something that is needed cannot be told; lists what was seen.
    """
    readme = read_readme(data)
    tables = find_tables(data)
    try:
        seen = _look(data, tables)
        question = find_question(
            seen.targets, seen.asked.cells, readme, task=task, metric=metric, ask=ask
        )
    except DataError as error:
        raise _lost(error, tables) from None
    return _finding(home, data, seen, question, readme, pretrained)


def _look(data: Path, tables: FoundTables) -> _Seen:
    if tables.train is None:
        return _look_at_folders(data, tables)
    train, test, sample = tables.train, tables.test, tables.sample
    inputs = None if test is sample else test  # The sample's columns are answers, not inputs.
    id_column = find_id(train, inputs, sample)
    asked = find_asked(train, inputs, sample, id_column)
    source = find_images(data, train, test, id_column)
    if source is None:
        raise DataError(
            f"the images of {train.path.name} cannot be found: no column holds paths that exist "
            f"below {data}, no folder holds files named like column {id_column!r}, and no npy or "
            "npz file has its rows"
        )
    meaning = find_meaning(train, inputs, asked, source.images.column)
    names = {
        "train": _relative(train, data),
        "test": None if test is None else _relative(test, data),
        "sample_submission": None if sample is None else _relative(sample, data),
    }
    targets = {name: tuple(train.frame[name]) for name in asked.targets}
    notes = (*tables.notes, source.note, *asked.notes, *meaning.notes)
    return _Seen(names, source, asked, meaning, targets, notes)


def _look_at_folders(data: Path, tables: FoundTables) -> _Seen:
    folders = find_class_folders(data)
    if folders is None:
        raise DataError(
            f"{data}: neither a table of train rows nor a folder per class was found",
            "wanted: train.csv (or .tsv, .parquet) at its top or one level down, or "
            "train/<class>/<image>",
        )
    images, names = _folder_images(data, folders, tables.sample)
    sample = tables.sample
    cells = (
        {} if sample is None else {str(c): tuple(sample.frame[c]) for c in sample.frame.columns[1:]}
    )
    id_column = "id" if sample is None else str(sample.frame.columns[0])
    asked = Asked(id_column, ("label",), cells, {}, ())
    notes = (
        Note(
            "images",
            f"{folders.root}/<class>/",
            f"a folder for each of {len(set(folders.cells))} classes, {len(folders.cells)} images",
        ),
        *((Note("test images", folders.test, "by its name"),) if folders.test else ()),
        *tables.notes,
    )
    source = ImageSource(images, notes[0])
    targets = {"label": folders.cells}
    return _Seen(names, source, asked, Meaning((), None, ()), targets, notes)


def _folder_images(
    data: Path, folders: ClassFolders, sample: Table | None
) -> tuple[Images, dict[str, Any]]:
    """Images and tables; the sample submission lists the test rows if its ids are files."""
    names: dict[str, Any] = {"train": folders.root, "test": folders.test}
    names["sample_submission"] = None if sample is None else _relative(sample, data)
    if sample is None or folders.test is None:
        return Images(kind="class_folder"), names
    id_column = str(sample.frame.columns[0])
    ending = locate_ids(data, list(sample.frame[id_column]), folders.test)
    if ending in (None, ""):
        return Images(kind="class_folder"), names
    names["test"] = names["sample_submission"]
    images = Images(kind="class_folder", column=id_column, test=folders.test, extension=str(ending))
    return images, names


def _finding(
    home: Home,
    data: Path,
    seen: _Seen,
    question: Question,
    readme: Readme,
    pretrained: str | None,
) -> Finding:
    guess, notes = question.guess, [*seen.notes, *question.notes]
    values: dict[str, Any] = {
        "name": home.path.resolve().name,
        "data": _data_path(home, data),
        "tables": {key: name for key, name in seen.tables.items() if name is not None},
        "images": {
            "kind": seen.source.images.kind,
            **seen.source.images.model_dump(mode="json", exclude_defaults=True),
        },
        "columns": _columns(seen, guess.separator),
        "task": question.task.name,
    }
    if question.task.has_classes:
        values["classes"] = list(guess.classes)
    values["metric"] = question.metric
    if question.more_metrics:
        values["more_metrics"] = list(question.more_metrics)
    renamed = {**seen.asked.renamed, **(guess.columns or {})}
    values["submission"] = {"gives": guess.gives, **({"columns": renamed} if renamed else {})}
    values |= _rules(question, readme, pretrained, notes)
    if question.undecided:
        values["undecided"] = list(question.undecided)
    return Finding(values, _comments(seen, notes, question), tuple(notes))


def _columns(seen: _Seen, separator: str | None) -> dict[str, Any]:
    columns: dict[str, Any] = {"id": seen.asked.id, "target": list(seen.asked.targets)}
    if separator is not None:
        columns["separator"] = separator
    if seen.meaning.group:
        columns["group"] = list(seen.meaning.group)
    if seen.meaning.order is not None:
        columns["order"] = seen.meaning.order
    return columns


def _rules(
    question: Question, readme: Readme, pretrained: str | None, notes: list[Note]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if readme.test_balanced is not None and question.task.one_of_classes:
        values["test_prior"] = "balanced"
        notes.append(Note("test mix", "balanced", f"the text says {readme.test_balanced!r}"))
    rules = {}
    if pretrained == "forbidden" or (pretrained is None and readme.no_pretrained is not None):
        rules["pretrained"] = "forbidden"
        why = "as you said" if pretrained else f"the text says {readme.no_pretrained!r}"
        notes.append(Note("pretrained", "forbidden", why))
    if readme.no_external is not None:
        rules["external_data"] = "forbidden"
        notes.append(Note("external data", "forbidden", f"the text says {readme.no_external!r}"))
    return values | ({"rules": rules} if rules else {})


_KEYS = {
    "train table": "tables.train",
    "test table": "tables.test",
    "sample submission": "tables.sample_submission",
    "id": "columns.id",
    "label": "columns.target",
    "order": "columns.order",
    "task": "task",
    "metric": "metric",
    "test mix": "test_prior",
    "pretrained": "rules.pretrained",
    "external data": "rules.external_data",
}


def _comments(seen: _Seen, notes: Sequence[Note], question: Question) -> dict[str, str]:
    comments = {_KEYS[n.topic]: n.reason for n in notes if n.topic in _KEYS and n.value}
    comments["images"] = seen.source.note.reason
    for note in notes:
        if note.topic == "group" and note.value:
            comments["columns.group"] = note.reason
    comments[""] = "What is asked, as `foldwise init` understood it. Correct what it got wrong."
    comments["submission.gives"] = "what the sample submission shows"
    if question.undecided:
        comments["undecided"] = "shown with every score until you have checked it and removed it"
    return comments


def _data_path(home: Home, data: Path) -> str:
    relative = os.path.relpath(data.resolve(), home.path.resolve())
    ups = len([part for part in Path(relative).parts if part == ".."])
    return relative if ups <= _MANY_UPS else str(data.resolve())


def _lost(error: DataError, tables: FoundTables) -> DataError:
    seen = [f"seen: {line}" for line in tables.seen] or ["seen: no table"]
    return DataError(
        *error.problems,
        *seen,
        remedy=error.remedy
        or f"tasks there are: {', '.join(TASKS)}; other kinds of label (masks, boxes) come in a "
        "later version. If this is one of these tasks, bring the tables into the form id, label",
    )


def _relative(table: Table, data: Path) -> str:
    return table.path.relative_to(data).as_posix()
