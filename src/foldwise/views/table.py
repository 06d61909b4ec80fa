"""Views and sets of views by name, their products, and which of them are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import product as pairs
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldwise import parts
from foldwise.errors import ConfigError
from foldwise.views.steps import Crop, Rotation, Scale, Symmetry
from foldwise.views.view import View, product

Share = Annotated[float, Field(gt=0, lt=1)]
_Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]

IDENTITY = View("identity")
#: name → view: the eight symmetries of the square.
SYMMETRIES = {
    "identity": IDENTITY,
    "hflip": View("hflip", (Symmetry(flips_x=True),)),
    "vflip": View("vflip", (Symmetry(flips_y=True),)),
    "rot90": View("rot90", (Symmetry(is_transposed=True, flips_y=True),)),
    "rot180": View("rot180", (Symmetry(flips_y=True, flips_x=True),)),
    "rot270": View("rot270", (Symmetry(is_transposed=True, flips_x=True),)),
    "transpose": View("transpose", (Symmetry(is_transposed=True),)),
    "transverse": View("transverse", (Symmetry(is_transposed=True, flips_y=True, flips_x=True),)),
}
#: Corner → where a window lies that is cut there.
_CORNERS: dict[_Corner, tuple[int, int]] = {
    "top_left": (0, 0),
    "top_right": (0, 1),
    "bottom_left": (1, 0),
    "bottom_right": (1, 1),
}
#: Two views are the same if no point of an image of this size lies further apart in them, pixels.
_SIZE, _TOLERANCE = (1037, 1153), 1.01
#: Costs are told of this size: scales keep to multiples of 32 pixels.
_SQUARE = (224, 224)


def flips() -> list[View]:
    """The image and its mirror image."""
    return [SYMMETRIES["identity"], SYMMETRIES["hflip"]]


def turns() -> list[View]:
    """The four quarter turns."""
    return [SYMMETRIES[name] for name in ("identity", "rot90", "rot180", "rot270")]


def square() -> list[View]:
    """The eight symmetries of the square."""
    return list(SYMMETRIES.values())


def rotate(*, degrees: Annotated[float, Field(gt=-180, le=180)] = 10.0) -> list[View]:
    """The image turned by some degrees, counter-clockwise."""
    return [View(f"rotate_{_number(degrees)}", (Rotation(degrees),))]


def rotations(*, degrees: Annotated[float, Field(gt=0, lt=90)] = 10.0) -> list[View]:
    """The image, and turned by some degrees either way."""
    return [IDENTITY, *rotate(degrees=degrees), *rotate(degrees=-degrees)]


def scale(*, factor: Annotated[float, Field(ge=0.25, le=4)] = 1.25) -> list[View]:
    """The image at another size, which the network must be able to take."""
    return [View(f"scale_{_number(factor)}", (Scale(factor),))]


def scales(
    *, factors: tuple[Annotated[float, Field(ge=0.25, le=4)], ...] = (0.75, 1.25)
) -> list[View]:
    """The image, and at other sizes."""
    return [IDENTITY, *(view for factor in factors for view in scale(factor=factor))]


def centre_crop(*, share: Share = 0.875) -> list[View]:
    """The middle of the image, enlarged."""
    return [View(f"centre_{_number(share)}", (Crop(0.5, 0.5, share),))]


def corner_crop(
    *,
    corner: _Corner = "top_left",
    share: Share = 0.875,
) -> list[View]:
    """A corner of the image, enlarged."""
    return [View(f"{corner}_{_number(share)}", (Crop(*_CORNERS[corner], share),))]


def two_crop(*, share: Share = 0.875) -> list[View]:
    """The middle and its mirror image."""
    return [product(crop, flip) for crop in centre_crop(share=share) for flip in flips()]


def five_crop(*, share: Share = 0.875) -> list[View]:
    """The middle and the four corners."""
    corners = [view for name in _CORNERS for view in corner_crop(corner=name, share=share)]
    return [*centre_crop(share=share), *corners]


def ten_crop(*, share: Share = 0.875) -> list[View]:
    """The middle, the four corners, and the mirror image of each.

    Source: Krizhevsky et al. (2012), "ImageNet classification with deep convolutional neural
    networks", NeurIPS.
    """
    return [product(crop, flip) for crop in five_crop(share=share) for flip in flips()]


def twelve_crop(*, share: Share = 0.875) -> list[View]:
    """As `ten_crop`, with the middle and its mirror image counted twice."""
    return [
        View(view.name, view.steps, 2.0) if view.name.startswith("centre") else view
        for view in ten_crop(share=share)
    ]


def _alone(view: View) -> Callable[[], list[View]]:
    return lambda: [view]


#: Name → views. Names can be multiplied, `flips*five_crop`, and those of views are known, too,
#: `rotate_5`: see `views_of`.
VIEWS: dict[str, Callable[..., list[View]]] = {
    **{name: _alone(view) for name, view in SYMMETRIES.items()},
    "flips": flips,
    "turns": turns,
    "square": square,
    "rotate": rotate,
    "rotations": rotations,
    "scale": scale,
    "scales": scales,
    "centre_crop": centre_crop,
    "corner_crop": corner_crop,
    "two_crop": two_crop,
    "five_crop": five_crop,
    "ten_crop": ten_crop,
    "twelve_crop": twelve_crop,
}


#: What the names of views with a number begin with → part, its options, and the number's option.
_NUMBERED: dict[str, tuple[str, dict[str, str], str]] = {
    "rotate": ("rotate", {}, "degrees"),
    "scale": ("scale", {}, "factor"),
    "centre": ("centre_crop", {}, "share"),
    **{corner: ("corner_crop", {"corner": corner}, "share") for corner in _CORNERS},
}
_NUMBERED_NAME = re.compile(rf"({'|'.join(_NUMBERED)})_(-?\d+(?:\.\d+)?)")


def views_of(specs: Sequence[parts.Spec]) -> tuple[View, ...]:
    """The distinct views that specs ask for, in their order.

    Args:
        specs: names of `VIEWS`, with options, names of views such as `rotate_5`, or products of
            names such as `flips*five_crop`.

    Returns:
        At least one; of views that show every point at the same place, the first.

    Raises:
        ConfigError: an unknown name or option, options of a product, or one view that is to count
            in two ways.
    """
    kept: list[View] = []
    for view in (view for spec in specs for view in _asked(spec)):
        same = next((other for other in kept if is_same(view, other)), None)
        if same is None:
            kept.append(view)
        elif same.weight != view.weight:
            raise ConfigError(
                f"views: {same.name} would count {same.weight:g} times and as {view.name} "
                f"{view.weight:g} times",
                remedy="name it once",
            )
    return tuple(kept)


def is_same(one: View, other: View) -> bool:
    """Whether two views show every point at the same place."""
    (size, place), (other_size, other_place) = _corners(one), _corners(other)
    return size == other_size and bool(np.abs(place - other_place).max() <= _TOLERANCE)


def num_passes(specs: Sequence[parts.Spec]) -> float:
    """What all views of an image cost, in passes of the image as it is.

    Raises:
        ConfigError: as `views_of`.
    """
    return sum(view.cost(_SQUARE) for view in views_of(specs))


def _asked(spec: parts.Spec) -> list[View]:
    name, options = parts.name_of(spec), parts.options_of(spec)
    if "*" not in name:
        numbered = None if options else _NUMBERED_NAME.fullmatch(name)
        if numbered is not None:
            part, fixed, option = _NUMBERED[numbered[1]]
            spec = {"name": part, **fixed, option: float(numbered[2])}
        found: list[View] = parts.bind(VIEWS, spec, what="view")()
        return found
    if options:
        raise ConfigError(
            f"views: the product {name} takes no options, found {', '.join(options)}",
            remedy="multiply names without options",
        )
    factors = [_asked(factor.strip()) for factor in name.split("*")]
    found = factors[0]
    for factor in factors[1:]:
        found = [product(first, second) for first, second in pairs(found, factor)]
    return found


def _corners(view: View) -> tuple[tuple[int, int], np.ndarray]:
    """Size of the view, and where three of its corners lie in the image."""
    height, width = size = view.sizes(_SIZE)[-1]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1]])
    return size, corners @ view.matrix(_SIZE)[:2].T


def _number(value: float) -> str:
    return f"{value:.12g}"
