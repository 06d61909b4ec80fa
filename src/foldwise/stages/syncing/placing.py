"""Puts units into a competition's folder: the one that is furthest, whole, never two mixed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from foldwise import publish
from foldwise.config.recipe import Recipe
from foldwise.errors import DataError, LockedError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.recipes import load_recipe, plan_changes
from foldwise.stages.syncing.manifest import STATES, Manifest
from foldwise.stages.syncing.snapshot import Snapshot, newest_progress
from foldwise.stages.training.prints import recipe_print
from foldwise.stages.training.taught import merge_teachers
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem

_INCOMING = ".incoming"


@dataclass
class Placed:
    """What a folder was given.

    Attributes:
        units: names of the units of which it has more than before.
        num_bytes: that were copied.
        notes: what was not taken, and why.
    """

    units: list[str] = field(default_factory=list)
    num_bytes: int = 0
    notes: list[str] = field(default_factory=list)


def place(home: Home, given: Snapshot) -> Placed:
    """Take over units that are further than those here and of the inputs wanted here.

    Args:
        home: the competition; it has samples and folds, by which it is known what is wanted.
        given: units from elsewhere.

    Raises:
        DataError: there are no samples or folds yet.
    """
    problem = open_problem(home)
    _ = problem.folds
    placed = Placed(notes=list(given.notes))
    records, every = {}, _grouped(given.manifests, "run")
    for name, manifests in every.items():
        record, why = _record(home, home.new_run(name), manifests, given)
        if record is None:
            placed.notes.append(f"{name}: {len(manifests)} units were left: {why}")
        else:
            records[name] = record
    recipes = {}
    for name, record in records.items():
        try:
            recipes[name] = Recipe.model_validate(record["recipe"])
        except ValidationError:
            placed.notes.append(
                f"{name}: {len(every[name])} units were left: their recipe has keys that this "
                "version of foldwise has not"
            )
    for name in _feeding_first(recipes):
        record, run, found = records[name], home.new_run(name), _grouped(every[name], "unit")
        places = [(*UnitDir(Path(unit)).place, record["epochs"]) for unit in found]
        units = [Unit(problem, recipes[name], run, *where) for where in places]
        merge_teachers(units)
        for unit, some in zip(units, found.values(), strict=True):
            _place_best(unit, record, some, given, placed)
    return placed


def _place_best(
    unit: Unit,
    record: dict[str, Any],
    manifests: Sequence[Manifest],
    given: Snapshot,
    placed: Placed,
) -> None:
    """Take over the unit that is furthest, if it is further than the one here."""
    wanted = [manifest for manifest in manifests if _is_wanted(unit, manifest)]
    if not wanted:
        why = "made from other rows, code or recipe"
        if unit.recipe.has_extra_rows and unit.inputs["extra"] is None:
            why = "its extra rows cannot be told here yet"
        placed.notes.append(f"{unit.name}: {why}: left")
    # A tie keeps the oldest; the key makes it the same one on every machine.
    for manifest in sorted(wanted, key=lambda m: (*(-n for n in m.rank), m.at, m.key)):
        try:
            with publish.locked(unit.folder.lock, doing=f"taking over {unit.name}"):
                if manifest.rank <= _rank(unit.again()):
                    return
                _replace(unit.folder, manifest, given)
                _note_seed(unit, record)
        except LockedError as error:
            placed.notes.append(f"{unit.name}: {error.problems[0]}: left")
            return
        except (DataError, FileNotFoundError) as error:
            said = error.problems[0] if isinstance(error, DataError) else f"{error.filename}: gone"
            placed.notes.append(f"{unit.name}: {said}")
            continue
        placed.units.append(unit.name)
        placed.num_bytes += sum(content.size for content in manifest.files.values())
        return


def _replace(folder: UnitDir, manifest: Manifest, given: Snapshot) -> None:
    """Put a unit's files in place of what its folder holds; its lock is held.

    All are copied and compared before anything here is touched. Then what says that results are
    here goes first and comes last: killed in between, the rest counts for nothing.
    """
    incoming = folder.path / _INCOMING
    shutil.rmtree(incoming, ignore_errors=True)
    for name, content in manifest.files.items():
        given.copy(content, incoming / name)
    markers = [folder.record, folder.pending, folder.choices]
    for path in markers:
        publish.step("cleared", path)
        path.unlink(missing_ok=True)
    kept = (folder.lock, folder.log, folder.timing, incoming)
    for path in folder.path.iterdir():
        if path.is_dir() and path != incoming:
            shutil.rmtree(path)
        elif path not in kept:
            path.unlink()
    last = {path.name: len(markers) - index for index, path in enumerate(markers)}
    for name in sorted(manifest.files, key=lambda name: (last.get(name, 0), name)):
        publish.step("placed", folder.path / name)
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(incoming / name, folder.path / name)
    shutil.rmtree(incoming)


def _rank(unit: Unit) -> tuple[int, int, int]:
    """How far the unit is that is here; zeros if that is of no use."""
    if unit.is_done():
        return (STATES.index("done") + 1, 0, 0)
    if unit.is_pending():
        return (STATES.index("pending") + 1, 0, 0)
    choices = read_json(unit.folder.choices)
    if choices is None or choices["inputs"] != unit.inputs:
        return (0, 0, 0)
    progress = newest_progress(unit.folder)
    return (0, 0, 0) if progress == (0, 0) else (STATES.index("begun") + 1, *progress)


def _is_wanted(unit: Unit, manifest: Manifest) -> bool:
    if manifest.state == "begun":
        return manifest.inputs == unit.inputs
    return unit.is_made_of(manifest.inputs)


def _record(
    home: Home, run: RunDir, manifests: Sequence[Manifest], given: Snapshot
) -> tuple[dict[str, Any] | None, str]:
    """The record that a run has here or gets with its first unit, or why there can be none."""
    stored = read_json(run.record)
    if stored is not None:
        if stored["kind"] != "recipe":
            return None, f"here it is a {stored['kind']}"
        return stored, ""
    newest_first = sorted(manifests, key=lambda manifest: manifest.at, reverse=True)
    read = [given.read_record(manifest) for manifest in newest_first]
    found = [record for record in read if record is not None]
    if not found:
        return None, "the run's record is damaged there"
    recipe = _recipe_here(home, run.name)
    if recipe is None:
        return found[0], ""
    fits = [record for record in found if record["identity"] == recipe_print(recipe)]
    if not fits:
        return None, f"made with another recipe than {home.recipe(run.name)} says"
    return fits[0], ""


def _recipe_here(home: Home, name: str) -> Recipe | None:
    """What training a run of this name would use: the recipe with the plan's changes."""
    if not home.recipe(name).is_file():
        return None
    changes = plan_changes(home) if home.plan.is_file() else {}
    return load_recipe(home, name, changes=changes.get(name))


def _note_seed(unit: Unit, record: dict[str, Any]) -> None:
    """Write the run's record with the unit's seed among those that are here."""
    run = unit.run
    with publish.locked(run.lock, doing="recording the run", wait_s=30):
        stored = read_json(run.record) or {**record, "seeds": []}
        seeds = sorted({*stored["seeds"], unit.seed})
        if seeds != stored["seeds"]:
            publish.publish_json(run.record, {**stored, "seeds": seeds})


def _feeding_first(recipes: Mapping[str, Recipe]) -> Iterator[str]:
    """Runs after those whose features or labels their units are made from.

    What two machines called alike may feed each other; then any order will do.
    """
    waiting = dict(recipes)
    while waiting:
        fed = {
            name: {*one.sources, *one.teachers} & waiting.keys() for name, one in waiting.items()
        }
        for name in [name for name, by in fed.items() if not by] or list(waiting):
            del waiting[name]
            yield name


def _grouped(manifests: Sequence[Manifest], by: str) -> dict[str, list[Manifest]]:
    found: dict[str, list[Manifest]] = {}
    for manifest in sorted(manifests, key=lambda manifest: str(getattr(manifest, by))):
        found.setdefault(getattr(manifest, by), []).append(manifest)
    return found
