"""A small competition of masks with two trained runs and their blend, to be packed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foldwise.config.writing import write_yaml
from foldwise.home import Home
from foldwise.stages.run import run
from tests.builders import SMALL
from tests.stages.mounted_notebooks import QUIET
from tests.stages.small_masks import SMALL_MASKS, masks_home

#: Until dots and bars are known by their colours.
_TRAIN = {**SMALL_MASKS["train"], "epochs": 6, "batch": 4, "lr": 5e-2}
RECIPES: dict[str, Any] = {
    "a": {**SMALL_MASKS, "train": _TRAIN},
    "b": {**SMALL_MASKS, "input": {"size": 24, "zoom": 1.0}, "train": _TRAIN},
}
#: Which of them are there.
GATE: dict[str, Any] = {**SMALL, "target": "presence"}
#: Where each pixel has one class.
EXCLUSIVE: dict[str, Any] = {"formulation": "softmax", "loss": "mask_cross_entropy"}


def make_trained_masks(
    folder: Path,
    names: Sequence[str] = ("a", "b"),
    *,
    exclusive: bool = False,
    is_gated: bool = False,
    **changes: Any,
) -> Home:
    """Two folds each, handed in; two runs, or one with a gate, are blended as `mix`."""
    own = EXCLUSIVE if exclusive else {}
    home = masks_home(folder, RECIPES["a"] | own, num_test=9, exclusive=exclusive, **changes)
    write_yaml(home.recipe("b"), RECIPES["b"] | own)
    blends: dict[str, Any] = {"mix": {"members": list(names)}} if len(names) > 1 else {}
    recipes = {name: {} for name in names}
    if is_gated:
        write_yaml(home.recipe("g"), GATE)
        recipes, blends = recipes | {"g": {}}, {"mix": {"members": list(names), "gate": "g"}}
    plan = {"recipes": recipes, "folds": {"count": 2}, "blends": blends}
    write_yaml(home.plan, plan, overwrite=True)
    run(home, display=QUIET)
    return home
