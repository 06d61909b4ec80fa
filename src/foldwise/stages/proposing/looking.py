"""A look at some images of the data: sizes, shapes, borders, channels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from foldwise import device
from foldwise.data.decode import (
    Picture,
    as_picture,
    as_pixels,
    open_array,
    open_bytes,
    to_channels,
)
from foldwise.data.shape import fit
from foldwise.data.sources import ImageRef, read
from foldwise.data.steps import crop_border
from foldwise.errors import DataError

#: Images looked at, spread over all rows.
NUM_LOOKED = 60
#: A border is worth cutting where it takes this share of an image's area, in so many images.
_BORDER_AREA, _BORDER_IMAGES = 0.05, 0.3


@dataclass(frozen=True)
class Looks:
    """What the images looked at are like.

    Attributes:
        sizes: (N, 2) int, width and height in pixels, borders cut where `has_borders`.
        channels: 3, or what arrays of other counts have.
        has_borders: whether black borders are worth cutting.
        border_share: share of images with such a border.
        num_damaged: images that could not be decoded.
    """

    sizes: np.ndarray
    channels: int
    has_borders: bool
    border_share: float
    num_damaged: int

    @property
    def side(self) -> int:
        """Median shorter side in pixels."""
        return int(np.median(self.sizes.min(axis=1)))

    @property
    def aspect_spread(self) -> float:
        """The 90th over the 10th percentile of width over height; 1: all of one shape."""
        low, high = np.quantile(self.sizes[:, 0] / self.sizes[:, 1], [0.1, 0.9])
        return float(high / low)

    @property
    def words(self) -> str:
        """Their size in words: `512 x 340`, `15-64 x 15-61`."""
        low, high = self.sizes.min(axis=0), self.sizes.max(axis=0)
        sides = [f"{a}" if a == b else f"{a}-{b}" for a, b in zip(low, high, strict=True)]
        return " x ".join(sides)


def spread_rows(num_rows: int, num: int) -> np.ndarray:
    """Up to `num` positions, spread evenly."""
    return np.unique(np.linspace(0, num_rows - 1, min(num, num_rows)).round().astype(int))


def look(refs: Sequence[ImageRef]) -> Looks:
    """Open images and measure them.

    Args:
        refs: the images to open.

    Raises:
        DataError: none can be decoded; the first reasons are given.
    """
    with ThreadPoolExecutor(device.num_cores()) as pool:
        results = list(pool.map(_look_at, refs))
    found = [result for result in results if isinstance(result, _Look)]
    if not found:
        reasons = [str(result) for result in results[:3]]
        raise DataError(f"none of {len(refs)} images tried can be decoded", *reasons)
    full, inner = np.array([o.size for o in found]), np.array([o.inner for o in found])
    has_border = inner.prod(axis=1) < (1 - _BORDER_AREA) * full.prod(axis=1)
    share = float(has_border.mean())
    num_channels = int(np.median([o.channels for o in found]))
    return Looks(
        sizes=inner if share >= _BORDER_IMAGES else full,
        # Grey, palette and alpha become three; counts that only arrays have stay as they are.
        channels=num_channels if num_channels in (2, *range(5, 65)) else 3,
        has_borders=share >= _BORDER_IMAGES,
        border_share=share,
        num_damaged=len(refs) - len(found),
    )


def load_squares(refs: Sequence[ImageRef], looks: Looks, side: int) -> dict[int, np.ndarray]:
    """Position → (side, side, 3) uint8, stretched, for the images that can be decoded."""

    def load(ref: ImageRef) -> np.ndarray | None:
        try:
            picture = to_channels(open_picture(ref), 3)
        except DataError:
            return None  # `prepare` lists damaged images; here a sample is enough.
        if looks.has_borders:
            picture = as_picture(crop_border(as_pixels(picture)))
        return fit(picture, size_px=side, rule="stretch")

    with ThreadPoolExecutor(device.num_cores()) as pool:
        loaded = enumerate(pool.map(load, refs))
    return {row: image for row, image in loaded if image is not None}


def open_picture(ref: ImageRef) -> Picture:
    """The upright 8-bit picture.

    Raises:
        DataError: it cannot be read or decoded.
    """
    try:
        content = read(ref)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}") from None
    opened = open_array(content) if isinstance(content, np.ndarray) else open_bytes(content)
    return opened[0]


@dataclass(frozen=True)
class _Look:
    """One image: its size, what is left without a border, its channels."""

    size: tuple[int, int]
    inner: tuple[int, int]
    channels: int


def _look_at(ref: ImageRef) -> _Look | str:
    """What the image is like, or why it cannot be decoded."""
    try:
        picture = open_picture(ref)
    except DataError as error:
        return f"{ref.key}: {error.problems[0]}"
    pixels = as_pixels(picture)
    cut = pixels
    if not isinstance(picture, np.ndarray):
        cut = crop_border(as_pixels(to_channels(picture, 3)))
    return _Look(_size(pixels), _size(cut), pixels.shape[2])


def _size(pixels: np.ndarray) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[0]
