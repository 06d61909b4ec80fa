"""The folder of a pack: begun beside its place, made complete, and put there whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import foldwise
from foldwise.errors import BudgetError, ConfigError, RunError
from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.rundir import NAME_RULE, is_name
from foldwise.stages.packing.install import code_print
from foldwise.stages.packing.paper import METADATA, write_metadata
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS, NotebookPlatform
from foldwise.stages.packing.wheels import requirements, write_wheels

PACK_FILE = "pack.json"
#: Raised whenever a pack is read otherwise than before.
FORMAT = 1
#: The packed competition, in the pack.
PACKED_HOME = "competition"
#: The trained units of an answer's pack.
PACKED_RUNS = "runs"
NOTEBOOK, ANSWER_NOTEBOOK = "train.ipynb", "answer.ipynb"
#: For those who answer there with a pack that is made for elsewhere.
COLAB_NOTEBOOK = "answer-colab.ipynb"
#: Of files that go into a pack as they are.
SCRIPTS = Path(foldwise.__file__).parent / "stages" / "packing"


def platform_of(on: str) -> NotebookPlatform:
    """The platform of that name.

    Raises:
        ConfigError: there is none.
    """
    if on not in NOTEBOOK_PLATFORMS:
        known = ", ".join(NOTEBOOK_PLATFORMS)
        raise ConfigError(f"--on {on}: no platform known here", remedy=f"known: {known}")
    return NOTEBOOK_PLATFORMS[on]


def making_folder(home: Home, as_name: str) -> Path:
    """An empty folder beside the pack's, which it becomes when it is whole."""
    if not is_name(as_name):
        raise RunError(f"a pack cannot be called {as_name!r}", remedy=NAME_RULE)
    making = home.packs / f".{as_name}.making"
    shutil.rmtree(making, ignore_errors=True)
    return making


def complete(
    making: Path, as_name: str, facts: dict[str, Any], packages: Sequence[str]
) -> list[str]:
    """Add foldwise itself, how it is installed, and what the pack says of itself.

    Returns:
        Names of what is needed and not in the pack.
    """
    missing = write_wheels(making / "wheels", packages)
    shutil.copyfile(SCRIPTS / "install.py", making / "install.py")
    known = {
        "format": FORMAT,
        "name": as_name,
        "foldwise": foldwise.__version__,
        "code": code_print(Path(foldwise.__file__).parent),
        "requires": [*requirements(), *packages],
    }
    publish_json(making / PACK_FILE, {**known, **facts})
    return missing


def published(home: Home, as_name: str, platform: NotebookPlatform, competition: str) -> Path:
    """Put the pack in place of one that is there; what was written into that for uploads stays.

    Raises:
        BudgetError: the platform takes no pack that large.
    """
    folder, making = home.packs / as_name, home.packs / f".{as_name}.making"
    most = platform.max_pack_bytes
    if most is not None and _num_bytes(making) > most:
        raise BudgetError(
            f"{as_name}: {megabytes(making)}, and {platform.title} takes {most / 1e6:.0f} MB",
            remedy="pack a run with fewer units or members",
        )
    if (folder / METADATA).is_file():
        shutil.copyfile(folder / METADATA, making / METADATA)
    elif platform.name == "kaggle":
        write_metadata(making, competition, as_name)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(making, folder)
    return folder


def units_print(runs: Path, asked: Any) -> str:
    """Short hash of what is packed: work folders of other packs of the same name stay apart.

    Args:
        runs: the packed units.
        asked: what they are to do, as JSON.
    """
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
    for path in sorted(runs.rglob("unit.json")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def megabytes(folder: Path) -> str:
    """What a folder's files take, for people."""
    return f"{_num_bytes(folder) / 1e6:.1f} MB"


def _num_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
