"""Augmentation of an image and its masks: both are moved alike, and the image alone is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from foldwise import parts
from foldwise.data.augment import AUGMENTS, Augment
from foldwise.data.draws import NUM_DRAWS
from foldwise.data.mask_crops import MOVES, Move, Scene
from foldwise.data.mask_windows import mask_pixels
from foldwise.data.placement import Placement
from foldwise.errors import ConfigError
from foldwise.masks.runs import Runs

#: Augmentations that leave everything in its place.
CHANGES = (
    "jitter",
    "blur",
    "sharpness",
    "noise",
    "jpeg",
    "equalize",
    "autocontrast",
    "posterize",
    "solarize",
)


@dataclass(frozen=True)
class MaskAugments:
    """Bound augmentations, each with its place in the recipe, whose draws it takes.

    Moves come first, whatever stands before them: so pixels are resampled once, and those that no
    crop shows are never looked at.

    Attributes:
        moves: of the image and its masks.
        changes: of the image's pixels.
        size: height and width of what comes out.
    """

    moves: tuple[tuple[int, Move], ...]
    changes: tuple[tuple[int, Augment], ...]
    size: tuple[int, int]

    @property
    def num_draws(self) -> int:
        """Draws that a sample is given."""
        return NUM_DRAWS * (len(self.moves) + len(self.changes))

    def placement(self, shown: tuple[int, int], truth: Runs, draws: Sequence[float]) -> Placement:
        """Which part of an image one draw shows.

        Args:
            shown: height and width of the image.
            truth: its masks, of its size or of the size it had before it was resized.
            draws: `num_draws`, uniform in [0, 1).
        """
        found, scene = Placement.whole(*shown), Scene(shown, truth, self.size)
        for place, move in self.moves:
            found = move(found, _own(draws, place), scene)
        return found if (found.height, found.width) == self.size else found.resized(*self.size)

    def image(
        self, pixels: np.ndarray, placement: Placement, draws: Sequence[float]
    ) -> torch.Tensor:
        """(H, W, C) uint8 of the image → (C, h, w) uint8 of a part, changed by the same draws."""
        image = placement.image(pixels)
        for place, change in self.changes:
            image = change(image, _own(draws, place))
        return image

    def apply(
        self, pixels: np.ndarray, truth: Runs, draws: Sequence[float]
    ) -> tuple[torch.Tensor, np.ndarray]:
        """An image and its masks as one draw shows them.

        Args:
            pixels: (H, W, C) uint8 of the image.
            truth: as `placement` takes it.
            draws: the same.

        Returns:
            (C, h, w) uint8 image; (K, h, w) uint8 masks of 0 and 1, `IGNORED` beyond the image.
        """
        shown = pixels.shape[:2]
        placement = self.placement(shown, truth, draws)
        return self.image(pixels, placement, draws), mask_pixels(truth, placement, shown)


def bound_augments(specs: Sequence[parts.Spec], size: tuple[int, int]) -> MaskAugments:
    """A recipe's augmentations, for images with masks.

    Args:
        specs: in order.
        size: height and width of the network's input.

    Raises:
        ConfigError: one is unknown or has no such option, moves the image by other means than its
            masks could follow, hides part of it, or turns a part that is not square on its side.
    """
    names = [parts.name_of(spec) for spec in specs]
    _check_turns(names, size)
    moves: list[tuple[int, Move]] = []
    changes: list[tuple[int, Augment]] = []
    for place, (name, spec) in enumerate(zip(names, specs, strict=True)):
        if name in MOVES:
            moves.append((place, parts.bind(MOVES, spec, what="augmentation")))
        elif name in CHANGES:
            changes.append((place, parts.bind(AUGMENTS, spec, what="augmentation")))
        elif name in AUGMENTS:
            raise ConfigError(
                f"augmentation {name} does not go with masks, which cannot follow it",
                remedy=f"use {', '.join((*MOVES, *CHANGES))}",
            )
        else:
            parts.find(dict.fromkeys((*MOVES, *CHANGES)), spec, what="augmentation")
    return MaskAugments(tuple(moves), tuple(changes), size)


def _check_turns(names: Sequence[str], size: tuple[int, int]) -> None:
    last_crop = max((place for place, name in enumerate(names) if name == "mask_crop"), default=-1)
    if "rot90" in names[last_crop + 1 :] and size[0] != size[1]:
        raise ConfigError(
            f"augmentation rot90 would turn {size[0]} x {size[1]} px into {size[1]} x {size[0]}",
            remedy="put it before mask_crop, or use hflip and vflip, or a square input",
        )


def _own(draws: Sequence[float], place: int) -> Sequence[float]:
    return draws[place * NUM_DRAWS : (place + 1) * NUM_DRAWS]
