"""A guess with its reason, as it is printed and written into a comment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A guess.

    Attributes:
        topic: what it is about, a word or two.
        value: what was taken; "" where nothing was.
        reason: what spoke for it.
    """

    topic: str
    value: str
    reason: str


def aligned(notes: Sequence[Note]) -> list[str]:
    """One line a note: topic, value and reason in columns.

    >>> aligned([Note("id", "id", "unique"), Note("label", "grade", "asked")])
    ['id     id     unique', 'label  grade  asked']
    """
    topics = max((len(note.topic) for note in notes), default=0)
    values = min(max((len(note.value) for note in notes), default=0), 34)
    return [f"{n.topic:{topics}}  {n.value:{values}}  {n.reason}".rstrip() for n in notes]


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with commas, the rest counted.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
