"""Views: the image as it is, mirrored or turned, for test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable

import torch

View = Callable[[torch.Tensor], torch.Tensor]

#: name → (N, C, H, W) images to images of the same kind.
VIEWS: dict[str, View] = {
    "identity": lambda images: images,
    "hflip": lambda images: images.flip(3),
    "vflip": lambda images: images.flip(2),
    "rot90": lambda images: torch.rot90(images, 1, (2, 3)),
    "rot180": lambda images: images.flip(2, 3),
    "rot270": lambda images: torch.rot90(images, 3, (2, 3)),
}
