"""A view: steps in order, and what a network found in it brought back to the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from foldwise.views.steps import Size, Step

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class View:
    """An image as a network is shown it.

    Attributes:
        name: what was done, in order, joined by `*`.
        steps: the same; none: the image as it is.
        weight: how much its answer counts in the mean over views.
    """

    name: str
    steps: tuple[Step, ...] = ()
    weight: float = 1.0

    def sizes(self, size: Size) -> list[Size]:
        """Of an image of this size, and after each step."""
        found = [size]
        for step in self.steps:
            found.append(step.size(found[-1]))
        return found

    def cost(self, size: Size) -> float:
        """Pixels that a network is shown, over those of an image of this size."""
        height, width = self.sizes(size)[-1]
        return height * width / (size[0] * size[1])

    def is_idle(self, size: Size) -> bool:
        """Whether one of its steps changes nothing of an image of this size."""
        return any(
            step.size(before) == before and np.allclose(step.matrix(before), np.eye(3))
            for step, before in zip(self.steps, self.sizes(size)[:-1], strict=True)
        )

    @property
    def stem(self) -> str:
        """The name, fit for a file's on any system."""
        return self.name.replace("*", "+")

    def matrix(self, size: Size) -> np.ndarray:
        """(3, 3): (x, y, 1) in the view → in the image of this size, pixels."""
        matrices = [
            step.matrix(before)
            for step, before in zip(self.steps, self.sizes(size)[:-1], strict=True)
        ]
        return reduce(np.matmul, matrices, np.eye(3))

    def images(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in 0..255, uint8 or float → the view's images, in the same range."""
        for step in self.steps:
            images = step.images(images)
        return images

    def maps(self, maps: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """What was found for each pixel of the view, for each pixel of the image.

        Args:
            maps: (N, K, h, w) float, of the view's size.
            size: of the image.

        Returns:
            (N, K, H, W) sums and (1, 1, H, W) weights; the mean over views is the sum of the
            one over the sum of the other. Pixels that the view did not show weigh 0.
        """
        sums, weights = maps * self.weight, maps.new_full((1, 1, *maps.shape[2:]), self.weight)
        sizes = self.sizes(size)
        for step, before in zip(reversed(self.steps), reversed(sizes[:-1]), strict=True):
            sums, weights = step.maps(sums, before), step.maps(weights, before)
        return sums, weights

    def boxes(self, boxes: Tensor, size: Size) -> Tensor:
        """Boxes found in the view, in the image.

        Args:
            boxes: (M, 4) float, left, top, right, bottom in pixels of the view.
            size: of the image.

        Returns:
            (M, 4) in pixels of the image, cut off at its rim. After a rotation that is no quarter
            turn, the upright box around the turned one.
        """
        import torch

        matrix = torch.as_tensor(self.matrix(size), dtype=boxes.dtype, device=boxes.device)
        corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
        found = corners @ matrix[:2, :2].T + matrix[:2, 2]
        rim = found.new_tensor([size[1], size[0]])
        found = torch.minimum(found.clamp(min=0), rim)
        return torch.cat([found.amin(dim=1), found.amax(dim=1)], dim=1)


def mean_map(views: Sequence[View], maps: Sequence[Tensor], size: Size) -> Tensor:
    """The mean over views of what was found for each pixel.

    Args:
        views: at least one that shows the whole image.
        maps: (N, K, h, w) of each view.
        size: of the image.

    Returns:
        (N, K, H, W).
    """
    import torch

    brought = [view.maps(found, size) for view, found in zip(views, maps, strict=True)]
    total = torch.stack([sums for sums, _ in brought]).sum(dim=0)
    weight = torch.stack([weights for _, weights in brought]).sum(dim=0)
    return total / weight


def product(first: View, second: View) -> View:
    """The second view of what the first one shows."""
    if not first.steps or not second.steps:
        shown = second if not first.steps else first
        return View(shown.name, shown.steps, first.weight * second.weight)
    name = f"{first.name}*{second.name}"
    return View(name, (*first.steps, *second.steps), first.weight * second.weight)
