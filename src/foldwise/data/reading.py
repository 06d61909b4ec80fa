"""One sample's pixels: the part of its image that is needed, and that augmented."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from foldwise.data.augment import Augment, crop, resized
from foldwise.data.boxes import Cut, DrawBox, centre_box, crop_box
from foldwise.data.draws import NUM_DRAWS

#: Content hash → (H, W, C) uint8 pixels.
Get = Callable[[str], np.ndarray]


def whole(get: Get, cut: Cut | None, sha256: str, size: int) -> torch.Tensor:
    """The middle square of an image, which is all of a square one.

    Args:
        get: of the source.
        cut: of the source.
        sha256: which image.
        size: side of the network's input.

    Returns:
        (C, h, h) uint8, of that size where the source cuts parts itself.
    """
    return _part(get, cut, sha256, centre_box, size)


def augmented(
    get: Get,
    cut: Cut | None,
    sha256: str,
    size: int,
    augments: Sequence[Augment],
    draws: Sequence[float],
) -> torch.Tensor:
    """An augmented image; a crop that comes first is drawn before pixels are touched.

    Args:
        get: of the source.
        cut: of the source.
        sha256: which image.
        size: side of the network's input.
        augments: bound, in order; none: as `whole`.
        draws: `NUM_DRAWS` for each augmentation.

    Returns:
        (C, h, w) uint8, still to be resized.
    """
    if not augments:
        return whole(get, cut, sha256, size)
    each = [draws[start : start + NUM_DRAWS] for start in range(0, len(draws), NUM_DRAWS)]
    options = _crop_options(augments[0])
    if options is None:
        return _applied(augments, each, _tensor(get(sha256)))
    image = _part(get, cut, sha256, partial(crop_box, draws=each[0], **options), size)
    return _applied(augments[1:], each[1:], image)


def _crop_options(augment: Augment) -> dict[str, Any] | None:
    """The options of a crop; None: it is another augmentation."""
    if isinstance(augment, partial):
        return augment.keywords if augment.func is crop else None
    return {} if augment is crop else None


def _part(get: Get, cut: Cut | None, sha256: str, box: DrawBox, size: int) -> torch.Tensor:
    if cut is not None:
        return resized(_tensor(cut(sha256, box, size)), size)
    pixels = get(sha256)
    return _tensor(box(*pixels.shape[:2]).of(pixels))


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, C) → (C, H, W), copied: what is read may be a file's own memory."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def _applied(
    augments: Sequence[Augment], draws: Sequence[Sequence[float]], image: torch.Tensor
) -> torch.Tensor:
    for augment, drawn in zip(augments, draws, strict=True):
        image = augment(image, drawn)
    return image
