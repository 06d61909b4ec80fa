"""The folder of a pack: begun beside its place, made complete, and put there whole."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import foldwise
from foldwise.config.competition import Competition
from foldwise.errors import BudgetError, ConfigError, RunError
from foldwise.home import Home
from foldwise.publish import locked, publish_json
from foldwise.rundir import NAME_RULE, is_name
from foldwise.stages.packing.install import code_print
from foldwise.stages.packing.paper import METADATA, write_metadata
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS, NotebookPlatform
from foldwise.stages.packing.wheels import EXTRAS, requirements, write_wheels

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
#: Endings of what is on its way to be a pack, and of the pack that it takes the place of.
_MAKING, _BEFORE = ".making", ".before"

P = ParamSpec("P")
T = TypeVar("T")


def one_at_a_time(pack: Callable[Concatenate[Home, P], T]) -> Callable[Concatenate[Home, P], T]:
    """A function that packs, done by one process of a competition at once.

    Two would take each other's folders, and measure each other's load.
    """

    @functools.wraps(pack)
    def alone(home: Home, /, *args: P.args, **options: P.kwargs) -> T:
        with locked(home.stamp("pack").with_suffix(".lock"), doing="packing"):
            _sweep(home.packs)  # What a killed one left.
            try:
                return pack(home, *args, **options)
            finally:
                _sweep(home.packs)

    return alone


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
    return home.packs / f".{as_name}{_MAKING}"


def complete(
    making: Path,
    as_name: str,
    facts: dict[str, Any],
    competition: Competition,
    packages: Sequence[str] = (),
) -> list[str]:
    """Add foldwise itself, how it is installed, and what the pack says of itself.

    Args:
        making: the folder.
        as_name: of the pack.
        facts: that it says.
        competition: what is asked; where that are masks, what works on them is needed as well.
        packages: with weights, that recipes start from.

    Returns:
        Names of what is needed and not in the pack.
    """
    extras = [] if competition.masks is None else ["masks"]
    missing = write_wheels(making / "wheels", packages, extras=extras)
    shutil.copyfile(SCRIPTS / "install.py", making / "install.py")
    known = {
        "format": FORMAT,
        "name": as_name,
        "foldwise": foldwise.__version__,
        "code": code_print(Path(foldwise.__file__).parent),
        "requires": [*requirements(), *packages, *(line for e in extras for line in EXTRAS[e])],
    }
    publish_json(making / PACK_FILE, {**known, **facts})
    return missing


def published(home: Home, as_name: str, platform: NotebookPlatform, competition: str) -> Path:
    """Put the pack in place of one that is there; what was written into that for uploads stays.

    The one that was there is gone only once this one has its name: see `_sweep`.

    Raises:
        BudgetError: the platform takes no pack that large.
    """
    folder, making = home.packs / as_name, home.packs / f".{as_name}{_MAKING}"
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
    before = home.packs / f".{as_name}{_BEFORE}"
    if folder.exists():
        os.replace(folder, before)
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


def _sweep(packs: Path) -> None:
    """Remove what is no pack any more or never became one; one that nothing replaced comes back."""
    for before in packs.glob(f".*{_BEFORE}"):
        folder = packs / before.name[1 : -len(_BEFORE)]
        if folder.exists():
            shutil.rmtree(before)
        else:
            os.replace(before, folder)
    for making in packs.glob(f".*{_MAKING}"):
        shutil.rmtree(making)


def _num_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
