"""The ledger's verbs on the command line: add, list and import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldwise.cli.options import Directory, Quiet, shown
from foldwise.home import find_home
from foldwise.stages import LEDGER_VERBS, STAGES

app = typer.Typer(help=STAGES["ledger"], no_args_is_help=True, rich_markup_mode=None)

Replace = Annotated[
    bool, typer.Option("--replace", help="Let scores that differ from known ones take their place.")
]


@app.command(help=LEDGER_VERBS["add"])
def add(
    which: Annotated[
        str | None,
        typer.Argument(metavar="[NUMBER|RUN]", help="A submission, or a run: its last one."),
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead: what was submitted elsewhere.")
    ] = None,
    cv: Annotated[float | None, typer.Option(help="Its cross-validated score.")] = None,
    public: Annotated[float | None, typer.Option(help="Its public leaderboard score.")] = None,
    private: Annotated[float | None, typer.Option(help="Its private leaderboard score.")] = None,
    comment: Annotated[str | None, typer.Option(help="Takes the place of the one before.")] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it was uploaded, ISO form, UTC; or now."),
    ] = None,
    replace: Replace = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.ledger import ledger_add

    ledger_add(
        find_home(directory),
        which,
        run=run,
        cv=cv,
        public=public,
        private=private,
        comment=comment,
        at=at,
        replace_scores=replace,
        display=shown(quiet),
    )


@app.command("list", help=LEDGER_VERBS["list"])
def list_rows(
    csv: Annotated[Path | None, typer.Option(help="Also write the rows to this file.")] = None,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.ledger import ledger_list

    ledger_list(find_home(directory), csv=csv, display=shown(quiet))


@app.command("import", help=LEDGER_VERBS["import"])
def import_rows(
    file: Annotated[Path, typer.Argument(help="The ledger's CSV, Kaggle's, or another.")],
    replace: Replace = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.ledger import ledger_import

    ledger_import(find_home(directory), file, replace_scores=replace, display=shown(quiet))
