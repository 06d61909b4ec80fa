"""Rules on what the network is fed: size, crops, steps, channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import starmap

from foldwise.data.steps import normalised_steps
from foldwise.engine import frozen
from foldwise.errors import ConfigError
from foldwise.parts import name_of
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, error, warning

#: Pretrained networks see little in tiny images, so these may be enlarged up to here.
_PRETRAINED_LEAST = 160
_ENLARGED, _ENLARGED_PRETRAINED, _REDUCED = 2.0, 3.0, 8.0
_WIDE_ZOOM = 1.5
_USES_MARGIN = ("crop", "mask_crop", "shift", "rotate")


def input_size(case: RecipeCase) -> Iterator[Fault]:
    """The input is far larger than the images, or far smaller."""
    size, native = case.recipe.input.size, case.ground.side_px
    if native is None or case.recipe.input.fit == "native":
        return  # Windows of an image's own size are as sharp as it is.
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


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "input-size": input_size,
    "zoom": zoom,
    "steps": steps,
    "channels": channels,
    "independent-draws": independent_draws,
    "frozen-augment": frozen_augment,
}
