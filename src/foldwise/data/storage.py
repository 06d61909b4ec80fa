"""How a cache is kept: the disk it needs, and what gives way if that is too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from foldwise.data.spec import CacheSpec, Store, cached_side
from foldwise.errors import BudgetError

#: The share of the free disk that all caches together may take.
_MAX_SHARE = 0.8
#: A JPEG (quality 95, no chroma subsampling): bytes for tables, and bytes per raw byte. Of seven
#: sets of photos the means are 0.05-0.16 of the raw size at 258 px, 0.14-0.31 at 64, 0.29-0.52 at
#: 32; this gives 0.25, 0.31 and 0.48.
_JPEG_BYTES, _JPEG_SHARE = 700, 0.25
_INDEX_BYTES = 200


@dataclass(frozen=True)
class StoragePlan:
    """What was chosen.

    Attributes:
        spec: the cache to make.
        zoom: cached over input size that is left.
        need_bytes: estimated size on disk.
        sentence: need, choice and reason, to be shown before the work starts.
    """

    spec: CacheSpec
    zoom: float
    need_bytes: int
    sentence: str


def plan_store(
    num_images: int,
    spec: CacheSpec,
    free_bytes: int,
    *,
    size: int,
    zoom: float,
    store: Literal["auto"] | Store = "auto",
    promised_bytes: int = 0,
    aspect: float = 1.5,
) -> StoragePlan:
    """Choose size and store of a cache so that all take at most 80 % of the free disk.

    With `auto`: raw at full zoom, else raw at zoom 1, else JPEG at full zoom, else no pixels.

    Args:
        num_images: images with different content.
        spec: as wished; its size and store are replaced.
        free_bytes: on the disk of the cache.
        size: input size in pixels.
        zoom: cached over input size, as wished.
        store: what the recipe asks for.
        promised_bytes: of the free ones, what caches chosen before will still take.
        aspect: mean longer over shorter side, for `shorter_side`.

    Raises:
        BudgetError: the recipe insists on a store that does not fit.
    """
    wished = list(_choices(spec, size, zoom, store))
    rejected: list[str] = []
    free = f"{_size(free_bytes)} are free"
    if promised_bytes:
        free += f", {_size(promised_bytes)} of it for other caches"
    for choice, left in wished:
        need = disk_need(num_images, choice, aspect=aspect)
        if need + promised_bytes <= _MAX_SHARE * free_bytes or choice.store == "none":
            told = f"{_words(choice, left)} needs {_size(need)}, {free}"
            why = f"; not {', nor '.join(rejected)} (limit: 80 % of it)" if rejected else ""
            return StoragePlan(choice, left, need, f"cache of {num_images} images: {told}{why}")
        rejected.append(f"{_words(choice, left)} with {_size(need)}")
    raise BudgetError(
        f"cache of {num_images} images: {rejected[0]} is too much: {free}, and caches may take "
        "80 % of it",
        remedy="free some disk, or set input.store: auto",
    )


def _choices(
    spec: CacheSpec, size: int, zoom: float, store: Literal["auto"] | Store
) -> Iterator[tuple[CacheSpec, float]]:
    if spec.fit == "native":
        yield replace(spec, store="none"), 1.0
        return
    full = replace(spec, size_px=cached_side(size, zoom))
    if store != "auto":
        yield replace(full, store=store), zoom
        return
    yield replace(full, store="raw"), zoom
    if zoom > 1:
        yield replace(full, size_px=size, store="raw"), 1.0
    if spec.channels in (1, 3):
        yield replace(full, store="jpeg"), zoom
    yield replace(full, store="none"), zoom


def disk_need(num_images: int, spec: CacheSpec, *, aspect: float = 1.5) -> int:
    """Estimated bytes on disk of so many images; `aspect` as for `plan_store`."""
    raw = spec.size_px**2 * spec.channels * (aspect if spec.fit == "shorter_side" else 1.0)
    each = {"raw": raw, "jpeg": _JPEG_BYTES + _JPEG_SHARE * raw, "none": 0.0}[spec.store]
    return round(num_images * (each + _INDEX_BYTES))


def _words(spec: CacheSpec, zoom: float) -> str:
    if spec.store == "none":
        return "no copy (originals are decoded every epoch)"
    kind = "raw pixels" if spec.store == "raw" else "JPEG"
    return f"{kind} at {spec.size_px} px (zoom {zoom:g})"


def _size(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"
