"""Rules on what the network is fed: size, crops, views, symmetries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import starmap

from foldwise.data.steps import normalised_steps
from foldwise.engine import frozen
from foldwise.errors import ConfigError
from foldwise.parts import Spec, name_of, options_of
from foldwise.rundir import read_json
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, error, warning

#: Pretrained networks see little in tiny images, so these may be enlarged up to here.
_PRETRAINED_LEAST = 160
_ENLARGED, _ENLARGED_PRETRAINED, _REDUCED = 2.0, 3.0, 8.0
_WIDE_ZOOM = 1.5
_USES_MARGIN = ("crop", "shift", "rotate")
#: Augmentation → views of the images it makes. Nothing else mirrors: what is not here and not in
#: `_MOST_DEGREES` neither mirrors nor turns.
_SYMMETRIES = {
    "hflip": ("hflip",),
    "vflip": ("vflip",),
    "rot90": ("rot90", "rot180", "rot270"),
}
#: Augmentations that turn → by how many degrees at most, if the recipe does not say.
_MOST_DEGREES = {"rotate": 15.0, "rand_augment": 30.0, "trivial_augment": 135.0, "aug_mix": 30.0}
_TURNED_VIEWS = {"rot90": 90.0, "rot270": 90.0, "rot180": 180.0}
#: A turn of more than this is nearer to the quarter turn than to none.
_SMALL_TURN = 45.0


def input_size(case: RecipeCase) -> Iterator[Fault]:
    """The input is far larger than the images, or far smaller."""
    size, native = case.recipe.input.size, case.ground.side_px
    if native is None:
        return
    most = _ENLARGED_PRETRAINED if case.is_pretrained else _ENLARGED
    least = _PRETRAINED_LEAST if case.is_pretrained else 0
    if size > max(most * native, least):
        yield warning(
            "input.size",
            f"{size} px, while the images' shorter side is {native:.0f} px: "
            f"{size / native:.1f} times enlarged is blur that costs {(size / native) ** 2:.0f} "
            "times the work",
            f"try {max(least, round(native))}",
        )
    elif native > _REDUCED * size:
        yield warning(
            "input.size",
            f"{size} px, while the images' shorter side is {native:.0f} px: what is smaller than "
            f"{native / size:.0f} px in them is lost",
            "use a larger size, or crop to what matters first",
        )


def zoom(case: RecipeCase) -> Iterator[Fault]:
    """The cache keeps a wide margin that nothing uses."""
    augments = {name_of(spec) for spec in case.recipe.augment}
    if case.recipe.input.zoom >= _WIDE_ZOOM and not augments & set(_USES_MARGIN):
        yield warning(
            "input.zoom",
            f"{case.recipe.input.zoom:g}: images are cached "
            f"{case.recipe.input.zoom**2:.1f} times as large as they are fed, and no augmentation "
            "crops them",
            "set zoom: 1.0, or add crop to augment",
        )


def steps(case: RecipeCase) -> Iterator[Fault]:
    """A step before the cache is unknown, or stands there twice."""
    try:
        names = [name for name, _ in normalised_steps(case.recipe.input.steps)]
    except ConfigError as problem:
        yield error("input.steps", "; ".join(problem.problems), problem.remedy)
        return
    for name in _repeated(names):
        yield warning("input.steps", f"{name} is done twice", "take one out")


def channels(case: RecipeCase) -> Iterator[Fault]:
    """An augmentation or step needs colours that the input does not have."""
    number = case.recipe.input.channels
    names = [name_of(step) for step in case.recipe.input.steps]
    if number not in (1, 3, 4):
        for name in {"ben", "grey"} & set(names):
            yield error("input.steps", f"{name} takes 1, 3 or 4 channels, not {number}")


def independent_draws(case: RecipeCase) -> Iterator[Fault]:
    """Images that the network sees one upon the other are cropped and turned each by itself."""
    recipe = case.recipe
    has_several = recipe.input.frames is not None or case.ground.competition.images.names
    if recipe.input.draws == "independent" and has_several and recipe.model.siamese is None:
        yield warning(
            "input.draws",
            "independent: the images are stacked as channels, and what lies at one place in them "
            "will not agree",
            "use shared, or model.siamese",
        )


def frozen_augment(case: RecipeCase) -> Iterator[Fault]:
    """Features are computed once, so images cannot be changed from epoch to epoch."""
    yield from starmap(error, frozen.unused_parts(case.recipe))


def repeated_views(case: RecipeCase) -> Iterator[Fault]:
    """A view counts twice."""
    for name in _repeated(case.recipe.views):
        yield error("views", f"{name} stands there twice, and would count twice", "take one out")


def views(case: RecipeCase) -> Iterator[Fault]:
    """A view is unknown, or the image as it is is left out."""
    known = ("identity", *(name for names in _SYMMETRIES.values() for name in names))
    for name in case.recipe.views:
        if name not in known:
            yield error("views", f"{name} is unknown", f"known: {', '.join(known)}")
    if "identity" not in case.recipe.views:
        yield warning("views", "the image as it is is not among them", "add identity")


def harmful_symmetry(case: RecipeCase) -> Iterator[Fault]:
    """A flip or turn that `init` measured as harmful is used."""
    measured = read_json(case.ground.home.stamp("symmetries")) or {}
    harmful = {name for name, facts in measured.items() if not facts["harmless"]}
    for index, spec in enumerate(case.recipe.augment):
        made = _views_made(spec, within=_SMALL_TURN)
        for name in sorted(harmful & made):
            yield warning(
                f"augment.{index}",
                f"{name_of(spec)}: {_cost(name, measured[name])}",
                f"{_without(spec)}; a turned image may be of another class",
            )
    for name in sorted(harmful & set(case.recipe.views)):
        yield warning("views", f"{name}: {_cost(name, measured[name])}", "take it out")


def view_unlike_training(case: RecipeCase) -> Iterator[Fault]:
    """A network is shown views at the end that it never trained on."""
    if case.is_frozen or case.is_pretrained:
        return
    trained = {view for spec in case.recipe.augment for view in _views_made(spec)}
    for name in case.recipe.views:
        if name != "identity" and name not in trained:
            yield warning(
                "views",
                f"{name}: a network trained from scratch has never seen an image like that",
                f"add {_augment_for(name)} to augment if it does no harm, or take the view out",
            )


def _views_made(spec: Spec, *, within: float = 0.0) -> set[str]:
    """Views that an augmentation makes, or whose turn it comes nearer to than `within` degrees."""
    name, degrees = name_of(spec), _degrees(spec)
    turned = {view for view, turn in _TURNED_VIEWS.items() if degrees > turn - max(within, 1e-9)}
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


def _cost(name: str, facts: dict[str, object]) -> str:
    return f"init measured that {name} does harm ({facts.get('reason') or facts.get('cost')})"


def _augment_for(view: str) -> str:
    return next((name for name, made in _SYMMETRIES.items() if view in made), view)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "input-size": input_size,
    "zoom": zoom,
    "steps": steps,
    "channels": channels,
    "independent-draws": independent_draws,
    "frozen-augment": frozen_augment,
    "repeated-views": repeated_views,
    "views": views,
    "harmful-symmetry": harmful_symmetry,
    "view-unlike-training": view_unlike_training,
}
