"""Small pictures of samples as data URIs, from the caches that `prepare` made."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from foldwise.data.cache import Cache
from foldwise.data.inputs import read_caches
from foldwise.data.spec import THUMB, CacheSpec
from foldwise.errors import DataError
from foldwise.home import Home
from foldwise.samples import Samples

_SIDE_PX = 96
#: Wider or taller pictures are shown at this ratio.
_MAX_ASPECT = 2.5
_QUALITY = 78
#: Up to this side single pixels are worth seeing, and PNG is smaller.
_TINY_PX = 40


@dataclass(frozen=True)
class Picture:
    """An encoded picture.

    Attributes:
        uri: `data:image/...`.
        width: pixels.
        height: pixels.
        is_tiny: so few pixels that each is to be seen.
    """

    uri: str
    width: int
    height: int
    is_tiny: bool


@dataclass(frozen=True)
class Pictures:
    """Pictures of samples by id.

    Attributes:
        home: whose caches are read.
        samples: prepared rows.
        troubles: gets a sentence for each cache that cannot be read.
    """

    home: Home
    samples: Samples
    troubles: list[str]

    def of(self, name: str) -> Picture | None:
        """The sample's picture; None if no cache holds it."""
        sha = self._hashes.get(name)
        if sha is None:
            return None
        if sha not in self._made:
            self._made[sha] = self._make(sha)
        return self._made[sha]

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return dict(zip(map(str, self.samples.ids), self.samples.hashes, strict=True))

    @cached_property
    def _made(self) -> dict[str, Picture | None]:
        return {}

    @cached_property
    def _caches(self) -> list[Cache]:
        """Best first, without damaged ones."""
        found = []
        for spec in _by_worth(read_caches(self.home).values()):
            try:
                found.append(Cache.open(self.home.cache, spec))
            except DataError as error:
                self._tell(error)
        return found

    def _make(self, sha: str) -> Picture | None:
        for cache in self._caches:
            if sha not in cache:
                continue
            try:
                pixels = cache.get(sha)
            except DataError as error:
                self._tell(error)
                continue
            info = cache.entry(sha).info
            is_stretched = cache.spec.fit == "stretch"
            return encoded(pixels, info.width / max(info.height, 1) if is_stretched else None)
        return None

    def _tell(self, error: DataError) -> None:
        if str(error) not in self.troubles:
            self.troubles.append(str(error))


def encoded(pixels: np.ndarray, aspect: float | None = None, *, side: int = _SIDE_PX) -> Picture:
    """Pixels as a picture of at most `side` pixels; JPEG, or PNG where that is smaller.

    Args:
        pixels: (H, W, C) uint8, C of 1, 3 or 4; of other counts the first is shown in grey.
        aspect: width over height to be shown at; None: as the pixels are.
        side: longer side, pixels.
    """
    image = _as_image(pixels)
    ratio = min(max(aspect or image.width / image.height, 1 / _MAX_ASPECT), _MAX_ASPECT)
    longer = min(side, max(image.size))
    size = (longer, round(longer / ratio)) if ratio >= 1 else (round(longer * ratio), longer)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    kinds = ("JPEG", "PNG") if longer <= _TINY_PX else ("JPEG",)
    made = {kind: _bytes(image, kind) for kind in kinds}
    return _picture(image, *min(made.items(), key=lambda found: len(found[1])))


def drawn(pixels: np.ndarray, *, is_flat: bool = False) -> Picture:
    """Pixels that were drawn on, as a picture of their own size; colours keep their edges.

    Args:
        pixels: (H, W, 3) uint8.
        is_flat: whether there are few colours, so that PNG is the smaller file; else it is JPEG.
    """
    image = _as_image(pixels)
    if is_flat:
        return _picture(image, "PNG", _bytes(image, "PNG"))
    # Thin lines would run in JPEG's usual half as many pixels of colour.
    return _picture(image, "JPEG", _bytes(image, "JPEG", subsampling=0))


def _picture(image: Image.Image, kind: str, data: bytes) -> Picture:
    text = base64.b64encode(data).decode("ascii")
    is_tiny = max(image.size) <= _TINY_PX
    return Picture(f"data:image/{kind.lower()};base64,{text}", *image.size, is_tiny)


def _by_worth(specs: Iterable[CacheSpec]) -> list[CacheSpec]:
    """Untouched colours first, then the larger; thumbnails last."""
    usable = [
        spec for spec in specs if spec.store != "none" and spec.channels in (1, 3) and spec != THUMB
    ]
    usable.sort(key=lambda spec: (bool(spec.steps), -spec.channels, -spec.size_px, spec.key))
    return [*usable, THUMB]


def _as_image(pixels: np.ndarray) -> Image.Image:
    channels = pixels.shape[2]
    if channels in (3, 4):
        return Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0]))


def _bytes(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, quality=_QUALITY, optimize=True, **options)
    return file.getvalue()
