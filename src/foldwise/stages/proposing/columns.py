"""What the columns mean: the id, what belongs together, what rises with time."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from foldwise.errors import DataError
from foldwise.stages.proposing.asked import Asked
from foldwise.stages.proposing.note import Note, listed
from foldwise.stages.proposing.said import check_column
from foldwise.stages.proposing.words import words_of
from foldwise.tables import Table, ids, is_number

#: Words that name what rows share, from the one near duplicates come from to the widest.
_GROUP_WORDS = (
    *("track", "burst", "sequence", "seq", "clip", "video", "scene", "shot", "drive", "session"),
    *("patient", "subject", "person", "donor", "animal", "individual", "identity", "group", "case"),
    *("series", "study", "visit", "specimen", "sample", "slide", "wsi", "plot", "field", "batch"),
    *("camera", "device", "location", "site", "scanner", "hospital", "center", "centre", "source"),
)
_ORDER_WORDS = ("frame", "time", "timestamp", "date", "index", "order", "position", "step", "slice")
_ID_WORDS = re.compile(r"^id$|_id$|id_code|^id_|^image$|^file|^name$|imageid")
#: A group column whose values fill more than this share of rows alone groups next to nothing.
_MAX_GROUP_SHARE = 0.9
#: Repeated ids that are shown.
_MAX_REPEATS = 5


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


def find_id(train: Table, test: Table | None, sample: Table | None, said: str | None = None) -> str:
    """The column that names a sample.

    Raises:
        ConfigError: a table lacks the column said.
        DataError: no column does, or rows of train share it.
    """
    if said is not None:
        for table in (train, *([] if test is None else [test])):
            check_column(table, "--id", said)
        _check_unique(train, said)
        return said
    shared = [str(c) for c in train.frame.columns if test is None or c in test.frame.columns]
    names = [
        str(c) for c in (sample.frame.columns[:1] if sample is not None else ()) if c in shared
    ]
    unique = [c for c in shared if train.frame[c].nunique() == len(train)]
    names += [c for c in unique if _ID_WORDS.search(c.lower())] + unique
    if not names:
        raise DataError(
            f"{train.path}: no column names the rows; columns: {', '.join(shared)}",
            remedy="name it: --id COLUMN",
        )
    _check_unique(train, names[0])
    return names[0]


def _check_unique(train: Table, column: str) -> None:
    """Refuse rows that share an id: a slip in a few, another kind of competition in many."""
    repeats = len(train) - train.frame[column].nunique()
    if not repeats:
        return
    try:
        ids(train, column)
    except DataError as error:
        raise DataError(
            *error.problems[:_MAX_REPEATS],
            f"{train.path}: {repeats} rows in all repeat an id of column {column!r}: a slip, or "
            "several rows per image (boxes, masks or several graders), which foldwise cannot take",
            remedy="keep one row for each image, or name another column: --id COLUMN",
        ) from None


def find_meaning(
    train: Table,
    test: Table | None,
    asked: Asked,
    image_column: str | None,
    said: Sequence[str] = (),
) -> Meaning:
    """Which columns group rows and which orders them, by name and checked by content.

    Args:
        train: the train table.
        test: the test table.
        asked: id and labels, which mean nothing else.
        image_column: leads to the images.
        said: group columns that a person named.

    Raises:
        ConfigError: train lacks a column said.
    """
    for column in said:
        check_column(train, "--group", column)
    taken = {asked.id, *asked.targets, image_column}
    free = [str(name) for name in train.frame.columns if name not in taken]
    notes: list[Note] = []
    if said:
        group = tuple(said)
        notes.append(Note("group", listed(group), "as you said"))
    else:
        group = _find_group(train, test, asked, free, notes)
    free = [name for name in free if name not in group]
    order = _find_order(train, group, free, notes)
    free = [name for name in free if name != order]
    notes += _unused(train, test, asked, free)
    return Meaning(group, order, tuple(notes))


def _find_group(
    train: Table, test: Table | None, asked: Asked, free: Sequence[str], notes: list[Note]
) -> tuple[str, ...]:
    """One column: `split` joins rows that agree in any, and two could join nearly all rows."""
    named = [c for word in _GROUP_WORDS for c in free if word in words_of(c)]
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
    for column in [c for word in _ORDER_WORDS for c in free if word in words_of(c)]:
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
