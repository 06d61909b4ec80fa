"""What the columns mean: the id, what is asked, what belongs together, what rises with time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from foldwise.errors import DataError
from foldwise.stages.proposing.note import Note, listed
from foldwise.tables import Table
from foldwise.tasks.labels import is_number, natural_order

#: Words that name what rows share, from the one near duplicates come from to the widest.
_GROUP_WORDS = (
    *("track", "burst", "sequence", "seq", "clip", "video", "scene", "shot", "drive", "session"),
    *("patient", "subject", "person", "donor", "animal", "individual", "identity", "group", "case"),
    *("series", "study", "visit", "specimen", "sample", "slide", "wsi", "plot", "field", "batch"),
    *("camera", "device", "location", "site", "scanner", "hospital", "center", "centre", "source"),
)
_ORDER_WORDS = ("frame", "time", "timestamp", "date", "index", "order", "position", "step", "slice")
_TARGET_WORDS = ("label", "target", "class", "category", "grade", "diagnosis", "y", "score")
_ID_WORDS = re.compile(r"^id$|_id$|id_code|^id_|^image$|^file|^name$|imageid")
#: A group column whose values fill more than this share of rows alone groups next to nothing.
_MAX_GROUP_SHARE = 0.9


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


@dataclass(frozen=True)
class Meaning:
    """What other columns are for.

    Attributes:
        group: columns whose equal values stay in one fold.
        order: the column that rises with time.
        notes: the guesses, and what is not used.
    """

    group: tuple[str, ...]
    order: str | None
    notes: tuple[Note, ...]


def find_id(train: Table, test: Table | None, sample: Table | None) -> str:
    """The column that names a sample.

    Raises:
        DataError: no column does, or rows of train share it.
    """
    shared = [str(c) for c in train.frame.columns if test is None or c in test.frame.columns]
    names = [
        str(c) for c in (sample.frame.columns[:1] if sample is not None else ()) if c in shared
    ]
    unique = [c for c in shared if train.frame[c].nunique() == len(train)]
    names += [c for c in unique if _ID_WORDS.search(c.lower())] + unique
    if not names:
        raise DataError(f"{train.path}: no column names the rows; columns: {', '.join(shared)}")
    repeats = len(train) - train.frame[names[0]].nunique()
    if repeats:
        raise DataError(
            f"{train.path}: column {names[0]!r} names a sample, and {repeats} rows repeat it: "
            "several rows per image (boxes, masks or several graders)"
        )
    return names[0]


def find_asked(train: Table, test: Table | None, sample: Table | None, id_column: str) -> Asked:
    """What the sample submission asks for, or without one, what train has and test lacks.

    Raises:
        DataError: no label column can be told.
    """
    note = Note("id", id_column, "names the rows of " + ("all tables" if sample else "the tables"))
    if sample is None:
        target = _lone_target(train, test, id_column)
        found = Note("label", target, "test lacks it" if test is not None else "by its name")
        return Asked(id_column, (target,), {}, {}, (note, found))
    if test is not None and set(sample.frame[sample.frame.columns[0]]) != set(
        test.frame[id_column]
    ):
        first = sample.frame.iloc[0, 0]
        raise DataError(
            f"{sample.path}: its ids are not those of {test.path.name} (the first is {first!r}): "
            "it asks for several rows per image"
        )
    names = [str(name) for name in sample.frame.columns[1:]]
    cells = {name: tuple(sample.frame[name]) for name in names}
    targets, renamed, why = _match(train, test, names, cells, id_column)
    found = Note("label", listed(targets), why)
    return Asked(id_column, targets, cells, renamed, (note, found))


def find_meaning(
    train: Table, test: Table | None, asked: Asked, image_column: str | None
) -> Meaning:
    """Which columns group rows and which orders them, by name and checked by content."""
    taken = {asked.id, *asked.targets, image_column}
    free = [str(name) for name in train.frame.columns if name not in taken]
    notes: list[Note] = []
    group = _find_group(train, test, asked, free, notes)
    free = [name for name in free if name not in group]
    order = _find_order(train, group, free, notes)
    free = [name for name in free if name != order]
    notes += _unused(train, test, asked, free)
    return Meaning(group, order, tuple(notes))


def _match(
    train: Table,
    test: Table | None,
    names: Sequence[str],
    cells: Mapping[str, Sequence[str]],
    id_column: str,
) -> tuple[tuple[str, ...], Mapping[str, str], str]:
    """Label columns, renamed columns and the reason, for what the sample submission asks."""
    known = set() if test is None else set(test.frame.columns)
    free = [str(c) for c in train.frame.columns if c != id_column and c not in known]
    if all(name in free for name in names):
        return tuple(names), {}, "the sample submission asks for it"
    if len(names) > 1:
        for column in free:
            classes = natural_order(train.frame[column].tolist())
            renamed = _class_columns(names, classes)
            if renamed is not None:
                return (column,), renamed, f"its {len(classes)} values are the columns asked for"
    elif names:
        shown = {cell for cell in cells[names[0]] if cell}
        fits = [c for c in free if shown and shown <= set(train.frame[c])]
        fits.sort(key=lambda c: not _has_word(c, _TARGET_WORDS))
        if len(fits) == 1 or (fits and _has_word(fits[0], _TARGET_WORDS)):
            return (fits[0],), {names[0]: fits[0]}, f"its values are what column {names[0]!r} shows"
    missing = [name for name in names if name not in free]
    raise DataError(
        f"the sample submission asks for {listed(missing)}, and no column of {train.path.name} "
        f"beside its inputs holds that (it has {', '.join(free) or 'none'})"
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
    named = [c for word in _TARGET_WORDS for c in free if word in _words(c)]
    if named:
        return named[0]
    if len(free) == 1:
        return free[0]
    raise DataError(
        f"{train.path}: there is no sample submission, and the label could be any of "
        f"{listed(free) or 'no column'}"
    )


def _find_group(
    train: Table, test: Table | None, asked: Asked, free: Sequence[str], notes: list[Note]
) -> tuple[str, ...]:
    """One column: what `split` joins, so that several columns would make finer groups."""
    named = [c for word in _GROUP_WORDS for c in free if word in _words(c)]
    chosen: str | None = None
    for column in dict.fromkeys(named):
        why_not = _not_a_group(train, test, asked, column)
        if why_not is not None:
            notes.append(Note("group", "", f"{column} is not used: {why_not}"))
        elif chosen is None:
            chosen = column
            notes.append(Note("group", column, _group_reason(train, test, column)))
        else:
            notes.append(Note("group", "", f"{column} is not used beside {chosen}"))
    return () if chosen is None else (chosen,)


def _not_a_group(train: Table, test: Table | None, asked: Asked, column: str) -> str | None:
    cells = train.frame[column]
    num = cells.nunique()
    if num < 3:
        return f"{num} different values are too few to hold some out"
    if num > _MAX_GROUP_SHARE * len(cells):
        return "its values hardly repeat"
    if any(_same_partition(cells, train.frame[target]) for target in asked.targets):
        return "it is the label under another name"
    if test is not None and column in test.frame.columns:
        shared = test.frame[column].isin(set(cells)).mean()
        if shared > 0.5:
            return f"{shared:.0%} of the test rows are of groups that train has, too"
    return None


def _group_reason(train: Table, test: Table | None, column: str) -> str:
    num = train.frame[column].nunique()
    text = f"{num} groups of {len(train) / num:.1f} rows on average: a group stays in one fold"
    if test is not None and column in test.frame.columns:
        return f"{text}; none is shared with test" if _disjoint(train, test, column) else text
    return text


def _disjoint(train: Table, test: Table, column: str) -> bool:
    return not set(train.frame[column]) & set(test.frame[column])


def _find_order(
    train: Table, group: Sequence[str], free: Sequence[str], notes: list[Note]
) -> str | None:
    for column in [c for word in _ORDER_WORDS for c in free if word in _words(c)]:
        cells = train.frame[column]
        if not all(is_number(cell) for cell in cells):
            continue
        keys = [train.frame[name] for name in group]
        distinct = pd.concat([*keys, cells.astype(float)], axis=1).drop_duplicates()
        if len(distinct) >= 0.9 * len(cells):
            within = f" within {group[0]}" if group else ""
            notes.append(Note("order", column, f"numbers, each once{within}"))
            return column
    return None


def _unused(train: Table, test: Table | None, asked: Asked, free: Collection[str]) -> list[Note]:
    if test is None:
        return []
    only = [name for name in free if name not in test.frame.columns]
    both = [name for name in free if name in test.frame.columns]
    notes = []
    if only:
        same = [
            c
            for c in only
            if any(_same_partition(train.frame[c], train.frame[t]) for t in asked.targets)
        ]
        also = f"; {listed(same)} is the label under another name" if same else ""
        notes.append(Note("only in train", ", ".join(only), f"test lacks it: not an input{also}"))
    if both:
        notes.append(Note("not used", ", ".join(both), "inputs are images only"))
    return notes


def _same_partition(one: pd.Series, other: pd.Series) -> bool:
    pairs = pd.concat([one, other], axis=1).drop_duplicates()
    return len(pairs) == one.nunique() == other.nunique()


def _words(column: str) -> set[str]:
    """`PatientID_no` → patient, id, no."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)
    return {word for word in re.split(r"[^a-z]+", parted.lower()) if word}


def _has_word(column: str, words: Sequence[str]) -> bool:
    return bool(_words(column) & set(words))
