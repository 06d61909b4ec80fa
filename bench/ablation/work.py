"""The work in order, each step stored when done: killed and started again, it goes on there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gallery import Entry, copy_recipes, read_entries
from studies import BASE, SCREEN_SEEDS, VERDICT_SEEDS, Study, in_order, read_studies
from verbs import VerbError, begin, foldwise, split

from foldwise.errors import FoldwiseError
from foldwise.publish import publish_json
from foldwise.rundir import Home, read_json


@dataclass(frozen=True)
class Place:
    """Where packs are, and where what is made of them goes.

    Attributes:
        data: folder of packs.
        work: folder of competitions and of the steps that are done.
    """

    data: Path
    work: Path

    def study(self, study: Study) -> Home:
        """The competition that a study's recipes are trained in."""
        return Home(self.work / study.pack)

    def gallery(self, entry: Entry) -> Home:
        """The competition that a recipe of the gallery is trained in."""
        return Home(self.work / f"gallery-{entry.pack}")

    def step(self, home: Home, run: str, num_seeds: int) -> Path:
        """Says that a run is trained with that many seeds, and what that took."""
        return self.work / "steps" / home.path.name / f"{run}-{num_seeds}.json"


def work_off(place: Place) -> int:
    """Do all steps that are not done: the first tricks, the gallery, the other tricks.

    Returns:
        How many could not be done; each says why, and the others are done all the same.
    """
    studies = read_studies()
    first, others = in_order(studies, first=True), in_order(studies, first=False)
    failed = _screen(place, first)
    failed += sum(not _try_entry(place, entry) for entry in read_entries())
    failed += _to_verdict(place, first)
    failed += _screen(place, others)
    return failed + _to_verdict(place, others)


def _screen(place: Place, recipes: Sequence[tuple[Study, str]]) -> int:
    return sum(not _try(place, study, name, SCREEN_SEEDS) for study, name in recipes)


def _to_verdict(place: Place, recipes: Sequence[tuple[Study, str]]) -> int:
    return sum(not _try(place, study, name, VERDICT_SEEDS) for study, name in recipes)


def _try(place: Place, study: Study, name: str, seeds: Sequence[int]) -> bool:
    home = place.study(study)
    label = f"{study.pack} {name}, {len(seeds)} seeds"
    path = place.step(home, name, len(seeds))
    if path.exists():
        return True
    try:
        begin(home, place.data / study.pack, study.init)
        study.write_recipes(home.recipes)
        split(home, BASE, study.num_folds)
        _train(home, name, name, seeds, path)
    except (VerbError, FoldwiseError) as error:
        say(f"{label}: FAILED: {error}")
        return False
    say(f"{label}: done")
    return True


def _try_entry(place: Place, entry: Entry) -> bool:
    home = place.gallery(entry)
    path = place.step(home, entry.name, 1)
    if path.exists() or not entry.is_measured:
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
            _train(home, entry.name, entry.name, (0,), path, *entry.overrides)
    except (VerbError, FoldwiseError) as error:
        say(f"gallery {entry.name}: FAILED: {error}")
        return False
    say(f"gallery {entry.name}: done")
    return True


def _train(
    home: Home, recipe: str, run: str, seeds: Sequence[int], path: Path, *overrides: str
) -> None:
    """Train a run's units and store that, with the processor time if all of it was seen."""
    units = home.path / "runs" / run / "units"
    num_before = len(list(units.glob("*/unit.json")))
    was_broken_off = any(units.glob("*/checkpoint"))
    words = [word for seed in seeds for word in ("--seed", str(seed))]
    started = time.monotonic()
    cpu_s = foldwise(
        "train", recipe, *overrides, *words, "--as", run, "-C", str(home.path), "--quiet"
    )
    wall_s = time.monotonic() - started
    foldwise("evaluate", run, "-C", str(home.path), "--quiet")
    num_units = len(list(units.glob("*/unit.json"))) - num_before
    facts: dict[str, Any] = {"done": now(), "num_units": num_units}
    if num_units and not was_broken_off:
        facts |= {"cpu_s": round(cpu_s, 1), "wall_s": round(wall_s, 1)}
    publish_json(path, facts)


def seconds_per_unit(place: Place, home: Home, run: str) -> float | None:
    """Processor seconds of a unit, mean over the steps that were seen whole; None: no such."""
    steps = [
        read_json(place.step(home, run, len(seeds))) for seeds in (SCREEN_SEEDS, VERDICT_SEEDS)
    ]
    seen = [step for step in steps if step is not None and "cpu_s" in step]
    if not seen:
        return None
    return float(sum(step["cpu_s"] for step in seen) / sum(step["num_units"] for step in seen))


def now() -> str:
    """The time, for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def say(text: str) -> None:
    """A line of the log."""
    print(f"{now()} {text}", flush=True)
