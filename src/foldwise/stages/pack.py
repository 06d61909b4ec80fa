"""Makes a folder that trains or answers elsewhere: competition, units, wheels and a notebook."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import foldwise
from foldwise.config.duration import seconds
from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.rundir import NAME_RULE, is_name
from foldwise.stages.answering.test_rows import rows_print
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.packing.answer_contents import answer_marks, copy_answer_contents, every_unit
from foldwise.stages.packing.answering import planned_answer, tell
from foldwise.stages.packing.contents import copy_contents, copy_file, wanted_recipes
from foldwise.stages.packing.costs import recipes_of
from foldwise.stages.packing.elsewhere import read_elsewhere
from foldwise.stages.packing.install import code_print
from foldwise.stages.packing.notebooks import answer_notebook, training_notebook
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS, NotebookPlatform
from foldwise.stages.packing.wheels import requirements, write_wheels
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.deadline_clock import clock_line, deadline_clock, longest_run_s
from foldwise.tasks.problem import open_problem

PACK_FILE = "pack.json"
#: The packed competition, in the pack.
PACKED_HOME = "competition"
#: The trained units of an answer's pack.
PACKED_RUNS = "runs"
NOTEBOOK = "train.ipynb"
ANSWER_NOTEBOOK = "answer.ipynb"
EVERY = "10m"
#: Title and id on Kaggle, which its client has the user write into the folder.
_UPLOAD = "dataset-metadata.json"
_SCRIPTS = Path(foldwise.__file__).parent / "stages" / "packing"


def pack_training(
    home: Home,
    names: Sequence[str] = (),
    *,
    on: str,
    as_name: str = "train",
    limit: str | None = None,
    display: Display | None = None,
) -> Path:
    """Write `packs/NAME/`: all that a notebook needs to train but the data.

    Args:
        home: the competition; it has samples and folds.
        names: recipes or runs; none: all of the plan.
        on: name of a platform.
        as_name: name of the pack; one that is there is replaced.
        limit: how long a session may be; None: as the platform allows.
        display: where it is said what to do next.

    Returns:
        The pack's folder.

    Raises:
        ConfigError: unknown platform, no duration, or a recipe that cannot be packed.
        DataError: there are no samples or folds yet.
        RunError: there is neither such a recipe nor such a run, or the pack cannot have that name.
    """
    show = display or Display()
    platform = _platform(on)
    seconds(limit or platform.limit)
    recipes = wanted_recipes(home, names)
    making = _making(home, as_name)
    found = copy_contents(home, Home(making / PACKED_HOME), recipes)
    facts = {"kind": "train", "platform": on, "marks": list(found.marks)}
    missing = _complete(making, as_name, facts, found.packages)
    notebook = training_notebook(as_name, platform, limit=limit or platform.limit, every=EVERY)
    publish_json(making / NOTEBOOK, notebook)
    folder = _published(home, as_name)
    for note in found.notes:
        show.warn(note)
    show.say(f"{folder}: {', '.join(recipes)}; {_megabytes(folder)}")
    show.say(f"the notebook's image must have: {', '.join(missing)}")
    show.say(f"what to do with it: {folder / NOTEBOOK}, and docs/notebooks.md")
    return folder


def pack_answer(
    home: Home,
    run_name: str,
    *,
    on: str,
    as_name: str = "answer",
    limit: str | None = None,
    num_images: int | None = None,
    factor: float | None = None,
    measured: Path | None = None,
    anyway: bool = False,
    skips_public: bool = False,
    is_dry: bool = False,
    display: Display | None = None,
) -> Path | None:
    """Write `packs/NAME/`: what answers the test rows with a run, offline and within a limit.

    Args:
        home: the competition.
        run_name: a run of a recipe, a reference, or a blend of such runs.
        on: name of a platform, whose folders and image it is made for.
        as_name: name of the pack; one that is there is replaced.
        limit: how long it may take; None: `limits.inference` of `competition.yaml`.
        num_images: test samples that are announced; None: as many as there are now.
        factor: how many times longer than here it takes there; None: as long.
        measured: the `answer.json` that a pack of this run has left there, whose times are taken.
        anyway: pack also what could not be scored before the deadline.
        skips_public: hand in a constant where it finds the test rows that there are now, and
            spend time on others alone: a platform's run on public rows takes hours for nothing.
        is_dry: say what would be packed, and write nothing.
        display: where it is said.

    Returns:
        The pack's folder; None: nothing was written.

    Raises:
        ConfigError: unknown platform, no limit, or there is no test to answer.
        BudgetError: nothing of the run stays within the limit, or is scored before the deadline.
        RunError: there is no such run, or something of it cannot be packed.
    """
    show = display or Display()
    platform, problem = _platform(on), open_problem(home)
    if factor is not None and measured is not None:
        raise ConfigError(
            "--slower and --measured both say how long it takes there", remedy="say one of them"
        )
    if platform.is_other and factor is None and measured is None:
        show.warn(
            f"nothing says how fast {platform.title} is: times are those of this machine; say "
            "--slower, or --measured with the answer.json that a pack has left there"
        )
    asked = limit or problem.competition.limits.inference
    if asked is None:
        raise ConfigError(
            "a pack needs to know how long it may take",
            remedy="say --limit, such as --limit 9h, or set limits.inference in competition.yaml",
        )
    marks = answer_marks(problem.competition)
    evaluate(home, run_name, problem=problem, display=Display(quiet=True))
    found = planned_answer(
        problem,
        home.run(run_name),
        limit_s=seconds(asked),
        in_time_s=None if anyway else longest_run_s(problem.competition, datetime.now(UTC)),
        num_images=num_images,
        factor=factor or 1.0,
        elsewhere=None if measured is None else read_elsewhere(measured),
        show=show,
    )
    tell(found, show)
    planned_s = found.planned.chosen.seconds
    clock = deadline_clock(problem.competition, run_s=planned_s, by="notebook")
    if clock is not None:
        show.say(clock_line(clock, datetime.now(UTC)))
    if is_dry:
        return None
    making = _making(home, as_name)
    target = Home(making / PACKED_HOME)
    copy_answer_contents(home, target, making / PACKED_RUNS, found.rounds)
    for backend in found.backends.values():
        copy_file(backend.trial, target.path / backend.trial.relative_to(home.path))
    rounds = [round_.to_json() for round_ in found.rounds]
    recipes = recipes_of(problem, found.planned.chosen.subset.node)
    facts = {
        "kind": "answer",
        "platform": on,
        "marks": list(marks),
        "run": run_name,
        "limit": asked,
        "seconds": round(planned_s, 1),
        "input": platform.input,
        "output": platform.output,
        "public": rows_print(problem.test) if skips_public else None,
        "rounds": rounds,
        "views": found.views,
        "options": found.option_facts(),
        "backends": {name: each.choice for name, each in found.backends.items()},
        "id": _print(making / PACKED_RUNS, rounds),
        "notes": found.notes,
    }
    missing = _complete(making, as_name, facts, ())
    shutil.copyfile(_SCRIPTS / "predict.py", making / "predict.py")
    publish_json(making / ANSWER_NOTEBOOK, answer_notebook(as_name, platform, limit=asked))
    folder = _published(home, as_name)
    units = len(every_unit(found.rounds))
    show.say(f"{folder}: {units} units of {', '.join(recipes)}; {_megabytes(folder)}")
    show.say(f"the image must have: {', '.join(missing)}")
    show.say(
        f"about {duration(planned_s)} there; run it here: python "
        f"{folder / 'predict.py'} --input DATA --output OUT"
    )
    return folder


def _platform(on: str) -> NotebookPlatform:
    if on not in NOTEBOOK_PLATFORMS:
        known = ", ".join(NOTEBOOK_PLATFORMS)
        raise ConfigError(f"--on {on}: no platform known here", remedy=f"known: {known}")
    return NOTEBOOK_PLATFORMS[on]


def _making(home: Home, as_name: str) -> Path:
    """An empty folder beside the pack's, which it becomes when it is whole."""
    if not is_name(as_name):
        raise RunError(f"a pack cannot be called {as_name!r}", remedy=NAME_RULE)
    making = home.packs / f".{as_name}.making"
    shutil.rmtree(making, ignore_errors=True)
    return making


