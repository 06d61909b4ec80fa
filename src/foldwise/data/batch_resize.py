"""Resizing a batch of uint8 images of unlike sizes at once, to the bits of PyTorch's kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from foldwise.data.augment import resized

_MOST_BITS = 22
_WEIGHT_LIMIT = 1 << 15
#: With so many bits, sums of 255 times the weights are still whole numbers in float32.
_EXACT_BITS = 15


@dataclass(frozen=True)
class Resizer:
    """Whole-number weights of antialiased bilinear resizing, for every input length to one size.

    Attributes:
        weights: (side + 1, size, side) float, by input length.
        scales: (side + 1,) float, that sums of weights and pixels are divided by.
    """

    weights: torch.Tensor
    scales: torch.Tensor

    def __call__(
        self, pixels: torch.Tensor, heights: torch.Tensor, widths: torch.Tensor
    ) -> torch.Tensor:
        """Images in the upper left corners of equal squares, at one size.

        Args:
            pixels: (B, side, side, C) uint8.
            heights: (B,) int64.
            widths: (B,) int64.

        Returns:
            (B, C, size, size) uint8, channels last in memory.
        """
        num, side, _, channels = pixels.shape
        planes = pixels.permute(0, 3, 1, 2).to(
            self.weights.dtype, memory_format=torch.contiguous_format
        )
        across = torch.bmm(planes.view(num, channels * side, side), self.weights[widths].mT)
        across = _rounded(across, self.scales[widths])
        down = torch.matmul(self.weights[heights][:, None], across.view(num, channels, side, -1))
        rounded = _rounded(down, self.scales[heights][:, None])
        size = rounded.shape[-1]
        found = torch.empty(num, size, size, channels, dtype=torch.uint8, device=pixels.device)
        return found.copy_(rounded.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _rounded(sums: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    scales = scales[..., None, None]
    return sums.add_(scales / 2).div_(scales).floor_().clamp_(0, 255)


@lru_cache(maxsize=8)
def resizer(side: int, size: int, device: torch.device) -> Resizer:
    """Weights for images of at most `side` to `size`."""
    lengths = [_whole_weights(length, size) for length in range(1, side + 1)]
    weights = np.zeros((side + 1, size, side))
    for length, (found, _) in enumerate(lengths, start=1):
        weights[length, :, :length] = found
    bits = np.array([0] + [bits for _, bits in lengths])
    dtype = torch.float32 if bits.max() <= _EXACT_BITS else torch.float64
    return Resizer(
        torch.from_numpy(weights).to(device, dtype), torch.from_numpy(2.0**bits).to(device, dtype)
    )


def _whole_weights(length: int, size: int) -> tuple[np.ndarray, int]:
    """Weights of each input for each output, (size, length), and the bits they are scaled by.

    Source: PyTorch's `UpSampleKernel.cpp`, which follows Pillow-SIMD.
    """
    scale = length / size
    reach = max(scale, 1.0)
    centres = scale * (np.arange(size) + 0.5)
    first = np.maximum((centres - reach + 0.5).astype(int), 0)[:, None]
    end = np.minimum((centres + reach + 0.5).astype(int), length)[:, None]
    places = np.arange(length)
    distances = np.abs((places - centres[:, None] + 0.5) / reach)
    weights = np.where((places >= first) & (places < end), np.maximum(1.0 - distances, 0.0), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    largest, bits = weights.max(), 0
    while bits < _MOST_BITS and int(0.5 + largest * (1 << (bits + 1))) < _WEIGHT_LIMIT:
        bits += 1
    return np.floor(weights * (1 << bits) + 0.5), bits


@lru_cache(maxsize=8)
def is_exact(side: int, size: int, channels: int, device: torch.device) -> bool:
    """Whether a batch's bits are those of images resized one by one on this machine's CPU."""
    rng = np.random.default_rng(0)
    num = 24
    pixels = torch.from_numpy(rng.integers(0, 256, (num, side, side, channels), np.uint8))
    heights, widths = (torch.from_numpy(rng.integers(1, side + 1, num)) for _ in range(2))
    found = resizer(side, size, device)(*(part.to(device) for part in (pixels, heights, widths)))
    return all(
        torch.equal(resized(image[:h, :w].permute(2, 0, 1), size), made)
        for image, h, w, made in zip(pixels, heights, widths, found.cpu(), strict=True)
    )
