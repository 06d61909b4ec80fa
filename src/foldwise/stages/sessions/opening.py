"""Lays a pack's competition out to be worked in: its files, the data, units of earlier sessions."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foldwise.errors import FoldwiseError, RunError
from foldwise.rundir import Home, read_json
from foldwise.stages.display import Display
from foldwise.stages.pack import PACK_FILE, PACKED_HOME
from foldwise.stages.packing.contents import DATA
from foldwise.stages.sync import sync


def read_pack(pack: Path) -> dict[str, Any]:
    """What a training pack says of itself.

    Raises:
        RunError: it is none.
    """
    facts = read_json(pack / PACK_FILE)
    if not isinstance(facts, dict) or facts.get("kind") != "train":
        raise RunError(
            f"{pack}: not a pack for training", remedy="make one: foldwise pack --train --on NAME"
        )
    return facts


def open_home(pack: Path, data: Path, folder: Path) -> Home:
    """The pack's competition in a folder of its own, with the data beside it.

    What an earlier session has left there stays: runs, cache, records of time.
    """
    shutil.copytree(pack / PACKED_HOME, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    link = folder / DATA
    link.unlink(missing_ok=True)
    link.symlink_to(data.resolve())
    return Home(folder)


def restore(home: Home, stores: Sequence[Path], display: Display) -> None:
    """Take over what earlier sessions have trained; a store that cannot be read is told."""
    for store in stores:
        try:
            sync(store, home.path, display=display)
        except (FoldwiseError, OSError) as problem:
            display.warn(f"{store}: could not be read: {problem}")
