"""What a unit held at one moment: its files by content, and how far it was."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foldwise.config.writing import fingerprint
from foldwise.errors import DataError
from foldwise.publish import publish
from foldwise.rundir import is_name

#: How far a unit is, from the least.
STATES = ("begun", "pending", "done")
_CHUNK = 1 << 20
_UNIT = re.compile(r"(all|fold\d+)-seed\d+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Content:
    """Bytes of a file: the same content is the same file, wherever it lies."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """A unit at one moment.

    Attributes:
        run: name of its run.
        unit: such as `fold0-seed0`.
        state: one of `STATES`.
        progress: epochs done and steps of the next, of a begun unit; else zeros.
        inputs: hashes of what it is made from.
        record: the run's record.
        files: path below the unit's folder → content.
        at: when it was seen, ISO form, UTC.
    """

    run: str
    unit: str
    state: str
    progress: tuple[int, int]
    inputs: dict[str, Any]
    record: Content
    files: dict[str, Content]
    at: str

    @property
    def key(self) -> str:
        """Hash of all but the moment."""
        return fingerprint({name: part for name, part in asdict(self).items() if name != "at"})

    @property
    def name(self) -> str:
        """Such as `b/fold0-seed0`."""
        return f"{self.run}/{self.unit}"

    @property
    def rank(self) -> tuple[int, int, int]:
        """How far it is; (0, 0, 0) would be nothing at all."""
        return (STATES.index(self.state) + 1, *self.progress)

    @property
    def contents(self) -> set[Content]:
        """All that it is made of."""
        return {self.record, *self.files.values()}

    def is_same_work(self, other: Manifest) -> bool:
        """Whether both are the same unit, of the same inputs and length."""
        return self.name == other.name and self.inputs == other.inputs


def from_json(value: Any) -> Manifest:
    """A manifest from what `asdict` makes of it.

    Raises:
        DataError: it is none.
    """
    try:
        files = {str(name): Content(**content) for name, content in value["files"].items()}
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
            raise ValueError("a file outside the unit")
        if not _UNIT.fullmatch(value["unit"]) or not is_name(value["run"]):
            raise ValueError("no name of a unit")
        made = Manifest(
            **{
                **value,
                "progress": tuple(value["progress"]),
                "record": Content(**value["record"]),
                "files": files,
            }
        )
        if not all(_SHA256.fullmatch(content.sha256) for content in made.contents):
            raise ValueError("no hash of a file")
        _ = made.rank
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"no manifest of a unit: {error!r}") from None
    return made


def content_of(path: Path) -> Content:
    """The content of a file.

    Raises:
        FileNotFoundError: it is gone.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Content(digest.hexdigest(), size)


def copy_content(source: Path, target: Path, content: Content) -> None:
    """Publish a copy that is sure to be this content.

    Raises:
        DataError: the source holds something else; `target` is as it was.
    """

    def write(part: Path) -> None:
        digest = hashlib.sha256()
        with source.open("rb") as reader, part.open("wb") as writer:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
                writer.write(chunk)
        if digest.hexdigest() != content.sha256:
            raise DataError(
                f"{source}: damaged or changed: its hash is {digest.hexdigest()[:12]}, wanted "
                f"{content.sha256[:12]}",
                remedy="it was not copied; the unit goes on from what else there is",
            )

    publish(target, write)
