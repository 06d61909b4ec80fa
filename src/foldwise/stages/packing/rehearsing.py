"""Says what a pack for training would hold, and writes none."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from foldwise.config.duration import seconds
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.rundir import NAME_RULE, is_name
from foldwise.stages.display import Display
from foldwise.stages.packing.contents import copy_contents, wanted_recipes
from foldwise.stages.packing.making import megabytes, platform_of


def rehearse_training(
    home: Home,
    names: Sequence[str] = (),
    *,
    on: str,
    as_name: str = "train",
    limit: str | None = None,
    display: Display | None = None,
) -> None:
    """Say what `pack_training` would pack, or refuse what it would; see there.

    What goes in is gathered in a temporary folder; nothing is written into the competition's.

    Args:
        home: the competition.
        names: recipes or runs; none: all of the plan.
        on: name of a platform.
        as_name: name of the pack.
        limit: how long a session may be; None: as the platform allows.
        display: where it is said.

    Raises:
        ConfigError: unknown platform, no duration, or a recipe that cannot be packed.
        DataError: there are no samples or folds yet.
        RunError: there is neither such a recipe nor such a run, or the pack cannot have that name.
    """
    show = display or Display()
    platform = platform_of(on)
    seconds(limit or platform.limit)
    if not is_name(as_name):
        raise RunError(f"a pack cannot be called {as_name!r}", remedy=NAME_RULE)
    recipes = wanted_recipes(home, names)
    with tempfile.TemporaryDirectory() as folder:
        found = copy_contents(home, Home(Path(folder)), recipes)
        size = megabytes(Path(folder))
    for note in found.notes:
        show.warn(note)
    packages = f"; with {', '.join(found.packages)}" if found.packages else ""
    show.say(
        f"would pack for {platform.title}, for sessions of {limit or platform.limit}: "
        f"{', '.join(recipes)}; {size} and the wheels{packages}"
    )
    show.say(f"{home.packs / as_name}: not written")
