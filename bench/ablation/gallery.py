"""The gallery's recipes: what each is tried on, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from studies import FOLDER

from foldwise.publish import publish_bytes

RECIPES = FOLDER.parents[1] / "recipes"


@dataclass(frozen=True)
class Entry:
    """A recipe of the gallery, or a blend of some.

    Attributes:
        name: of the recipe's file in `recipes/`, or of the blend.
        pack: the data set it is for.
        shows: what it is an example of, one line.
        init: options of `foldwise init`.
        num_folds: of the competition it is measured in.
        overrides: what the measured run has less of, so that it fits two cores.
        members: of a blend; empty: it is a recipe.
        method: how they are blended.
        is_measured: False: it does not fit this machine.
    """

    name: str
    pack: str
    shows: str
    init: tuple[str, ...]
    num_folds: int
    overrides: tuple[str, ...]
    members: tuple[str, ...]
    method: str
    is_measured: bool

    @property
    def file(self) -> Path:
        """The recipe."""
        return RECIPES / f"{self.name}.yaml"


def read_entries() -> list[Entry]:
    """The gallery, in the order of its table."""
    text = (FOLDER / "gallery.yaml").read_text(encoding="utf-8")
    values = YAML(typ="safe", pure=True).load(text)
    packs = values["packs"]
    return [
        Entry(
            name=name,
            pack=entry["pack"],
            shows=entry["shows"],
            init=tuple(packs[entry["pack"]]["init"]),
            num_folds=packs[entry["pack"]]["folds"],
            overrides=tuple(entry.get("measured_with", ())),
            members=tuple(entry.get("members", ())),
            method=entry.get("method", "mean"),
            is_measured=entry.get("measured", True),
        )
        for name, entry in values["recipes"].items()
    ]


def copy_recipes(folder: Path) -> None:
    """Put the gallery's recipes into a competition, as its user would."""
    for path in sorted(RECIPES.glob("*.yaml")):
        publish_bytes(folder / path.name, path.read_bytes())
