"""The words in a column's name."""

from __future__ import annotations

import re
from collections.abc import Sequence


def words_of(column: str) -> set[str]:
    """Lower case, split where signs or capitals say so.

    >>> sorted(words_of("PatientID_no"))
    ['id', 'no', 'patient']
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)
    return {word for word in re.split(r"[^a-z]+", parted.lower()) if word}


def has_word(column: str, words: Sequence[str]) -> bool:
    """Whether the name has one of these words."""
    return bool(words_of(column) & set(words))
