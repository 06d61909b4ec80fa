"""A folder that many machines add to: contents by hash, and manifests that are never changed.

```
store.json                                what this folder is
objects/3f/3fa1...                        contents, named by their SHA-256
units/RUN/UNIT/KEY.json                   manifests, named by their own hash
costs/ID.json                             records of time, each of one process
```

Locks do not cross machines, so none is needed: two machines that write at the same time write
files of other names, or the same content.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from foldwise.errors import DataError, FoldwiseError
from foldwise.publish import publish_bytes, publish_json
from foldwise.rundir import read_json
from foldwise.stages.syncing.manifest import Content, Manifest, copy_content, from_json
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
    """

    units: tuple[str, ...]
    num_bytes: int
    notes: tuple[str, ...]


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
        for path in given.costs:  # First: they are small, and a kill may come at any time.
            copy_costs(path, self.path / "costs" / path.name)
        there = self.read().manifests
        size = self.size()
        units, notes, copied = [], list(given.notes), 0
        for manifest in sorted(given.manifests, key=lambda m: m.rank, reverse=True):
            if any(old.is_same_work(manifest) and old.rank >= manifest.rank for old in there):
                continue
            new = [content for content in manifest.contents if not self._has(content)]
            need = sum(content.size for content in new)
            if max_bytes is not None and size + need > max_bytes:
                notes.append(f"{manifest.name}: no room: {need / 1e6:.0f} MB more than may be kept")
                continue
            try:
                for content in new:
                    copy_content(given.paths[content], self._object(content), content)
            except (DataError, FileNotFoundError):
                notes.append(f"{manifest.name}: went on while it was copied; next time")
                continue
            publish_json(self._manifest(manifest), asdict(manifest))
            size, copied = size + need, copied + need
            units.append(manifest.name)
            there.append(manifest)
            size -= self._drop_lesser(manifest, there)
        return Added(tuple(units), copied, tuple(notes))

    def size(self) -> int:
        """Bytes of all contents."""
        return sum(path.stat().st_size for path in self.path.glob("objects/*/*"))

    def _drop_lesser(self, newest: Manifest, there: list[Manifest]) -> int:
        """Drop states of the same work that are less far, and what only they were made of.

        Contents that no manifest names are left: another machine may be about to name them.

        Returns:
            Bytes that are free now.
        """
        lesser = [old for old in there if old.is_same_work(newest) and old.rank < newest.rank]
        there[:] = [old for old in there if old not in lesser]
        still = {content for manifest in there for content in manifest.contents}
        free = 0
        for old in lesser:
            self._manifest(old).unlink(missing_ok=True)
            for content in old.contents - still:
                self._object(content).unlink(missing_ok=True)
                free += content.size
        return free

    def _has(self, content: Content) -> bool:
        path = self._object(content)
        return path.exists() and path.stat().st_size == content.size

    def _object(self, content: Content) -> Path:
        return self.path / "objects" / content.sha256[:2] / content.sha256

    def _manifest(self, manifest: Manifest) -> Path:
        return self.path / "units" / manifest.run / manifest.unit / f"{manifest.key}.json"


def is_store(path: Path) -> bool:
    """Whether a folder is a store."""
    return (path / STORE_FILE).exists()


def copy_costs(source: Path, target: Path) -> None:
    """Copy a record of time, unless the one there counts as much: a process only grows."""
    if not target.exists() or read_record(target).seconds < read_record(source).seconds:
        publish_bytes(target, source.read_bytes())
