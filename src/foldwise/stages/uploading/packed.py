"""A pack on its way to a platform: what it is called there, its content's hash, its zip files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.packing.making import ANSWER_NOTEBOOK, NOTEBOOK, PACK_FILE
from foldwise.stages.packing.paper import METADATA, YOUR_NAME, dataset_title, slug_of_title
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS
from foldwise.stages.scoring.held_out import file_hash

_TIME = (1980, 1, 1, 0, 0, 0)
_PLATFORM = "kaggle"


@dataclass(frozen=True)
class Packed:
    """A pack.

    Attributes:
        folder: where it lies.
        facts: of `pack.json`.
        notebook: the file of its notebook.
        sha256: of its content.
    """

    folder: Path
    facts: dict[str, Any]
    notebook: Path
    sha256: str

    @property
    def name(self) -> str:
        """As its notebook looks for it."""
        return str(self.facts["name"])

    @property
    def trains(self) -> bool:
        """Whether it trains, and its notebook may run again and again."""
        return self.facts.get("kind") == "train"

    @property
    def has_gpu(self) -> bool:
        """Whether its notebook wants one."""
        metadata = json.loads(self.notebook.read_text("utf-8")).get("metadata", {})
        return bool(metadata.get("accelerator") == "GPU")


def read_packed(home: Home, name: str) -> Packed:
    """A pack by its name or path.

    Raises:
        RunError: there is none, or it is not for this platform.
    """
    folder = Path(name) if (Path(name) / PACK_FILE).is_file() else home.packs / name
    facts = read_json(folder / PACK_FILE)
    if not isinstance(facts, dict):
        known = ", ".join(sorted(path.parent.name for path in home.packs.glob(f"*/{PACK_FILE}")))
        raise RunError(f"there is no pack {name!r}", remedy=f"known: {known or 'none'}")
    platform = NOTEBOOK_PLATFORMS.get(str(facts.get("platform")))
    if platform is None or platform.name != _PLATFORM:
        raise RunError(
            f"{folder}: is a pack for {facts.get('platform')}, and only Kaggle can be pushed to",
            remedy="pack it with --on kaggle",
        )
    notebook = folder / (NOTEBOOK if facts.get("kind") == "train" else ANSWER_NOTEBOOK)
    if not notebook.is_file():
        raise RunError(f"{folder}: there is no {notebook.name}", remedy="pack it again")
    return Packed(folder, facts, notebook, _content_hash(folder))


def called(pack: Packed, username: str, competition: str) -> tuple[str, str, str]:
    """Owner, name in addresses and title of the dataset: as the pack's metadata say, or made up.

    Raises:
        RunError: the metadata name none.
    """
    said = read_json(pack.folder / METADATA)
    if said is not None:
        owner, _, slug = str(said.get("id", "")).partition("/")
        if not owner or not slug or "INSERT" in f"{owner}{slug}{said.get('title')}":
            raise RunError(
                f"{pack.folder / METADATA}: found id {said.get('id')!r}, wanted user/name",
                remedy="fill in title and id, or delete it: both are then made of names here",
            )
        return username if owner == YOUR_NAME else owner, slug, str(said.get("title") or slug)
    title = dataset_title(competition, pack.name)
    return username, slug_of_title(title), title


@contextmanager
def zipped(pack: Packed) -> Iterator[list[Path]]:
    """The files to upload: those of the pack itself, and each folder in it as a zip file.

    The same content is the same file, so that after a kill it is known again.
    """
    folder = pack.folder.parent / f".{pack.folder.name}.upload"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        entries = [path for path in sorted(pack.folder.iterdir()) if _counts(path)]
        yield [_prepared(path, folder) for path in entries if path.is_file() or _files(path)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(path: Path, folder: Path) -> Path:
    if path.is_file():
        return path
    archive, files = folder / f"{path.name}.zip", _files(path)
    # Weights and wheels are packed already, and nothing else takes room.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for each in files:
            info = zipfile.ZipInfo(each.relative_to(path).as_posix(), _TIME)
            info.external_attr = 0o644 << 16
            with each.open("rb") as source, file.open(info, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    newest = max(each.stat().st_mtime for each in files)
    os.utime(archive, (newest, newest))
    return archive


def _content_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        if _counts(path) or path.parent != folder:
            line = f"{path.relative_to(folder).as_posix()}\0{file_hash(path)}\0"
            digest.update(line.encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _counts(path: Path) -> bool:
    """Whether an entry of the pack's folder is part of it."""
    return path.name != METADATA and not path.name.startswith(".")
