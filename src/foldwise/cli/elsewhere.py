"""The verbs for work on other machines: pack, session, sync and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldwise.cli.options import Directory, Limit, Quiet, refuse, shown
from foldwise.errors import ConfigError
from foldwise.home import find_home


def pack(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]|[RECIPE]...",
            help="The run that answers; with --train what to train, none: all of the plan.",
        ),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="A pack that trains and saves what it trained.")
    ] = False,
    on: Annotated[
        str, typer.Option(metavar="kaggle|t4x2|p100|cpu|colab|this", help="Where it is to run.")
    ] = "kaggle",
    limit: Annotated[
        str | None,
        typer.Option(
            help="How long it may take, such as 9h; none: limits.inference of competition.yaml, "
            "and for --train as the platform allows."
        ),
    ] = None,
    as_name: Annotated[
        str | None, typer.Option("--as", help="Name of the pack; none: answer, or train.")
    ] = None,
    images: Annotated[
        int | None, typer.Option(min=1, help="Test samples that are announced.")
    ] = None,
    slower: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="How many times longer than here it takes there; none: as long."
        ),
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(help="An answer.json that a pack has left there: its times are taken."),
    ] = None,
    anyway: Annotated[
        bool, typer.Option(help="Pack also what could not be scored before the deadline.")
    ] = False,
    skip_public: Annotated[
        bool,
        typer.Option(
            help="Let it answer the test rows that there are now by a constant, at once, and work "
            "on others alone."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be packed, and write nothing.")
    ] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Then install and run it here, offline, and compare.")
    ] = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.pack import pack_answer, pack_training
    from foldwise.stages.packing.rehearsing import rehearse_training

    home, wanted = find_home(directory), tuple(dict.fromkeys(names or ()))
    if train:
        refuse(
            "of packs that answer, and --train makes one that trains",
            images=images,
            slower=slower,
            measured=measured,
            anyway=anyway,
            skip_public=skip_public,
            prove=prove,
        )
        name = as_name or "train"
        stage = rehearse_training if dry_run else pack_training
        stage(home, wanted, on=on, as_name=name, limit=limit, display=shown(quiet))
        return
    if dry_run:
        refuse("proves a pack that is written, and --dry-run writes none", prove=prove)
    if len(wanted) != 1:
        raise ConfigError(
            f"a pack answers with one run, found {len(wanted)}",
            remedy="name a run, such as: foldwise pack best_blend --limit 9h; or say --train",
        )
    name = as_name or "answer"
    pack_answer(
        home,
        wanted[0],
        on=on,
        as_name=name,
        limit=limit,
        num_images=images,
        factor=slower,
        measured=measured,
        anyway=anyway,
        skips_public=skip_public,
        is_dry=dry_run,
        display=shown(quiet),
    )
    if prove:
        from foldwise.stages.prove import prove as proved

        if not proved(home, name, display=shown(quiet)).holds:
            raise typer.Exit(1)


#: What a pack may take whose limit has passed before it began.
_LEAST_S = 60.0


def session(
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="Folder of the pack.")],
    source: Annotated[
        Path, typer.Option("--input", metavar="DIR", help="Below it are data and earlier stores.")
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder that outlives the session.")
    ],
    limit: Limit = None,
    every: Annotated[
        str | None, typer.Option(help="How often what is trained is saved; none: 10m.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder to work in; none: a temporary one.")
    ] = None,
    in_full: Annotated[
        bool, typer.Option(help="Answer also public rows that the pack is to skip.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    from foldwise.config.duration import seconds
    from foldwise.stages.answer import age_s, answer, planned_limit
    from foldwise.stages.answering.last_resort import end_by
    from foldwise.stages.session import EVERY
    from foldwise.stages.session import session as stage
    from foldwise.stages.sessions.opening import kind_of

    if kind_of(pack) == "answer":
        refuse("of packs that train, and this one answers", every=every)
        passed, allowed = age_s(pack), limit or planned_limit(pack)
        # Where the time is over already there is still a constant to hand in.
        end_by(max(_LEAST_S, seconds(allowed) - passed), output)
        found = answer(
            pack,
            source=source,
            output=output,
            limit=allowed,
            age_s=passed,
            work=work,
            in_full=in_full,
            display=shown(quiet),
        )
        if not found.rounds and not found.is_skipped:
            raise typer.Exit(1)
        return
    refuse("of packs that answer, and this one trains", in_full=in_full)
    end = stage(
        pack,
        source=source,
        output=output,
        limit=limit,
        every=every or EVERY,
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
