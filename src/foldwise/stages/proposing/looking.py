"""A look at some images of the data: sizes, shapes, borders, channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.data.decoder_pool import Damaged, Prepared, decode_all
from foldwise.data.render import pixels_of
from foldwise.data.sources import ImageRef, read
from foldwise.data.spec import CacheSpec
from foldwise.data.steps import crop_border
from foldwise.errors import DataError

#: Images looked at, spread over all rows.
NUM_LOOKED = 60
#: A border is worth cutting where it takes this share of an image's area, in so many images.
_BORDER_AREA, _BORDER_IMAGES = 0.05, 0.3
_BORDER_SIDE = 256


@dataclass(frozen=True)
class Looks:
    """What the images looked at are like.

    Attributes:
        sizes: (N, 2) width and height in pixels, borders cut where `has_borders`.
        channels: 3, or what arrays of other counts have.
        has_borders: whether black borders are worth cutting.
        border_share: share of images with such a border.
    """

    sizes: np.ndarray
    channels: int
    has_borders: bool
    border_share: float

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
        low, high = (ends(axis=0).round().astype(int) for ends in (self.sizes.min, self.sizes.max))
        sides = [f"{a}" if a == b else f"{a}-{b}" for a, b in zip(low, high, strict=True)]
        return " x ".join(sides)


def spread_rows(num_rows: int, num: int) -> np.ndarray:
    """Up to `num` positions, spread evenly."""
    return np.unique(np.linspace(0, num_rows - 1, min(num, num_rows)).round().astype(int))


def look(refs: Sequence[ImageRef]) -> Looks:
    """Decode images, in processes that may die, and measure them.

    Args:
        refs: the images to open.

    Raises:
        DataError: none can be decoded; the first reasons are given.
    """
    channels = _channels(refs)
    # The border is looked for on a smaller picture, which is as good and safe to have here.
    specs = [CacheSpec.make(_BORDER_SIDE, "stretch", 3)] if channels == 3 else []
    found, reasons = [], []
    for position, result in sorted(decode_all(refs, specs), key=lambda pair: pair[0]):
        if isinstance(result, Damaged):
            reasons.append(f"{refs[position].key}: {result.reason}")
        else:
            found.append(_sizes(result))
    if not found:
        raise DataError(f"none of {len(refs)} images tried can be decoded", *reasons[:3])
    full, inner = (np.array(sizes) for sizes in zip(*found, strict=True))
    has_border = inner.prod(axis=1) < (1 - _BORDER_AREA) * full.prod(axis=1)
    share = float(has_border.mean())
    return Looks(
        sizes=inner if share >= _BORDER_IMAGES else full,
        channels=channels,
        has_borders=share >= _BORDER_IMAGES,
        border_share=share,
    )


def load_squares(refs: Sequence[ImageRef], looks: Looks, side: int) -> dict[int, np.ndarray]:
    """Position → (side, side, C) uint8, stretched, for the images that can be decoded."""
    steps = ["crop_border"] if looks.has_borders else []
    spec = CacheSpec.make(side, "stretch", looks.channels, steps=steps)
    loaded = {
        position: pixels_of(result.stored[0], spec.store)
        for position, result in decode_all(refs, [spec])
        if isinstance(result, Prepared)  # `prepare` lists damaged images; a sample is enough here.
    }
    return dict(sorted(loaded.items()))


def _channels(refs: Sequence[ImageRef]) -> int:
    """3, or what arrays of other counts have: grey, palette and alpha become three."""
    counts = [_depth(read(ref)) for ref in refs if ref.index is not None]
    count = int(np.median(counts)) if counts else 3
    return 3 if count in (1, 3, 4) else count


def _depth(content: bytes | np.ndarray) -> int:
    is_deep = isinstance(content, np.ndarray) and content.ndim == 3
    return int(content.shape[2]) if isinstance(content, np.ndarray) and is_deep else 1


def _sizes(result: Prepared) -> tuple[tuple[float, float], tuple[float, float]]:
    """Width and height, and what is left of them without a border."""
    full = float(result.info.width), float(result.info.height)
    if not result.stored:
        return full, full
    cut = crop_border(pixels_of(result.stored[0], "raw")).shape
    return full, (full[0] * cut[1] / _BORDER_SIDE, full[1] * cut[0] / _BORDER_SIDE)
