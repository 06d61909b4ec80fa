"""Options that the command line's verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from foldwise.errors import ConfigError

Directory = Annotated[
    Path, typer.Option("-C", metavar="DIR", help="The competition's folder, or one inside it.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys to override.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only what must be known.")]
Limit = Annotated[str | None, typer.Option(help="Longest time, such as 10m or 9h.")]
Until = Annotated[str | None, typer.Option(help="Be done by this hour, such as 07:00.")]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say every call to the platform, and make none.")
]


def refuse(why: str, remedy: str = "leave it out", **given: object) -> None:
    """Refuse options that would do nothing.

    Args:
        why: what is wrong with them.
        remedy: what would do.
        given: option, with `_` for `-` → its value; None and False: it was not given.

    Raises:
        ConfigError: there is one; all are named.
    """
    flags = [
        "--" + name.replace("_", "-")
        for name, value in given.items()
        if value is not None and value is not False
    ]
    if flags:
        raise ConfigError(*(f"{flag}: {why}" for flag in flags), remedy=remedy)


def shown(quiet: bool) -> Any:
    """Where a verb's messages go."""
    from foldwise.stages.display import Display

    return Display(quiet=quiet)
