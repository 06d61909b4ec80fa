"""The command line: every verb finds its competition and calls the stage of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foldwise import __version__
from foldwise.cli import elsewhere, handing_in, inference, replaying, starting
from foldwise.cli.ledger import app as ledger_app
from foldwise.cli.options import Directory, Limit, Overrides, Quiet, Until, shown
from foldwise.errors import FoldwiseError
from foldwise.home import Home, find_home
from foldwise.stages import STAGES

app = typer.Typer(
    help="From a folder of images and a table to a submission you can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(ledger_app, name="ledger")


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        typer.echo(f"foldwise {__version__}")
        raise typer.Exit


app.command(help=STAGES["init"])(starting.init)


@app.command(help=STAGES["prepare"])
def prepare(
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all caches and compare their checksums.")
    ] = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.prepare import prepare as stage

    display = shown(quiet)
    done = stage(find_home(directory), verify=verify, display=display)
    if not done.changed:
        display.say("all images are in the cache")
    if verify:
        display.say("all caches hold what was written")


@app.command(help=STAGES["audit"])
def audit(directory: Directory = Path(), quiet: Quiet = False) -> None:
    from foldwise.stages.audit import audit as stage

    found = stage(find_home(directory), display=shown(quiet))
    if not found["warnings"]:
        shown(quiet).say("nothing to warn about")


@app.command(help=STAGES["split"])
def split(directory: Directory = Path(), quiet: Quiet = False) -> None:
    from foldwise.stages.split import split as stage

    if stage(find_home(directory), display=shown(quiet)).result is None:
        shown(quiet).say("folds are up to date")


@app.command(help=STAGES["doctor"])
def doctor(
    recipe: Annotated[str | None, typer.Argument(help="Recipe; none: all of the plan.")] = None,
    overrides: Overrides = None,
    costs: Annotated[
        bool,
        typer.Option("--costs", help="Also measure memory and time by precision, batch and size."),
    ] = False,
    lr_range: Annotated[
        bool, typer.Option("--lr-range", help="Also train some steps at a rising rate.")
    ] = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.doctor import doctor as stage

    found = stage(
        find_home(directory),
        recipe,
        overrides=overrides or (),
        costs=costs,
        lr_range=lr_range,
        display=shown(quiet),
    )
    if any(finding.level == "error" for finding in found):
        raise typer.Exit(1)


@app.command(help=STAGES["train"])
def train(
    recipe: Annotated[str, typer.Argument(help="Name in recipes/, or a path.")],
    overrides: Overrides = None,
    fold: Annotated[list[int] | None, typer.Option(help="Only this fold; may repeat.")] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, help="Seed; may repeat.")] = None,
    as_name: Annotated[str | None, typer.Option("--as", help="Name of the run.")] = None,
    limit: Limit = None,
    until: Until = None,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.predict import predict as merge
    from foldwise.stages.scheduling.clock import stop_time
    from foldwise.stages.train import train as stage

    display = shown(quiet)
    home = _home_of(recipe, directory)
    done = stage(
        home,
        recipe,
        overrides=overrides or (),
        folds=None if fold is None else tuple(dict.fromkeys(fold)),
        seeds=tuple(dict.fromkeys(seed or (0,))),
        as_name=as_name,
        stop_at=stop_time(limit, until),
        display=display,
    )
    if done.done:
        merge(home, done.run.name)
    if done.failed:
        raise FoldwiseError(*(f"{name}: {why}" for name, why in done.failed.items()))


@app.command(help=STAGES["features"])
def features(
    run: Annotated[str, typer.Argument(help="A run of a recipe with a network.")],
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.features import features as stage

    stage(find_home(directory), run, display=shown(quiet))


@app.command(help=STAGES["predict"])
def predict(
    run: Annotated[str, typer.Argument(help="A run of a recipe.")],
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.predict import predict as stage

    done = stage(find_home(directory), run)
    missing = f", folds {done.missing} are missing" if done.missing else ""
    shown(quiet).say(f"{done.run.name}: {len(done.folds)} folds merged{missing}")


@app.command(help=STAGES["evaluate"])
def evaluate(
    run: Annotated[str, typer.Argument(help="A run or blend.")],
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.evaluate import evaluate as stage

    stage(find_home(directory), run, display=shown(quiet))


@app.command(help=STAGES["blend"])
def blend(
    members: Annotated[list[str], typer.Argument(help="Runs, or score files OOF.csv,TEST.csv.")],
    method: Annotated[
        str,
        typer.Option(
            help="A way to blend, see docs/reference/parts.md; with options: "
            "'{name: greedy, num_steps: 40}'."
        ),
    ] = "mean",
    as_name: Annotated[str, typer.Option("--as", help="Name of the blend.")] = "blend",
    refit: Annotated[
        int,
        typer.Option(
            min=0,
            help="Resamples on which it is fitted again, so that intervals cover fitting; "
            "at least 200.",
        ),
    ] = 0,
    gate: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Of masks: a run of target presence that says whether a class is answered at all.",
        ),
    ] = None,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.config.loading import from_options
    from foldwise.config.plan import BlendConfig
    from foldwise.stages.blend import blend as stage

    way = from_options({"method": method}, BlendConfig).method
    stage(
        find_home(directory),
        as_name,
        method=way,
        members=members,
        refit=refit,
        gate=gate,
        display=shown(quiet),
    )


@app.command(help=STAGES["compare"])
def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Two or more runs, or score files OOF.csv,TEST.csv.")
    ],
    level: Annotated[
        float,
        typer.Option(
            help="Level of the intervals; 0.99 if you add seeds and look again and again."
        ),
    ] = 0.95,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.compare import compare as stage

    stage(find_home(directory), runs, level=level, display=shown(quiet))


app.command(help=STAGES["submit"])(handing_in.submit)


@app.command(help=STAGES["pick"])
def pick(
    num: Annotated[
        int | None, typer.Argument(help="How many count; none: as the rules say.")
    ] = None,
    pass_score: Annotated[
        float | None,
        typer.Option("--pass", metavar="SCORE", help="Choose for the chance to reach this score."),
    ] = None,
    public_share: Annotated[
        float | None, typer.Option(help="Share of the test rows that is public; none: 0.3.")
    ] = None,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.pick import pick as stage

    stage(
        find_home(directory),
        num,
        pass_score=pass_score,
        public_share=public_share,
        display=shown(quiet),
    )


@app.command(help=STAGES["report"])
def report(directory: Directory = Path(), quiet: Quiet = False) -> None:
    from foldwise.stages.report import report as stage

    path = stage(find_home(directory), display=shown(quiet))
    shown(quiet).say(f"report: {path}")


@app.command(help=STAGES["run"])
def run(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The competition's folder.")
    ] = None,
    overrides: Overrides = None,
    limit: Limit = None,
    until: Until = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and how long.")
    ] = False,
    directory: Directory = Path(),
    quiet: Quiet = False,
) -> None:
    from foldwise.stages.run import run as stage
    from foldwise.stages.scheduling.clock import stop_time

    stop_at = stop_time(limit, until)
    keys = list(overrides or ())
    if folder is not None and "=" in str(folder):  # An override stands in the folder's place.
        keys, folder = [str(folder), *keys], None
    done = stage(
        find_home(folder or directory),
        overrides=keys,
        stop_at=stop_at,
        dry_run=dry_run,
        display=shown(quiet),
    )
    if done.failed:
        raise typer.Exit(1)


_FURTHER = (
    *(elsewhere.pack, handing_in.push, elsewhere.session, elsewhere.sync, elsewhere.costs),
    *(inference.views, replaying.replay),
)
for _verb in _FURTHER:
    app.command(help=STAGES[_verb.__name__])(_verb)


def _home_of(recipe: str, directory: Path) -> Home:
    """The competition of a recipe's path, else of the folder given."""
    path = Path(recipe)
    return find_home(path.parent if path.is_file() and directory == Path() else directory)
