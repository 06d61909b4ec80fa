"""The verb that starts a competition: init."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from foldwise.cli.options import DryRun, Quiet, shown


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Raw folder with tables and images; none: DIR/data, with --download."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task, if you know it.")] = None,
    metric: Annotated[str | None, typer.Option(help="The metric, if you know it.")] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(metavar="allowed|forbidden", help="The rule on pretrained weights."),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="How long training may take, such as 40m or 2h.")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            metavar="kaggle:NAME",
            help="Ask Kaggle for metric, name, deadline and uploads a day; an address does, too.",
        ),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the files from the platform first.")
    ] = False,
    id_column: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="Column that names a sample.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Label column; may repeat.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column whose rows share a fold; may repeat."),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN|FOLDER|FILE",
            help="Column of paths or rows; or folder or npz file, again for that of test.",
        ),
    ] = None,
    train_table: Annotated[
        str | None, typer.Option("--train", metavar="TABLE", help="The train table.")
    ] = None,
    test_table: Annotated[
        str | None, typer.Option("--test", metavar="TABLE", help="The test table; none: no such.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="TABLE", help="The sample submission; none: no such.")
    ] = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.init import init as stage
    from foldwise.stages.proposing.said import Said

    said = Said(
        train=train_table,
        test=test_table,
        sample=sample,
        id=id_column,
        target=tuple(target or ()),
        group=tuple(group or ()),
        images=tuple(images or ()),
        task=task,
        metric=metric,
        pretrained=pretrained,
    )
    stage(
        folder,
        data=data,
        said=said,
        ask=typer.prompt if sys.stdin.isatty() else None,
        time=time,
        platform=platform,
        download=download,
        dry_run=dry_run,
        display=shown(quiet),
    )
