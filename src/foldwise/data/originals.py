"""Images decoded from their originals each time: whole as a cache has them, or a part alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from foldwise.data.blocks import Entry
from foldwise.data.boxes import Box, DrawBox
from foldwise.data.decode import Picture, as_pixels, open_array, open_bytes, to_channels
from foldwise.data.plain_jpeg import decode_plain
from foldwise.data.render import render
from foldwise.data.shape import kept_part
from foldwise.data.sources import ImageRef, content_hash, read
from foldwise.data.spec import CacheSpec
from foldwise.errors import DataError

#: Raised whenever networks are fed other pixels from originals than before.
ORIGINALS_VERSION = 1
#: How many pixels for each one that is wanted, along a side, a reduced JPEG must still have.
_LEAST_GAP = 2
_REDUCTIONS = (8, 4, 2)


class Originals:
    """The originals of a cache that keeps no pixels; safe to read from many threads.

    Args:
        spec: of the cache.
        refs: content hash to original.
    """

    def __init__(self, spec: CacheSpec, refs: Mapping[str, ImageRef]) -> None:
        self._spec = spec
        self._refs = refs
        #: Content hash → size and time of the file when its content was last compared.
        self._compared: dict[str, tuple[int, int]] = {}
        #: Content hashes of JPEGs that were decoded whole without objection.
        self._plain: set[str] = set()

    @property
    def has_parts(self) -> bool:
        """Whether a part of the cached image is a part of the original, resampled."""
        return not self._spec.steps and self._spec.fit != "pad"

    def get(self, entry: Entry) -> np.ndarray:
        """The whole image, (H, W, C) uint8, read-only: what a cache with pixels would hold.

        Raises:
            DataError: the original was changed, or cannot be read.
        """
        pixels = render(_opened(self._content(entry), entry), self._spec)
        pixels.flags.writeable = False
        return pixels

    def cut(self, entry: Entry, box: DrawBox, size: int) -> np.ndarray:
        """The pixels of a part, still to be resampled.

        Args:
            entry: the image.
            box: height and width of the cached image → the part.
            size: side the part will have; a JPEG of which it is much more is decoded reduced.

        Returns:
            (h, w, C) uint8.

        Raises:
            DataError: as `get`.
        """
        part = _part(box(*entry.shape[:2]), entry, self._spec)
        content, channels = self._content(entry), self._spec.channels
        gap = min(part.height * entry.info.height, part.width * entry.info.width) / size
        reduce = next((n for n in _REDUCTIONS if gap >= _LEAST_GAP * n), 1)
        if reduce == 1 and isinstance(content, bytes):
            place = part.of(entry.info.height, entry.info.width)
            # Once whole, so that nothing is wrong with what is left out later.
            bottom = place.top + place.height if entry.sha256 in self._plain else None
            pixels = decode_plain(content, entry.info, channels, bottom=bottom)
            if pixels is not None:
                self._plain.add(entry.sha256)
                return place.of(pixels)
        picture = to_channels(_opened(content, entry, reduce=reduce), channels)
        if isinstance(picture, np.ndarray):
            return part.of(*picture.shape[:2]).of(picture)
        place = part.of(picture.height, picture.width)
        corners = place.left, place.top, place.left + place.width, place.top + place.height
        return as_pixels(picture.crop(corners))

    def check(self, entry: Entry) -> None:
        """Compare an original with what was prepared; raises as `get`."""
        self._compared.pop(entry.sha256, None)
        self._content(entry)

    def _content(self, entry: Entry) -> bytes | np.ndarray:
        """Compared when first read, and again once the file has another size or time."""
        if entry.sha256 not in self._refs:
            raise DataError(
                f"image {entry.sha256[:16]}...: its cache keeps no pixels and nobody said where "
                "the original is",
                remedy="run `foldwise prepare`",
            )
        ref = self._refs[entry.sha256]
        try:
            stat = ref.path.stat()
            content = read(ref)
        except OSError as error:
            raise DataError(f"{ref.key}: {error.strerror or error}") from None
        now = stat.st_size, stat.st_mtime_ns
        if self._compared.get(entry.sha256) == now:
            return content
        if content_hash(content) != entry.sha256:
            raise DataError(
                f"{ref.key}: changed since it was prepared", remedy="run `foldwise prepare`"
            )
        self._compared[entry.sha256] = now
        return content


@dataclass(frozen=True)
class _Part:
    """A part of a picture of any resolution, by shares of its sides."""

    top: float
    left: float
    height: float
    width: float

    def of(self, height: int, width: int) -> Box:
        """The part in whole pixels, one at least."""
        top, left = round(self.top * height), round(self.left * width)
        bottom = round((self.top + self.height) * height)
        right = round((self.left + self.width) * width)
        top, left = min(top, height - 1), min(left, width - 1)
        return Box(top, left, max(1, bottom - top), max(1, right - left))


def _part(box: Box, entry: Entry, spec: CacheSpec) -> _Part:
    """Where a part of the cached image lies in the original."""
    width, height = entry.info.width, entry.info.height
    left, top, kept_w, kept_h = kept_part(width, height, spec.fit)
    down, across = kept_h / entry.shape[0], kept_w / entry.shape[1]
    return _Part(
        (top + box.top * down) / height,
        (left + box.left * across) / width,
        box.height * down / height,
        box.width * across / width,
    )


def _opened(content: bytes | np.ndarray, entry: Entry, *, reduce: int = 1) -> Picture:
    if isinstance(content, np.ndarray):
        return open_array(content)[0]
    # It passed the decoders' limit when it was prepared, whatever that was.
    max_pixels = entry.info.width * entry.info.height
    return open_bytes(content, max_pixels=max_pixels, reduce=reduce)[0]
