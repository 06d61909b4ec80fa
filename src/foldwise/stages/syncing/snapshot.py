"""The units of a competition's folder as manifests, read while others may be training them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foldwise.errors import DataError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.syncing.manifest import Content, Manifest, content_of, copy_content

_TRIES = 3
_PASSING = {"log.txt", "timing.jsonl"}


@dataclass
class Snapshot:
    """What a folder has to give.

    Attributes:
        manifests: of its units, each whole.
        paths: content → a file that holds it.
        costs: records of time.
        notes: what could not be read, and why.
        damaged: contents that turned out to be something else when they were read.
    """

    manifests: list[Manifest] = field(default_factory=list)
    paths: dict[Content, Path] = field(default_factory=dict)
    costs: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damaged: set[Content] = field(default_factory=set)

    def copy(self, content: Content, target: Path) -> None:
        """Publish a copy of a content.

        Raises:
            DataError: it is damaged, which is noted; `target` is as it was.
            FileNotFoundError: it is gone.
        """
        try:
            copy_content(self.paths[content], target, content)
        except DataError:
            self.damaged.add(content)
            raise

    def read_record(self, manifest: Manifest) -> dict[str, Any] | None:
        """The run's record that goes with a unit; None: it is damaged, which is noted, or gone."""
        try:
            data = self.paths[manifest.record].read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() != manifest.record.sha256:
            self.damaged.add(manifest.record)
            return None
        record: dict[str, Any] = json.loads(data)
        return record


class _ChangedError(Exception):
    """The unit went on while it was read."""


def snapshot_of(home: Home, known: Collection[str] = ()) -> Snapshot:
    """All units of a competition that are done or can be gone on with.

    A unit that is written to at this moment is left out, and told: the next time it is there.

    Args:
        home: the competition.
        known: SHA-256 of records of done units that are wanted no more: these are not read.
    """
    found = Snapshot(costs=sorted(home.costs.glob("*.json")))
    for name in home.run_names():
        run = RunDir(home.runs / name)
        if run.read_record()["kind"] != "recipe":
            continue
        for path in sorted((run.path / "units").glob("*-seed*")):
            if not any(_tried(found, run, UnitDir(path), known) for _ in range(_TRIES)):
                found.notes.append(f"{name}/{path.name}: went on while it was read; next time")
    return found


def _tried(found: Snapshot, run: RunDir, unit: UnitDir, known: Collection[str]) -> bool:
    """Whether a unit was added, or there is nothing to add; not if it went on meanwhile."""
    try:
        _add(found, run, unit, known)
    except (_ChangedError, FileNotFoundError):
        return False
    return True


def _add(found: Snapshot, run: RunDir, unit: UnitDir, known: Collection[str]) -> None:
    marker = _marker(unit)
    if marker is None:
        return
    before = content_of(marker)
    if marker == unit.record and before.sha256 in known:
        return
    inputs = read_json(marker)["inputs"]
    progress, paths = (0, 0), list(_plain_files(unit))
    if marker != unit.record:
        paths += sorted((unit.path / "epochs").glob("*.safetensors"))
    if marker == unit.choices:
        newest = _newest_state(unit)
        if newest is None:
            return
        progress, states = newest
        paths += states
    contents = {path: content_of(path) for path in paths}
    record = content_of(run.record)
    if content_of(marker) != before or _marker(unit) != marker or contents.get(marker) != before:
        raise _ChangedError
    found.manifests.append(
        Manifest(
            run=run.name,
            unit=unit.name,
            state={unit.record: "done", unit.pending: "pending"}.get(marker, "begun"),
            progress=progress,
            inputs=inputs,
            record=record,
            files={path.relative_to(unit.path).as_posix(): contents[path] for path in paths},
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
    )
    found.paths |= {content: path for path, content in contents.items()}
    found.paths[record] = run.record


def _marker(unit: UnitDir) -> Path | None:
    """The file that says how far a unit is, and what it is made from."""
    every = (unit.record, unit.pending, unit.choices)
    return next((path for path in every if path.exists()), None)


def _plain_files(unit: UnitDir) -> Iterator[Path]:
    for path in sorted(unit.path.iterdir()):
        if path.is_file() and path.name not in _PASSING and not path.name.startswith("."):
            yield path


def newest_progress(unit: UnitDir) -> tuple[int, int]:
    """Epochs done and steps of the next, by the newest training state; zeros if there is none."""
    found = _newest_state(unit)
    return (0, 0) if found is None else found[0]


def _newest_state(unit: UnitDir) -> tuple[tuple[int, int], list[Path]] | None:
    """The newest training state that is whole: its progress and files."""
    for manifest in sorted(unit.checkpoint.glob("epoch-*.json"), reverse=True):
        tensors = manifest.with_suffix(".safetensors")
        state: dict[str, Any] | None = read_json(manifest)
        if state is None or not tensors.exists():
            continue
        if content_of(tensors).sha256 == state["sha256"]:
            return (state["epoch"], state["step"]), [manifest, tensors]
    return None
