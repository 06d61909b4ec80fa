"""Optional steps on the decoded pixels, before the image gets its shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageFilter

from foldwise.errors import ConfigError, DataError

#: A step by name with all its options, as a cache's spec holds it.
Step = tuple[str, tuple[tuple[str, Any], ...]]


def crop_border(
    pixels: np.ndarray, *, threshold: int = 10, colour: Literal["black", "corners"] = "black"
) -> np.ndarray:
    """Cut rows and columns at the rim in which every pixel has the border's colour.

    Args:
        pixels: (H, W, C) uint8; a fourth channel is cut along but not looked at.
        threshold: how far a channel may be from the border's colour, 0..255.
        colour: `black`, or `corners`: the mean of the four corner pixels. Nothing is cut
            where the corners differ by more than the threshold.

    Returns:
        (h, w, C) uint8 view; the whole image where nothing but border would be left.
    """
    seen = pixels[:, :, :3]
    border = np.zeros(seen.shape[2], np.int16)
    if colour == "corners":
        corners = seen[[0, 0, -1, -1], [0, -1, 0, -1]].astype(np.int16)
        border = np.rint(corners.mean(axis=0)).astype(np.int16)
        if (np.abs(corners - border) > threshold).any():
            return pixels
    inside = _differs(seen, border, threshold)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) == 0:
        return pixels
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def ben(pixels: np.ndarray, *, sigma: float = 1 / 60, weight: float = 4.0) -> np.ndarray:
    """Ben's local colour normalisation: weight * (image - blurred image) + 128, clipped.

    Args:
        pixels: (H, W, C) uint8 with 1 or 3 channels; of 4 the last is kept as it is.
        sigma: of the Gaussian blur: below 1 a share of the shorter side, else pixels. The
            default is the source's: a thirtieth of the radius of an eye that fills the image.
        weight: contrast.

    Returns:
        (H, W, C) uint8; flat regions are 128.

    Source: Graham (2015), "Kaggle diabetic retinopathy detection competition report". The blur
    is Pillow's (three box blurs), in 8 bits.
    """
    if pixels.shape[2] not in (1, 3, 4):
        raise DataError(f"step ben takes 1, 3 or 4 channels, found {pixels.shape[2]}")
    colours = pixels[:, :, :3]
    radius = sigma * min(colours.shape[:2]) if sigma < 1 else sigma
    image = Image.fromarray(
        np.ascontiguousarray(colours[:, :, 0] if pixels.shape[2] == 1 else colours)
    )
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).reshape(colours.shape)
    detail = np.subtract(colours, blurred, dtype=np.float32)
    detail *= np.float32(weight)
    detail += np.float32(128)
    normalised = np.rint(np.clip(detail, 0, 255, out=detail), out=detail).astype(np.uint8)
    return normalised if pixels.shape[2] != 4 else np.dstack([normalised, pixels[:, :, 3]])


def grey(pixels: np.ndarray) -> np.ndarray:
    """Luma (ITU-R 601) in every colour channel; the number of channels stays, alpha too.

    Args:
        pixels: (H, W, C) uint8 with 1, 3 or 4 channels.
    """
    if pixels.shape[2] == 1:
        return pixels
    if pixels.shape[2] not in (3, 4):
        raise DataError(f"step grey takes 1, 3 or 4 channels, found {pixels.shape[2]}")
    luma = np.asarray(Image.fromarray(np.ascontiguousarray(pixels[:, :, :3])).convert("L"))
    return np.dstack([luma, luma, luma, pixels[:, :, 3:]])


def normalised_steps(specs: Sequence[Any]) -> tuple[Step, ...]:
    """The steps of a recipe with every option spelled out, so that equal steps are equal values.

    Args:
        specs: each a name, or a mapping with `name` and options.

    Raises:
        ConfigError: an unknown step or option, or a wrong value.
    """
    import inspect

    from foldwise import parts  # Here because it brings pydantic, which a decoder never needs.

    steps = []
    for spec in specs:
        name = parts.name_of(spec)
        if ":" in name:
            # The cache's key could not tell when the code of a step changes.
            raise ConfigError(
                f"step {name!r}: steps before the cache cannot be one's own",
                remedy=f"known: {', '.join(sorted(STEPS))}",
            )
        function = parts.find(STEPS, spec, what="step")
        given = parts.checked_options(function, parts.options_of(spec), what=f"step {name}")
        defaults = {
            option.name: option.default
            for option in inspect.signature(function).parameters.values()
            if option.kind is inspect.Parameter.KEYWORD_ONLY
        }
        steps.append((name, tuple(sorted((defaults | given).items()))))
    return tuple(steps)


def apply_steps(pixels: np.ndarray, steps: Sequence[Step]) -> np.ndarray:
    """The pixels after all steps, in order."""
    for name, options in steps:
        pixels = STEPS[name](pixels, **dict(options))
    return pixels


def _differs(seen: np.ndarray, border: np.ndarray, threshold: int) -> np.ndarray:
    """(H, W) bool: some channel is further from the border's colour than the threshold."""
    distance = np.abs(seen - border) if border.any() else seen
    farthest: np.ndarray = distance.max(axis=2)
    return np.asarray(farthest > threshold)


STEPS: dict[str, Callable[..., np.ndarray]] = {
    "crop_border": crop_border,
    "ben": ben,
    "grey": grey,
}
