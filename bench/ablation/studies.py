"""What is tried on a pack: a base recipe and tricks that change one thing in it, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from foldwise.config.loading import load
from foldwise.config.recipe import Recipe
from foldwise.publish import publish_text

FOLDER = Path(__file__).resolve().parent
BASE = "base"


@dataclass(frozen=True)
class Depth:
    """How far a run is trained.

    Attributes:
        seeds: of its units.
        folds: that are held out; None: all there are.
    """

    seeds: tuple[int, ...]
    folds: tuple[int, ...] | None = None

    @property
    def label(self) -> str:
        """Names the file that says that it is done: `3`, or `3-fold0`."""
        folds = "" if self.folds is None else "-fold" + "-".join(map(str, self.folds))
        return f"{len(self.seeds)}{folds}"

    def __str__(self) -> str:
        where = "" if self.folds is None else f", fold {', '.join(map(str, self.folds))}"
        return f"{len(self.seeds)} seeds{where}"


#: The first look: it gives a difference and no verdict.
SCREEN = Depth((0, 1, 2))
#: The look at what is not to get a verdict.
QUICK_SCREEN = Depth((0, 1, 2), (0,))
#: From here on `foldwise compare` is asked for a verdict: on two folds, eight paired units.
VERDICT = Depth((0, 1, 2, 3))


@dataclass(frozen=True)
class Trick:
    """One change of a recipe.

    Attributes:
        name: of its recipe and run.
        reference: the recipe it changes and is compared with: the base, or another trick.
        changes: keys laid over the reference.
    """

    name: str
    reference: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """The tricks on one pack.

    Attributes:
        pack: name of the data set's folder.
        init: options of `foldwise init` for it.
        num_folds: every seed is trained on all of them.
        num_first: how many tricks of the list get a verdict; the others are screened.
        base: the recipe that is changed.
        tricks: in the order of work.
    """

    pack: str
    init: tuple[str, ...]
    num_folds: int
    num_first: int
    base: Mapping[str, Any]
    tricks: tuple[Trick, ...]

    def write_recipes(self, folder: Path) -> None:
        """One recipe file for the base and each trick; a trick's extends its reference's.

        Raises:
            ConfigError: a file is no recipe.
        """
        _write_yaml(folder / f"{BASE}.yaml", self.base)
        for trick in self.tricks:
            changed = {"extends": f"{trick.reference}.yaml", **trick.changes}
            _write_yaml(folder / f"{trick.name}.yaml", changed)
        for name in (BASE, *(trick.name for trick in self.tricks)):
            load(folder / f"{name}.yaml", Recipe)

    def needed(self, trick: Trick) -> list[str]:
        """The recipes that must be trained before the trick's can be compared, and its own."""
        by_name = {each.name: each for each in self.tricks}
        chain_up = [trick.name]
        while chain_up[0] != BASE:
            chain_up.insert(0, by_name[chain_up[0]].reference)
        return chain_up


def read_study(path: Path) -> Study:
    """The study that a YAML file describes."""
    values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    tricks = tuple(
        Trick(name, changes.pop("extends", BASE), changes)
        for name, changes in values["tricks"].items()
    )
    return Study(
        pack=values["pack"],
        init=tuple(values["init"]),
        num_folds=values["folds"],
        num_first=values["first"],
        base=values["base"],
        tricks=tricks,
    )


def read_studies() -> list[Study]:
    """All studies, in the order of work."""
    return [
        read_study(FOLDER / f"{name}.yaml") for name in ("tiny20", "animals-tail", "fundus-grade")
    ]


def in_order(
    studies: Sequence[Study],
    *,
    first: bool,
    is_open: Callable[[Study, Trick], bool] = lambda study, trick: True,
) -> list[tuple[Study, str]]:
    """Recipes in the order of work: the packs take turns, so that each has its first tricks early.

    What a trick is compared with comes before it. No result is looked at: which tricks go on is
    said by their place in the list, so none has its verdict for a lucky screen.

    Args:
        studies: which packs.
        first: the first of each list, or the others.
        is_open: whether a trick is still to be measured.
    """
    lines = []
    for study in studies:
        cut = study.num_first
        tricks = study.tricks[:cut] if first else study.tricks[cut:]
        left = [trick for trick in tricks if is_open(study, trick)]
        lines.append([(study, name) for trick in left for name in study.needed(trick)])
    order: dict[tuple[str, str], tuple[Study, str]] = {}
    for turn in chain.from_iterable(zip_longest(*lines)):
        if turn is not None:
            order.setdefault((turn[0].pack, turn[1]), turn)
    return list(order.values())


def _write_yaml(path: Path, values: Mapping[str, Any]) -> None:
    text = StringIO()
    YAML(pure=True).dump(dict(values), text)
    if not path.exists() or path.read_text(encoding="utf-8") != text.getvalue():
        publish_text(path, text.getvalue())
