"""Brings a pack to Kaggle as a private dataset, each content once."""

from __future__ import annotations

from typing import Any

from foldwise.platforms import kaggle_datasets as kaggle
from foldwise.platforms.kaggle_line import AnyLine
from foldwise.stages.display import Display
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.uploading.memory import Memory
from foldwise.stages.uploading.moving import moving, wait_for
from foldwise.stages.uploading.packed import Packed, zipped

_KIND = "dataset"


def upload_pack(
    line: AnyLine, memory: Memory, pack: Packed, where: tuple[str, str, str], show: Display
) -> int:
    """Make a dataset, or a new version of it, of a pack, and wait until it can be mounted.

    Args:
        line: to Kaggle.
        memory: of what is there.
        pack: what is uploaded.
        where: owner, name in addresses and title of the dataset.
        show: where progress is shown.

    Returns:
        The version that holds the pack.

    Raises:
        PlatformError: Kaggle refuses it, or cannot be asked.
    """
    owner, slug, title = where
    key = f"{owner}/{slug}"
    known = memory.read(_KIND, key)
    supposed = kaggle.Dataset(known["version"], "") if "version" in known else None
    there = kaggle.find_dataset(line, owner, slug, supposed=supposed)
    if there is not None and _holds(there, known, pack):
        version = there.version
        show.say(f"dataset {key}: version {version} is this pack already")
    else:
        tokens = _blobs(line, memory, key, pack, show)
        notes = _notes(pack)
        if there is None:
            version = kaggle.create_dataset(line, owner, slug, title, tokens, notes=notes)
        else:
            version = kaggle.add_version(
                line, owner, slug, tokens, notes=notes, version=there.version
            )
        show.say(f"dataset {key}: version {version} is uploaded")
    memory.write(_KIND, key, {"sha256": pack.sha256, "version": version})
    wait_for(
        lambda: kaggle.is_ready(line, owner, slug),
        is_over=bool,
        words=lambda _: f"dataset {key}: Kaggle unpacks it",
        show=show,
    )
    return version


def version_of(
    line: AnyLine, memory: Memory, pack: Packed, where: tuple[str, str, str]
) -> int | None:
    """The version that holds a pack, if it is remembered or the newest; None: it is not there.

    Args:
        line: to Kaggle.
        memory: of what is there.
        pack: the pack.
        where: see `upload_pack`.
    """
    owner, slug, _ = where
    known = memory.read(_KIND, f"{owner}/{slug}")
    if "version" in known and known.get("sha256") == pack.sha256:
        return int(known["version"])
    there = kaggle.find_dataset(line, owner, slug, supposed=None)
    return there.version if there is not None and _holds(there, known, pack) else None


def _holds(there: kaggle.Dataset, known: dict[str, Any], pack: Packed) -> bool:
    """Whether the newest version is this content: its notes say so, or it was remembered."""
    is_known = known.get("sha256") == pack.sha256 and known.get("version") == there.version
    return is_known or _mark(pack) in there.notes


def _notes(pack: Packed) -> str:
    return f"Pack {pack.name} of foldwise {pack.facts['foldwise']}, {_mark(pack)}"


def _mark(pack: Packed) -> str:
    return f"sha256 {pack.sha256[:16]}"


def _blobs(line: AnyLine, memory: Memory, key: str, pack: Packed, show: Display) -> list[str]:
    """The tokens of all files; those that an interrupted upload has brought over are kept."""
    known = memory.read(_KIND, key)
    blobs: dict[str, dict[str, str]] = known.get("blobs", {})
    tokens = []
    with zipped(pack) as paths:
        for path in paths:
            sha256 = str(file_hash(path))
            blob = blobs.get(path.name)
            if blob is None or blob["sha256"] != sha256:
                token = kaggle.upload_blob(line, path, moving(show))
                blob = blobs[path.name] = {"sha256": sha256, "token": token}
                memory.write(_KIND, key, {**known, "blobs": blobs})
            tokens.append(blob["token"])
    return tokens
