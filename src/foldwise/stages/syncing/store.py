"""A folder that many machines add to: contents by hash, and manifests that are never changed.

```
store.json                                what this folder is
objects/3f/3fa1...                        contents, named by their SHA-256
suspects/3fa1...                          marks of contents that once were read with another hash
units/RUN/UNIT/KEY.json                   manifests, named by their own hash
costs/ID.json                             records of time, each of one process
```

Locks do not cross machines, so none is needed: two machines that write at the same time write
files of other names, or the same content. Only states of training that a further one of the same
unit replaces are ever deleted: nothing else names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from foldwise.errors import DataError, FoldwiseError
from foldwise.json_files import read_json
from foldwise.publish import publish_bytes, publish_json
from foldwise.stages.syncing.manifest import Content, Manifest, content_of, from_json
from foldwise.stages.syncing.snapshot import Snapshot
from foldwise.time_records import read_record

STORE_FILE = "store.json"
_FORMAT = 1


@dataclass(frozen=True)
class Added:
    """What a store was given.

    Attributes:
        units: names of the units of which it has more than before.
        num_bytes: that were copied.
        notes: what was not, and why.
        no_room: what had no room.
    """

    units: tuple[str, ...]
    num_bytes: int
    notes: tuple[str, ...]
    no_room: tuple[str, ...]


@dataclass(frozen=True)
class Store:
    """A store at a path."""

    path: Path

    @property
    def mark(self) -> Path:
        """Says that the folder is a store."""
        return self.path / STORE_FILE

    def check(self) -> None:
        """See that it is a store of a format known here.

        Raises:
            DataError: it is not.
        """
        found = read_json(self.mark)
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise DataError(
                f"{self.mark}: not the mark of a store that this foldwise can read",
                remedy="name the folder that `foldwise sync` made, or update foldwise",
            )

    def read(self) -> Snapshot:
        """All units of which every content is there."""
        self.check()
        found = Snapshot(costs=sorted((self.path / "costs").glob("*.json")))
        for path in sorted(self.path.glob("units/*/*/*.json")):
            try:
                manifest = from_json(read_json(path))
                if path != self._manifest(manifest):
                    raise DataError("it is not what its name says")
            except FoldwiseError as error:
                found.notes.append(f"{path}: passed over: {error.problems[0]}")
                continue
            lacking = [content for content in manifest.contents if not self._has(content)]
            if lacking:
                found.notes.append(f"{path}: passed over: {len(lacking)} of its files are not here")
                continue
            found.manifests.append(manifest)
            found.paths |= {content: self._object(content) for content in manifest.contents}
        return found

    def add(self, given: Snapshot, *, max_bytes: int | None = None) -> Added:
        """Add what is not there yet: whole units first, then those that are furthest.

        Args:
            given: units and records of time.
            max_bytes: that all contents may take together; what has no room is told.

        Raises:
            OSError: the folder cannot be written.
        """
        if not self.mark.exists():
            publish_json(self.mark, {"format": _FORMAT})
        # First: they are small, and a kill may come at any time.
        untimed = copy_costs(given.costs, self.path / "costs")
        there = self.read().manifests
        size = self.size()
        units, notes, no_room, copied = [], [*given.notes, *untimed], [], 0
        for manifest in sorted(given.manifests, key=lambda m: m.rank, reverse=True):
            same = [old for old in there if old.is_same_work(manifest)]
            if any(old.rank >= manifest.rank for old in same):
                continue
            new = [content for content in manifest.contents if not self._has(content)]
            need = sum(content.size for content in new)
            others = [manifest, *(old for old in there if old not in same)]
            dropped = _states(same) - {content for kept in others for content in kept.contents}
            free = sum(content.size for content in dropped)
            if max_bytes is not None and size + need - free > max_bytes:
                no_room.append(f"{manifest.name}: no room: {need / 1e6:.0f} MB more to be kept")
                continue
            try:
                for content in new:
                    given.copy(content, self._object(content))
                    self._suspect(content).unlink(missing_ok=True)
            except (DataError, FileNotFoundError):
                notes.append(f"{manifest.name}: went on while it was copied; next time")
                continue
            publish_json(self._manifest(manifest), asdict(manifest))
            for old in same:
                self._manifest(old).unlink(missing_ok=True)
            for content in dropped:
                self._object(content).unlink(missing_ok=True)
            there = others
            size, copied = size + need - free, copied + need
            units.append(manifest.name)
        return Added(tuple(units), copied, tuple(notes), tuple(no_room))

    def size(self) -> int:
        """Bytes of all contents."""
        return sum(path.stat().st_size for path in self.path.glob("objects/*/*"))

    def suspect(self, contents: Iterable[Content]) -> None:
        """Mark contents that were read with another hash: they are compared from now on.

        What is damaged then counts as absent, until a machine that has it brings it again.
        """
        for content in contents:
            publish_bytes(self._suspect(content), b"")

    def _has(self, content: Content) -> bool:
        path = self._object(content)
        if not path.exists() or path.stat().st_size != content.size:
            return False
        return not self._suspect(content).exists() or content_of(path) == content

    def _suspect(self, content: Content) -> Path:
        return self.path / "suspects" / content.sha256

    def _object(self, content: Content) -> Path:
        return self.path / "objects" / content.sha256[:2] / content.sha256

    def _manifest(self, manifest: Manifest) -> Path:
        return self.path / "units" / manifest.run / manifest.unit / f"{manifest.key}.json"


def is_store(path: Path) -> bool:
    """Whether a folder is a store."""
    return (path / STORE_FILE).exists()


def copy_costs(sources: Sequence[Path], folder: Path) -> list[str]:
    """Copy records of time, unless those there count as much: a process only grows.

    Returns:
        What was not copied since it is damaged.
    """
    notes = []
    for source in sources:
        target = folder / source.name
        try:
            seconds = read_record(source).seconds
        except DataError as error:
            notes.append(f"{error.problems[0]}: left")
            continue
        if seconds > _counted_s(target):
            publish_bytes(target, source.read_bytes())
    return notes


def _counted_s(path: Path) -> float:
    """Seconds that a record of time counts; less than any where there is none, or damaged."""
    try:
        return read_record(path).seconds if path.exists() else -1.0
    except DataError:
        return -1.0


def _states(manifests: Sequence[Manifest]) -> set[Content]:
    """Contents that are states of training: of no other unit, and of no use once it is further."""
    return {
        content
        for manifest in manifests
        for name, content in manifest.files.items()
        if name.startswith(("checkpoint/", "epochs/"))
    }
