"""The work in order, each step stored when done: killed and started again, it goes on there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from gallery import Entry, copy_recipes, read_entries
from measured import read_figures, read_gallery
from studies import (
    BASE,
    FOLDER,
    QUICK_SCREEN,
    SCREEN,
    VERDICT,
    Depth,
    Study,
    Trick,
    in_order,
    read_studies,
)
from verbs import VerbError, begin, foldwise, split

from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json


@dataclass(frozen=True)
class Place:
    """Where packs are, and where what is made of them goes.

    Attributes:
        data: folder of packs.
        work: folder of competitions and of the steps that are done.
        kept: folder of the figures in the repository.
    """

    data: Path
    work: Path
    kept: Path = FOLDER / "measured"

    def study(self, study: Study) -> Home:
        """The competition that a study's recipes are trained in."""
        return Home(self.work / study.pack)

    def gallery(self, entry: Entry) -> Home:
        """The competition that a recipe of the gallery is trained in."""
        return Home(self.work / f"gallery-{entry.pack}")

    def step(self, home: Home, run: str, depth: str) -> Path:
        """Says that a run is trained that far, by `Depth.label`, and what that took."""
        return self.work / "steps" / home.path.name / f"{run}-{depth}.json"


def work_off(place: Place) -> int:
    """Do all steps that are not done: the first tricks, the gallery, the other tricks.

    What has its figures in the repository needs no step.

    Returns:
        How many could not be done; each says why, and the others are done all the same.
    """
    failed = _try_all(place, SCREEN, first=True)
    failed += sum(not _try_entry(place, entry) for entry in read_entries())
    failed += _try_all(place, VERDICT, first=True)
    return failed + _try_all(place, QUICK_SCREEN, first=False)


def _try_all(place: Place, depth: Depth, *, first: bool) -> int:
    figures = {study.pack: read_figures(place.kept, study.pack) for study in read_studies()}

    def is_open(study: Study, trick: Trick) -> bool:
        row = figures[study.pack].rows.get(trick.name)
        return row is None or not row.reaches(depth, study)

    recipes = in_order(read_studies(), first=first, is_open=is_open)
    return sum(not _try(place, study, name, depth) for study, name in recipes)


def _try(place: Place, study: Study, name: str, depth: Depth) -> bool:
    home = place.study(study)
    label = f"{study.pack} {name}, {depth}"
    path = place.step(home, name, depth.label)
    if path.exists():
        return True
    try:
        begin(home, place.data / study.pack, study.init)
        study.write_recipes(home.recipes)
        split(home, BASE, study.num_folds)
        _train(home, name, name, depth, path)
    except (VerbError, FoldwiseError) as error:
        say(f"{label}: FAILED: {error}")
        return False
    say(f"{label}: done")
    return True


def _try_entry(place: Place, entry: Entry) -> bool:
    home = place.gallery(entry)
    path = place.step(home, entry.name, "1")
    if path.exists() or not entry.is_measured or entry.name in read_gallery(place.kept):
        return True
    try:
        begin(home, place.data / entry.pack, entry.init)
        copy_recipes(home.recipes)
        split(home, entry.name, entry.num_folds)
        if entry.members:
            words = [*entry.members, "--method", entry.method, "--as", entry.name]
            foldwise("blend", *words, "-C", str(home.path), "--quiet")
            publish_json(path, {"done": now()})
        else:
            _train(home, entry.name, entry.name, Depth((0,)), path, *entry.overrides)
    except (VerbError, FoldwiseError) as error:
        say(f"gallery {entry.name}: FAILED: {error}")
        return False
    say(f"gallery {entry.name}: done")
    return True


def _train(home: Home, recipe: str, run: str, depth: Depth, path: Path, *overrides: str) -> None:
    """Train a run's units, and store that it is done and what processor time it took.

    That time is noted as it goes, so that what a kill broke off is counted, too.
    """
    units = home.path / "runs" / run / "units"
    tally = path.with_suffix(".part.json")
    spent = read_json(tally) or {"cpu_s": 0.0, "num_before": _num_done(units)}

    def note(cpu_s: float) -> None:
        publish_json(tally, {**spent, "cpu_s": round(spent["cpu_s"] + cpu_s, 1)})

    words = [word for seed in depth.seeds for word in ("--seed", str(seed))]
    words += [word for fold in depth.folds or () for word in ("--fold", str(fold))]
    given = [recipe, *overrides, *words, "--as", run, "-C", str(home.path), "--quiet"]
    foldwise("train", *given, tell=note)
    foldwise("evaluate", run, "-C", str(home.path), "--quiet")
    cpu_s = read_json(tally)["cpu_s"]
    num_units = _num_done(units) - spent["num_before"]
    publish_json(path, {"done": now(), "num_units": num_units, "cpu_s": cpu_s})
    tally.unlink()


def _num_done(units: Path) -> int:
    return len(list(units.glob("*/unit.json")))


def seconds_per_unit(place: Place, home: Home, run: str, depth: Depth) -> float | None:
    """Processor seconds of a unit in one step; None: it trained none or did not count them.

    What a command needs beside its units, such as scoring, is shared among them, so only steps of
    as many units compare: those of one depth.
    """
    step = read_json(place.step(home, run, depth.label))
    if step is None or "cpu_s" not in step or not step["num_units"]:
        return None
    return float(step["cpu_s"]) / int(step["num_units"])


def now() -> str:
    """The time, for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def say(text: str) -> None:
    """A line of the log."""
    print(f"{now()} {text}", flush=True)
