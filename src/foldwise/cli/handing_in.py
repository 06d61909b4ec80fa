"""The verbs that reach the platform: submit and push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldwise.cli.options import Directory, DryRun, Quiet, refuse, shown
from foldwise.errors import ConfigError, DataError
from foldwise.home import find_home

NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait; the same command later goes on.")
]


def submit(
    run: Annotated[str | None, typer.Argument(help="Run; none: the plan's choice.")] = None,
    check: Annotated[Path | None, typer.Option(help="Only validate this file.")] = None,
    upload: Annotated[
        bool, typer.Option("--upload", help="Hand it in on the platform and note its score.")
    ] = False,
    notebook: Annotated[
        str | None,
        typer.Option(metavar="PACK", help="Hand in what this pack's notebook wrote, once pushed."),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Upload what may not be scored before the deadline.")
    ] = False,
    no_wait: NoWait = False,
    dry_run: DryRun = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.submit import check_submission
    from foldwise.stages.submit import submit as stage
    from foldwise.stages.uploading.submission import upload as hand_in

    home, display = find_home(directory), shown(quiet)
    if not upload:
        refuse(
            "goes with --upload, which is not given",
            "say that too, or leave it out",
            notebook=notebook,
            anyway=anyway,
            no_wait=no_wait,
            dry_run=dry_run,
        )
    if check is None:
        done = stage(home, run, display=display)
        if upload:
            hand_in(
                home,
                done.entry,
                pack=notebook,
                anyway=anyway,
                wait=not no_wait,
                dry_run=dry_run,
                display=display,
            )
        return
    refuse("--check only validates a file", upload=upload)
    if run is not None:
        raise ConfigError(f"{run}: --check validates a file, and no run", remedy="leave one out")
    problems = check_submission(home, check)
    if problems:
        raise DataError(*problems, remedy=f"{check} is not a valid submission: correct the above")
    display.say(f"{check} is a valid submission")


def push(
    pack: Annotated[str, typer.Argument(metavar="PACK", help="Name of a pack, or its folder.")],
    again: Annotated[
        bool, typer.Option("--again", help="Run it once more: the next session of training.")
    ] = False,
    no_wait: NoWait = False,
    dry_run: DryRun = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.push import push as stage

    stage(
        find_home(directory),
        pack,
        again=again,
        wait=not no_wait,
        dry_run=dry_run,
        display=shown(quiet),
    )
