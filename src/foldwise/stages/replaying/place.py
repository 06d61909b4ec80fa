"""The folder a submission is made again in: a competition as it was, beside the one there is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foldwise.config.writing import write_yaml
from foldwise.data.inputs import read_caches, write_caches
from foldwise.errors import DataError
from foldwise.home import Home
from foldwise.publish import publish_bytes, publish_json
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.replaying.drift import data_of
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.submitting.provenance import MadeRun, Provenance, material

#: A unit's files that its own process writes to without giving them a new name.
_LIVE = {".lock", "log.txt", "timing.jsonl"}


def lay_out(home: Home, made: Provenance, place: Home) -> None:
    """Write the competition as it was: question, rows, folds, code; no run yet.

    Pixels are read from the shared cache and from the data folder. What is there already stays.

    Raises:
        DataError: the copy of a material is gone or damaged.
    """
    place.path.mkdir(parents=True, exist_ok=True)
    values = {**made.competition, "data": str(data_of(home, made))}
    values["external"] = {
        name: {**external, "data": str((home.path / external["data"]).resolve())}
        for name, external in values["external"].items()
    }
    write_yaml(place.competition, values, overwrite=True)
    for name, digest in made.materials.items():
        if file_hash(place.path / name) != digest:
            publish_bytes(place.path / name, _content(home, name, digest))
    home.cache.mkdir(parents=True, exist_ok=True)
    if not place.cache.is_symlink():
        place.cache.symlink_to(home.cache.resolve(), target_is_directory=True)
    write_caches(place, read_caches(home))
    for run in made.runs.values():
        _link_weights(home, run.record, place)


def bring_units(home: Home, made: Provenance, place: Home) -> dict[str, list[str]]:
    """Write the runs' records, and bring those of their units that are as they were.

    Returns:
        Run of a recipe → units that are not there, or not as they were: to be trained again.
    """
    missing: dict[str, list[str]] = {}
    for name, run in made.runs.items():
        if run.record["kind"] != "recipe":
            continue
        target = RunDir(place.runs / name)
        publish_json(target.record, run.record)
        for unit, facts in run.units.items():
            folder = UnitDir(target.path / "units" / unit)
            if folder.record.exists():  # Brought or trained before this replay was interrupted.
                continue
            source = UnitDir(home.runs / name / "units" / unit)
            if not _is_as_it_was(source, facts["files"]):
                missing.setdefault(name, []).append(unit)
                _choose_as_before(folder, facts)
                continue
            _bring(source, folder)
    return missing


def lacking_units(home: Home, made: Provenance, place: Home) -> dict[str, list[str]]:
    """As `bring_units`, but nothing is written."""
    found = {
        name: [
            unit
            for unit, facts in run.units.items()
            if not UnitDir(place.runs / name / "units" / unit).record.exists()
            and not _is_as_it_was(UnitDir(home.runs / name / "units" / unit), facts["files"])
        ]
        for name, run in made.runs.items()
    }
    return {name: units for name, units in found.items() if units}


def other_units(made: Provenance, place: Home, trained: Mapping[str, Sequence[str]]) -> list[str]:
    """Units that were trained again and have other weights or scores than before."""
    return [
        f"{name}/{unit}"
        for name, units in trained.items()
        for unit in units
        if not _is_as_it_was(
            UnitDir(place.runs / name / "units" / unit), made.runs[name].units[unit]["files"]
        )
    ]


def bring_scores(home: Home, name: str, run: MadeRun, place: Home) -> None:
    """Bring the score files of a run from outside, which nothing can make again.

    Raises:
        DataError: they are gone, or not as they were.
    """
    source, target = home.run(name), RunDir(place.runs / name)
    wrong = [
        str(source.path / file)
        for file, digest in run.files.items()
        if file_hash(source.path / file) != digest
    ]
    if wrong:
        raise DataError(
            *(f"{path}: gone, or not as it was handed in" for path in wrong),
            remedy="these scores came from outside, and only their files can bring them back",
        )
    for file in run.files:
        publish_bytes(target.path / file, (source.path / file).read_bytes())
    publish_json(target.record, run.record)


def check_score_files(run: MadeRun, name: str) -> None:
    """Check score files that a blend names by their paths.

    Raises:
        DataError: they are gone, or not as they were.
    """
    wrong = [path for path in name.split(",") if file_hash(Path(path)) != run.files.get(path)]
    if wrong:
        raise DataError(
            *(f"{path}: gone, or not as it was handed in" for path in wrong),
            remedy="these scores came from outside, and only their files can bring them back",
        )


def _content(home: Home, name: str, digest: str) -> bytes:
    path = material(home, digest)
    if file_hash(path) != digest:
        raise DataError(
            f"{path}: gone or damaged, and with it {name} as it was",
            remedy="bring it back from a copy of the competition's folder; without it the "
            "submission cannot be made again",
        )
    return path.read_bytes()


def _is_as_it_was(unit: UnitDir, files: Mapping[str, str]) -> bool:
    return unit.record.exists() and all(
        file_hash(unit.path / name) == digest for name, digest in files.items()
    )


def _bring(source: UnitDir, target: UnitDir) -> None:
    """Link or copy a done unit; its record comes last, so that it is whole or not there."""
    target.path.mkdir(parents=True, exist_ok=True)
    files = [p for p in source.path.iterdir() if p.is_file() and p.name not in _LIVE]
    for path in sorted(files, key=lambda path: path == source.record):
        copy = target.path / path.name
        copy.unlink(missing_ok=True)
        try:
            # Files are replaced and never written to, so both names keep what they have.
            os.link(path, copy)
        except OSError:
            publish_bytes(copy, path.read_bytes())


def _choose_as_before(unit: UnitDir, facts: Mapping[str, Any]) -> None:
    """Let a unit be trained with the threads, layout and batches that were chosen then."""
    if facts["choices"] is not None and not unit.choices.exists():
        publish_json(unit.choices, {**facts["choices"], "notes": []})


def _link_weights(home: Home, record: Mapping[str, Any], place: Home) -> None:
    """Let a recipe find the file it starts from, where that is named from the competition on."""
    spec = record.get("recipe", {}).get("model", {}).get("pretrained")
    if not isinstance(spec, str) or spec.startswith("package:") or Path(spec).is_absolute():
        return
    source, target = home.path / spec, place.path / spec
    if source.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())


def clear(place: Home) -> None:
    """Remove the folder; what it links to stays."""
    shutil.rmtree(place.path)
