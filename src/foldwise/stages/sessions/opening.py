"""Lays a pack's competition out to be worked in: its files, the data, units of earlier sessions."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foldwise import __version__
from foldwise.errors import FoldwiseError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.display import Display
from foldwise.stages.packing.contents import DATA
from foldwise.stages.packing.making import FORMAT, PACK_FILE, PACKED_HOME, PACKED_RUNS
from foldwise.stages.sync import sync

#: Kind of pack → what it is for, and how one is made.
_KINDS = {
    "train": ("a pack for training", "foldwise pack --train --on NAME"),
    "answer": ("a pack that answers", "foldwise pack RUN --limit 9h --on NAME"),
}


def kind_of(pack: Path) -> str:
    """Of which kind a pack is.

    Raises:
        RunError: it is no pack.
    """
    facts = read_json(pack / PACK_FILE)
    kind = facts.get("kind") if isinstance(facts, dict) else None
    if kind not in _KINDS:
        remedies = " or ".join(how for _, how in _KINDS.values())
        raise RunError(f"{pack}: no pack", remedy=f"make one: {remedies}")
    return str(kind)


def read_pack(pack: Path, kind: str) -> dict[str, Any]:
    """What a pack of a kind says of itself.

    Raises:
        RunError: it is none.
    """
    if kind_of(pack) != kind:
        what, how = _KINDS[kind]
        raise RunError(f"{pack}: not {what}", remedy=f"make one: {how}")
    facts: dict[str, Any] = read_json(pack / PACK_FILE)
    if facts.get("format") != FORMAT:
        raise RunError(
            f"{pack}: packed by foldwise {facts.get('foldwise')}, and this is {__version__}, which "
            "reads packs otherwise",
            remedy="run it with its own foldwise: python install.py wheels; or pack it again",
        )
    return facts


def submission_of(facts: Mapping[str, Any]) -> str:
    """The name of the file that a pack hands in; older packs do not say it."""
    return str(facts.get("submission", "submission.csv"))


def open_home(pack: Path, data: Path, folder: Path) -> Home:
    """The pack's competition in a folder of its own, with the data beside it.

    What an earlier session has left there stays: runs, cache, records of time.
    """
    shutil.copytree(pack / PACKED_HOME, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for copied in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        if not copied.is_symlink():  # A mounted pack's folders are read-only, and so is a copy.
            copied.chmod(copied.stat().st_mode | stat.S_IRWXU)
    link = folder / DATA
    link.unlink(missing_ok=True)
    link.symlink_to(data.resolve())
    return Home(folder)


def lay_out_runs(pack: Path, home: Home) -> None:
    """Put a pack's trained units into its competition; those that are there stay.

    Weights, which are large and only read, stay in the pack.
    """
    packed = pack / PACKED_RUNS
    for source in sorted(path for path in packed.rglob("*") if path.is_file()):
        target = home.runs / source.relative_to(packed)
        if target.is_symlink() and target.resolve() != source.resolve():
            target.unlink()  # Of a pack that lay elsewhere.
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".safetensors":
            target.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, target)


def restore(home: Home, stores: Sequence[Path], display: Display) -> None:
    """Take over what earlier sessions have trained; a store that cannot be read is told."""
    for store in stores:
        try:
            sync(store, home.path, display=display)
        except (FoldwiseError, OSError) as problem:
            display.warn(f"{store}: could not be read: {problem}")
