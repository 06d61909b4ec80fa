"""The verbs for work on other machines: pack, session, sync and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldwise.cli.options import Directory, Limit, Quiet, shown
from foldwise.errors import ConfigError
from foldwise.rundir import find_home

_EVERY = "10m"


def pack(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE|RUN]...", help="What to train; none: all of the plan."),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="A pack that trains and saves what it trained.")
    ] = False,
    on: Annotated[
        str | None, typer.Option(metavar="kaggle|colab", help="Where it is to run.")
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(help="How long a session may be, such as 9h; none: as the platform allows."),
    ] = None,
    as_name: Annotated[str, typer.Option("--as", help="Name of the pack.")] = "train",
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.pack import pack_training

    if not train or on is None:
        raise ConfigError(
            "a pack needs to know what it is for and where it is to run",
            remedy="say --train and --on, such as: foldwise pack --train --on kaggle",
        )
    pack_training(
        find_home(directory),
        tuple(dict.fromkeys(names or ())),
        on=on,
        as_name=as_name,
        limit=limit,
        display=shown(quiet),
    )


def session(
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="Folder of the pack.")],
    source: Annotated[
        Path, typer.Option("--input", metavar="DIR", help="Below it are data and earlier stores.")
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder that outlives the session.")
    ],
    limit: Limit = None,
    every: Annotated[str, typer.Option(help="How often what is trained is saved.")] = _EVERY,
    work: Annotated[
        Path | None, typer.Option(help="Folder to work in; none: a temporary one.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.session import session as stage

    end = stage(
        pack,
        source=source,
        output=output,
        limit=limit,
        every=every,
        work=work,
        display=shown(quiet),
    )
    if not end.is_saved or end.code:
        raise typer.Exit(1)


def sync(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A competition or a store.")],
    target: Annotated[
        Path, typer.Argument(metavar="TO", help="The same; a new folder becomes a store.")
    ],
    max_bytes: Annotated[
        int | None, typer.Option(min=0, help="That a store may take on the disk.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.sync import sync as stage

    if stage(source, target, max_bytes=max_bytes, display=shown(quiet)).no_room:
        raise typer.Exit(1)


def costs(directory: Directory = Path(), quiet: Quiet = False) -> None:
    from foldwise.stages.costs import costs as stage

    stage(find_home(directory), display=shown(quiet))
