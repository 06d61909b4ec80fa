"""The classes of masks: what cells and pixels call them, which are clean, which do not count."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from foldwise.stages.proposing.words import words_of
from foldwise.tasks.labels import is_integer, natural_order

_CLASS_WORDS = ("class", "label", "category", "type", "kind", "defect", "organ", "structure")
#: `3 road,` in a list of classes.
_NUMBERED = re.compile(r"(?<![\w.-])(\d{1,3})\s*[:=.)-]?\s+([a-z][a-z /_-]*?)\s*(?=[,;.(\n|)]|$)")
_IGNORED = (
    re.compile(r"\bignor(?:e|es|ed|ing)\s+(?:class |value |label |pixels? |of |the )*(\d{1,3})\b"),
    re.compile(
        r"\b(\d{1,3})\s*(?:is|are|:|=|means)?\s*\(?(?:ignored|not counted|void|unlabell?ed)\b"
    ),
)


def names_in_text(text: str, values: Collection[int]) -> dict[int, str]:
    """Numbers that a text gives names to, where it does so for all of these; else nothing.

    >>> names_in_text("classes: 0 sky, 1 road (all kinds), 2 void", [0, 1])
    {0: 'sky', 1: 'road', 2: 'void'}
    """
    for part in [*text.splitlines(), text]:
        found: dict[int, str] = {}
        for match in _NUMBERED.finditer(part):
            found.setdefault(int(match[1]), match[2].strip())
        if found and set(values) <= set(found) and len(set(found.values())) == len(found):
            return found
    return {}


def ignored_in_text(text: str) -> dict[int, str]:
    """Pixel values that a text says do not count → its words.

    >>> ignored_in_text("11 unlabelled (ignore 11)")
    {11: 'ignore 11'}
    """
    found: dict[int, str] = {}
    for pattern in _IGNORED:
        for match in pattern.finditer(text):
            found.setdefault(int(match[1]), match[0])
    return found


def class_columns(frame: pd.DataFrame, free: Sequence[str], most: int) -> list[str]:
    """Columns that may say which class a row is of, the likeliest by name first."""
    fits = [name for name in free if 1 < frame[name].nunique() <= min(most, len(frame) // 2)]
    return sorted(fits, key=lambda name: not words_of(name) & set(_CLASS_WORDS))


def clean_cells(classes: Sequence[str], masks: Sequence[str], asked: Collection[str]) -> list[str]:
    """Cells of a class column all of whose rows have no mask, and which nobody asks for.

    Args:
        classes: (R,) cells of the class column.
        masks: (R,) cells of the masks, "" where there is none.
        asked: what the sample submission calls classes; nothing: it does not say.
    """
    has_mask = {name for name, mask in zip(classes, masks, strict=True) if mask}
    return [name for name in natural_order(classes) if name not in has_mask and name not in asked]


def names_beside(
    frame: pd.DataFrame, column: str, free: Sequence[str]
) -> tuple[str, dict[str, str]]:
    """The column that names what another one numbers, and number → name; "": there is none."""
    for other in free:
        pairs = frame[[column, other]].drop_duplicates()
        is_same = len(pairs) == frame[column].nunique() == frame[other].nunique()
        if other != column and is_same and not any(is_integer(cell) for cell in pairs[other]):
            return other, dict(zip(pairs[column], pairs[other], strict=True))
    return "", {}


def named_classes(
    values: Sequence[str], names: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Classes in the order of their values, and value → class where these differ."""
    classes = tuple(names.get(value, value) for value in values)
    differs = any(name != value for name, value in zip(classes, values, strict=True))
    return classes, dict(zip(values, classes, strict=True)) if differs else {}
