"""Rules on views and symmetries: what is unknown, does harm, or was never trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.parts import Spec, name_of, options_of
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.views import View, views_of
from foldwise.views.symmetry import generated, symmetry_of

#: Augmentation → symmetries of the images it makes. Nothing else mirrors: what is not here and not
#: in `_MOST_DEGREES` neither mirrors nor turns.
_SYMMETRIES = {
    "hflip": ("hflip",),
    "vflip": ("vflip",),
    "rot90": ("rot90", "rot180", "rot270"),
}
#: Augmentations that turn → by how many degrees at most, if the recipe does not say.
_MOST_DEGREES = {"rotate": 15.0, "rand_augment": 30.0, "trivial_augment": 135.0, "aug_mix": 30.0}
_TURNS = {"rot90": 90.0, "rot270": 90.0, "rot180": 180.0}
#: A turn of more than this is nearer to the quarter turn than to none.
_SMALL_TURN = 45.0


def repeated_views(case: RecipeCase) -> Iterator[Fault]:
    """A view stands there twice."""
    views = case.recipe.views
    for index, view in enumerate(views):
        if view in views[:index]:
            yield error(
                f"views.{index}",
                f"{name_of(view)} stands there twice, and counts once",
                "take one out",
            )


def views(case: RecipeCase) -> Iterator[Fault]:
    """A view is unknown, or the image as it is is left out."""
    problems = 0
    for index, spec in enumerate(case.recipe.views):
        try:
            views_of([spec])
        except ConfigError as problem:
            problems += 1
            yield error(f"views.{index}", "; ".join(problem.problems), problem.remedy)
    if problems:
        return
    try:
        found = views_of(case.recipe.views)
    except ConfigError as problem:
        text = "; ".join(problem.problems).removeprefix("views: ")
        yield error("views", text, problem.remedy)
        return
    if not any(not view.steps for view in found):
        yield warning("views", "the image as it is is not among them", "add identity")


def harmful_symmetry(case: RecipeCase) -> Iterator[Fault]:
    """A flip or turn is used that `init` did not find harmless."""
    verdicts = symmetry_verdicts(case.ground.home)
    for index, spec in enumerate(case.recipe.augment):
        made = _symmetries_made(spec, within=_SMALL_TURN)
        for name in sorted(made & set(verdicts) or made):
            if why := harm_of(name, verdicts):
                yield warning(
                    f"augment.{index}",
                    f"{name_of(spec)}: {why}",
                    f"{_without(spec)}; a turned image may be of another class",
                )
    for key, symmetry in _shown(case.recipe):
        if why := harm_of(symmetry, verdicts):
            yield warning(key, why, "take it out")


def view_unlike_training(case: RecipeCase) -> Iterator[Fault]:
    """A network is shown views at the end that it never trained on."""
    trained = trained_symmetries(case.recipe)
    for key, symmetry in _shown(case.recipe):
        if trained is not None and symmetry not in trained:
            yield warning(
                key,
                f"{symmetry}: a network trained from scratch has never seen an image like that",
                f"add {_augment_for(symmetry)} to augment if it does no harm, or take the view out",
            )


def symmetry_verdicts(home: Home) -> dict[str, dict[str, Any]]:
    """Symmetry → what `init` found: `is_harmless`, `why`, `swaps`; empty where it did not run."""
    noted = read_json(home.assumptions) or {}
    return dict(noted.get("symmetries", {}).get("verdicts", {}))


def harm_of(symmetry: str, verdicts: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Why a symmetry had better not be used, in words; None: nothing speaks against it.

    One that was not measured, such as a transposition, is harmless if harmless ones make it up.

    Args:
        symmetry: by name.
        verdicts: from `symmetry_verdicts`.
    """
    harmful = [name for name, found in verdicts.items() if not found["is_harmless"]]
    if symmetry in verdicts:
        if symmetry not in harmful:
            return None
        said = "; ".join([str(verdicts[symmetry]["why"]), *verdicts[symmetry].get("swaps", ())[:2]])
        return f"init did not find {symmetry} harmless ({said})"
    if not harmful or symmetry in generated(set(verdicts) - set(harmful)):
        return None
    return f"init did not find {', '.join(harmful)} harmless, which {symmetry} may be made of"


def trained_symmetries(recipe: Recipe) -> set[str] | None:
    """What images a network is used to from its training; None: it is pretrained, and copes."""
    if recipe.freeze == "backbone" or recipe.model.pretrained is not False:
        return None
    return generated(name for spec in recipe.augment for name in _symmetries_made(spec))


def _shown(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Key and symmetry of what views show, each once a key; those unknown are told elsewhere."""
    for index, spec in enumerate(recipe.views):
        try:
            found: tuple[View, ...] = views_of([spec])
        except ConfigError:
            continue
        for symmetry in dict.fromkeys(map(symmetry_of, found)):
            if symmetry != "identity":
                yield f"views.{index}", symmetry


def _symmetries_made(spec: Spec, *, within: float = 0.0) -> set[str]:
    """Those that an augmentation makes, or whose turn it comes nearer to than `within` degrees."""
    name, degrees = name_of(spec), _degrees(spec)
    turned = {turn for turn, least in _TURNS.items() if degrees > least - max(within, 1e-9)}
    return turned | set(_SYMMETRIES.get(name, ()))


def _degrees(spec: Spec) -> float:
    """By how many degrees an augmentation turns at most; what is no number is told elsewhere."""
    name, options = name_of(spec), options_of(spec)
    most = _MOST_DEGREES.get(name, 0.0)
    if name == "rotate":
        given = options.get("degrees")
        return abs(given) if isinstance(given, int | float) else most
    left_out = options.get("without")
    return 0.0 if isinstance(left_out, list | tuple) and "rotate" in left_out else most


def _without(spec: Spec) -> str:
    """How to have an augmentation without its turns."""
    name = name_of(spec)
    if name == "rotate":
        return f"set degrees to {_SMALL_TURN:g} or less"
    return f"write {{name: {name}, without: [rotate]}}" if name in _MOST_DEGREES else "take it out"


def _augment_for(symmetry: str) -> str:
    found = (name for name, made in _SYMMETRIES.items() if symmetry in made)
    return next(found, "hflip and rot90")


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "repeated-views": repeated_views,
    "views": views,
    "harmful-symmetry": harmful_symmetry,
    "view-unlike-training": view_unlike_training,
}