def _complete(
    making: Path, as_name: str, facts: dict[str, Any], packages: Sequence[str]
) -> list[str]:
    """Add foldwise itself, how it is installed, and what the pack says of itself.

    Returns:
        Names of what is needed and not in the pack.
    """
    missing = write_wheels(making / "wheels", packages)
    shutil.copyfile(_SCRIPTS / "install.py", making / "install.py")
    known = {
        "name": as_name,
        "foldwise": foldwise.__version__,
        "code": code_print(Path(foldwise.__file__).parent),
        "requires": [*requirements(), *packages],
    }
    publish_json(making / PACK_FILE, {**known, **facts})
    return missing


def _published(home: Home, as_name: str) -> Path:
    """Put the pack in place of one that is there; what was written into that for uploads stays."""
    folder, making = home.packs / as_name, home.packs / f".{as_name}.making"
    if (folder / _UPLOAD).is_file():
        shutil.copyfile(folder / _UPLOAD, making / _UPLOAD)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(making, folder)
    return folder


def _print(runs: Path, rounds: list[dict[str, Any]]) -> str:
    """Short hash of what is packed: work folders of other packs of the same name stay apart."""
    digest = hashlib.sha256(json.dumps(rounds, sort_keys=True).encode())
    for path in sorted(runs.rglob("unit.json")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _megabytes(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 1e6:.1f} MB"
