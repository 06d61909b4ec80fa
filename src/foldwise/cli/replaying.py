"""The verb for whoever has to prove a submission: replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldwise.cli.options import Directory, Quiet, shown
from foldwise.home import find_home


def replay(
    which: Annotated[
        str,
        typer.Argument(metavar="SUBMISSION", help="Number, folder, or run: its last one."),
    ],
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Train all of it again.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what has changed and what would be trained.")
    ] = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.replay import replay as stage

    done = stage(
        find_home(directory),
        which,
        from_scratch=from_scratch,
        dry_run=dry_run,
        display=shown(quiet),
    )
    if done.is_same is False:
        raise typer.Exit(1)
