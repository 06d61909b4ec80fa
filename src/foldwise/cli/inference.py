"""The verbs on what a run's networks do with new images: views."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldwise.cli.options import Directory, Limit, Quiet, shown
from foldwise.home import find_home


def views(
    run: Annotated[str, typer.Argument(help="A run of a recipe with a network.")],
    candidates: Annotated[
        str | None,
        typer.Option(
            metavar="[VIEW, ...]",
            help="What to measure, as in a recipe: '[hflip, {name: rotate, degrees: 5}]'; none: "
            "what nothing speaks against.",
        ),
    ] = None,
    limit: Limit = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be measured, and how long.")
    ] = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.config.candidates import Candidates
    from foldwise.config.loading import from_options
    from foldwise.stages.scheduling.clock import stop_time
    from foldwise.stages.views import views as stage

    asked = None
    if candidates is not None:
        asked = from_options({"candidates": candidates}, Candidates).candidates
    stage(
        find_home(directory),
        run,
        candidates=asked,
        stop_at=stop_time(limit, None),
        dry_run=dry_run,
        display=shown(quiet),
    )
