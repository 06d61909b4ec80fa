"""Makes a folder that trains elsewhere: competition, recipes, wheels and a notebook."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import foldwise
from foldwise.config.duration import seconds
from foldwise.errors import ConfigError, RunError
from foldwise.publish import publish_json
from foldwise.rundir import NAME_RULE, Home, is_name
from foldwise.stages.display import Display
from foldwise.stages.packing.contents import copy_contents, wanted_recipes
from foldwise.stages.packing.install import code_print
from foldwise.stages.packing.notebooks import training_notebook
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS
from foldwise.stages.packing.wheels import requirements, write_wheels

PACK_FILE = "pack.json"
#: The packed competition, in the pack.
PACKED_HOME = "competition"
NOTEBOOK = "train.ipynb"
EVERY = "10m"
#: Title and id on Kaggle, which its client has the user write into the folder.
_UPLOAD = "dataset-metadata.json"


def pack_training(
    home: Home,
    names: Sequence[str] = (),
    *,
    on: str,
    as_name: str = "train",
    limit: str | None = None,
    display: Display | None = None,
) -> Path:
    """Write `packs/NAME/`: all that a notebook needs but the data.

    Args:
        home: the competition; it has samples and folds.
        names: recipes or runs; none: all of the plan.
        on: name of a platform.
        as_name: name of the pack; one that is there is replaced.
        limit: how long a session may be; None: as the platform allows.
        display: where it is said what to do next.

    Returns:
        The pack's folder.

    Raises:
        ConfigError: unknown platform, no duration, or a recipe that cannot be packed.
        DataError: there are no samples or folds yet.
        RunError: there is neither such a recipe nor such a run, or the pack cannot have that name.
    """
    show = display or Display()
    if on not in NOTEBOOK_PLATFORMS:
        known = ", ".join(NOTEBOOK_PLATFORMS)
        raise ConfigError(f"--on {on}: no platform known here", remedy=f"known: {known}")
    if not is_name(as_name):
        raise RunError(f"a pack cannot be called {as_name!r}", remedy=NAME_RULE)
    platform = NOTEBOOK_PLATFORMS[on]
    seconds(limit or platform.limit)
    recipes = wanted_recipes(home, names)
    folder, making = home.packs / as_name, home.packs / f".{as_name}.making"
    shutil.rmtree(making, ignore_errors=True)
    found = copy_contents(home, Home(making / PACKED_HOME), recipes)
    missing = write_wheels(making / "wheels", found.packages)
    package = Path(foldwise.__file__).parent
    shutil.copyfile(package / "stages" / "packing" / "install.py", making / "install.py")
    publish_json(
        making / PACK_FILE,
        {
            "kind": "train",
            "name": as_name,
            "foldwise": foldwise.__version__,
            "code": code_print(package),
            "requires": [*requirements(), *found.packages],
            "platform": on,
            "marks": list(found.marks),
        },
    )
    notebook = training_notebook(as_name, platform, limit=limit or platform.limit, every=EVERY)
    publish_json(making / NOTEBOOK, notebook)
    if (folder / _UPLOAD).is_file():
        shutil.copyfile(folder / _UPLOAD, making / _UPLOAD)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(making, folder)
    for note in found.notes:
        show.warn(note)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    show.say(f"{folder}: {', '.join(recipes)}; {size / 1e6:.1f} MB")
    show.say(f"the notebook's image must have: {', '.join(missing)}")
    show.say(f"what to do with it: {folder / NOTEBOOK}, and docs/notebooks.md")
    return folder
