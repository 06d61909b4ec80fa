"""What a person said on the command line, so that it is not guessed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from foldwise.errors import ConfigError
from foldwise.tables import Table

#: Says that there is no such table.
NONE = "none"


@dataclass(frozen=True)
class Said:
    """What is known; None or nothing: to be found out.

    Attributes:
        train: train table, relative to the data folder.
        test: test table, or `none`.
        sample: sample submission, or `none`.
        id: column that names a sample.
        target: label columns.
        group: columns whose rows stay in one fold.
        images: column with paths or rows; or folders or array files, one for train and one for
            test where they differ.
        task: the task.
        metric: the metric.
        pretrained: `allowed` or `forbidden`.
    """

    train: str | None = None
    test: str | None = None
    sample: str | None = None
    id: str | None = None
    target: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    task: str | None = None
    metric: str | None = None
    pretrained: str | None = None


def check_column(table: Table, flag: str, name: str) -> None:
    """Refuse a column that a flag names and a table lacks.

    Raises:
        ConfigError: with the flag, the nearest name and all names.
    """
    names = [str(column) for column in table.frame.columns]
    if name not in names:
        raise ConfigError(
            f"{flag} {name}: {table.path} has no such column{near(name, names)}",
            remedy=f"it has {', '.join(names)}",
        )


def near(name: str, names: Sequence[str]) -> str:
    """A hint at the name that may have been meant."""
    lower = {other.lower(): other for other in names}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return f"; did you mean {lower[found[0]]!r}?" if found else ""
