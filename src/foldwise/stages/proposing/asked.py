"""What the submission asks for: label columns of train, and how its own columns are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foldwise.errors import DataError
from foldwise.stages.proposing.note import Note, listed
from foldwise.stages.proposing.said import check_column
from foldwise.stages.proposing.words import has_word, words_of
from foldwise.tables import Table
from foldwise.tasks.labels import natural_order, sound_rows, whole

_TARGET_WORDS = ("label", "target", "class", "category", "grade", "diagnosis", "y", "score")


@dataclass(frozen=True)
class Asked:
    """What the submission asks for.

    Attributes:
        id: the column that names a sample.
        targets: label columns of train.
        cells: columns of the sample submission beside the id → their cells.
        renamed: column of the sample submission → class or label column, where names differ.
        notes: the guesses.
    """

    id: str
    targets: tuple[str, ...]
    cells: Mapping[str, Sequence[str]]
    renamed: Mapping[str, str]
    notes: tuple[Note, ...]


def find_asked(
    train: Table,
    test: Table | None,
    sample: Table | None,
    id_column: str,
    said: Sequence[str] = (),
) -> Asked:
    """What the sample submission asks for, or without one, what train has and test lacks.

    Args:
        train: the train table.
        test: the test table.
        sample: the sample submission.
        id_column: names the rows.
        said: label columns that a person named.

    Raises:
        ConfigError: train lacks a column said.
        DataError: no label column can be told.
    """
    for column in said:
        check_column(train, "--target", column)
    note = Note("id", id_column, "names the rows of " + ("all tables" if sample else "the tables"))
    if sample is None:
        why = "as you said" if said else "test lacks it" if test is not None else "by its name"
        targets = tuple(said) or (_lone_target(train, test, id_column),)
        return Asked(id_column, targets, {}, {}, (note, Note("label", listed(targets), why)))
    if test is not None:
        asked = set(sample.frame[sample.frame.columns[0]])
        check_asked_ids(sample, asked, test, set(test.frame[id_column]))
    names = [str(name) for name in sample.frame.columns[1:]]
    cells = {name: tuple(sample.frame[name]) for name in names}
    if said:
        found = (tuple(said), _said_columns(train, names, said), "as you said")
    else:
        found = _match(train, test, names, cells, id_column)
    targets, renamed, why = found
    return Asked(id_column, targets, cells, renamed, (note, Note("label", listed(targets), why)))


def check_asked_ids(sample: Table, asked: set[str], test: Table, there: set[str]) -> None:
    """Refuse a sample submission that asks for other samples than those of test.

    Args:
        sample: the sample submission.
        asked: the samples it asks for.
        test: the test table.
        there: the samples of test.

    Raises:
        DataError: with the count of them, or one that is none.
    """
    if asked == there:
        return
    if asked < there:
        raise DataError(
            f"{sample.path}: it has {len(asked)} of the {len(there)} ids of {test.path.name}",
            remedy="if it only shows the form, say --sample none; if only its ids are asked for, "
            f"take the others out of {test.path.name}",
        )
    strange = next(cell for cell in sorted(asked) if cell not in there)
    raise DataError(
        f"{sample.path}: its ids are not those of {test.path.name} ({strange!r} is none): it asks "
        "for several rows per image, or for other rows",
        remedy="if ids stand in another column, say --id COLUMN; if it only shows the form, "
        "--sample none",
    )


def _said_columns(train: Table, names: Sequence[str], said: Sequence[str]) -> dict[str, str]:
    """Column asked for → class or label column, for label columns that a person named."""
    if set(names) == set(said):
        return {}
    if len(said) == 1:
        if len(names) == 1:
            return {names[0]: said[0]}
        classes = _classes(train, said[0])
        if (renamed := _class_columns(names, classes)) is not None:
            return renamed
    raise DataError(
        f"--target {' '.join(said)}: the sample submission asks for {listed(names)}",
        remedy="name the column that holds these, or one for each of them",
    )


def _match(
    train: Table,
    test: Table | None,
    names: Sequence[str],
    cells: Mapping[str, Sequence[str]],
    id_column: str,
) -> tuple[tuple[str, ...], dict[str, str], str]:
    """Label columns, renamed columns and the reason, for what the sample submission asks."""
    known = set() if test is None else set(test.frame.columns)
    free = [str(c) for c in train.frame.columns if c != id_column and c not in known]
    if all(name in free for name in names):
        return tuple(names), {}, "the sample submission asks for it"
    if len(names) > 1:
        for column in free:
            classes = _classes(train, column)
            renamed = _class_columns(names, classes)
            if renamed is not None:
                return (column,), renamed, f"its {len(classes)} values are the columns asked for"
    elif names:
        shown = {whole(cell) for cell in cells[names[0]] if cell}
        fits = [c for c in free if shown and shown <= set(map(whole, train.frame[c]))]
        fits.sort(key=lambda c: not has_word(c, _TARGET_WORDS))
        if len(fits) == 1 or (fits and has_word(fits[0], _TARGET_WORDS)):
            return (fits[0],), {names[0]: fits[0]}, f"its values are what column {names[0]!r} shows"
    missing = [name for name in names if name not in free]
    raise DataError(
        f"the sample submission asks for {listed(missing)}, and no column of {train.path.name} "
        f"beside its inputs holds that (it has {', '.join(free) or 'none'})",
        remedy="name the label column: --target COLUMN",
    )


def _class_columns(names: Sequence[str], classes: Sequence[str]) -> dict[str, str] | None:
    """Column asked for → class, where they are the same but for a common start; {}: the same."""
    if set(names) == set(classes):
        return {}
    if len(names) != len(classes):
        return None
    for start in {name.removesuffix(c) for name in names[:1] for c in classes if name.endswith(c)}:
        stripped = {name: name.removeprefix(start) for name in names}
        if set(stripped.values()) == set(classes):
            return stripped
    return None


def _lone_target(train: Table, test: Table | None, id_column: str) -> str:
    known = {id_column} if test is None else {id_column, *test.frame.columns}
    free = [str(c) for c in train.frame.columns if c not in known]
    named = [c for word in _TARGET_WORDS for c in free if word in words_of(c)]
    if named:
        return named[0]
    if len(free) == 1:
        return free[0]
    raise DataError(
        f"{train.path}: there is no sample submission, and the label could be any of "
        f"{listed(free) or 'no column'}",
        remedy="name it: --target COLUMN (again for each further one)",
    )


def _classes(train: Table, column: str) -> tuple[str, ...]:
    """The labels of a column, spoiled cells left out."""
    cells = train.frame[column].tolist()
    sound = sound_rows({column: cells})
    return natural_order([cell for cell, is_sound in zip(cells, sound, strict=True) if is_sound])
