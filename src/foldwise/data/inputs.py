"""Where images are and which cache a recipe's input reads, once the disk has had its say."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from foldwise.config.network import InputConfig
from foldwise.data.cache import Cache
from foldwise.data.filling import FillingCache
from foldwise.data.originals import ORIGINALS_VERSION
from foldwise.data.sources import ImageRef
from foldwise.data.spec import THUMB, CacheSpec, Store, cached_side
from foldwise.errors import DataError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.samples import Samples


def wanted_spec(config: InputConfig) -> CacheSpec:
    """The cache a recipe's input asks for.

    Raises:
        ConfigError: an unknown step or option.
    """
    store: Store = "raw" if config.store == "auto" else config.store
    side = cached_side(config.size, config.zoom)
    if config.fit == "native":  # Of any input size: nothing but the index is kept.
        side, store = 0, "none"
    return CacheSpec.make(side, config.fit, config.channels, steps=config.steps, store=store)


def read_caches(home: Home) -> dict[str, CacheSpec]:
    """Key of the wanted cache → the one that was made."""
    stored = read_json(home.stamp("caches")) or {}
    return {key: CacheSpec.from_json(value) for key, value in stored.items()}


def write_caches(home: Home, made: Mapping[str, CacheSpec]) -> None:
    """Remember which caches were made for which wishes, beside those known before."""
    known = {**read_caches(home), **made}
    publish_json(home.stamp("caches"), {key: spec.to_json() for key, spec in known.items()})


def cache_spec(home: Home, config: InputConfig) -> CacheSpec:
    """The cache that was made for a recipe's input.

    Raises:
        DataError: none was.
    """
    made = read_caches(home).get(wanted_spec(config).key)
    if made is None:
        raise DataError(
            f"no images have been prepared at {config.size} px as this recipe wants them",
            remedy="run `foldwise prepare` first",
        )
    return made


def pixels_version(home: Home, config: InputConfig) -> dict[str, int]:
    """What is to be hashed beside a recipe's input: how it is fed, where that was changed once."""
    made = read_caches(home).get(wanted_spec(config).key)
    store = config.store if made is None else made.store
    return {"originals": ORIGINALS_VERSION} if store == "none" else {}


def open_cache(home: Home, config: InputConfig, samples: Samples, data: Path) -> Cache:
    """The images as a recipe's input wants them.

    Args:
        home: the competition.
        config: the recipe's input.
        samples: prepared, for caches that read the originals.
        data: the data folder.

    Raises:
        DataError: not prepared, or the cache is damaged.
    """
    spec = cache_spec(home, config)
    refs = None
    if spec.store == "none":
        refs = _refs(samples.every_image(), data)
    return Cache.open(home.cache, spec, refs=refs)


def open_images(
    home: Home, config: InputConfig, samples: Samples, data: Path, *, read: Container[str]
) -> Cache | FillingCache:
    """As `open_cache`; images that it lacks are decoded when they are asked for, and kept.

    Args:
        home: as there.
        config: as there.
        samples: as there.
        data: as there.
        read: content hashes of the images that may be asked for.

    Raises:
        DataError: as there.
    """
    cache = open_cache(home, config, samples, data)
    known = _refs(samples.whole().every_image(), data)
    refs = {sha256: ref for sha256, ref in known.items() if sha256 in read}
    if cache.spec.store == "none" or all(sha256 in cache for sha256 in refs):
        return cache  # Without pixels there is nothing to keep: `prepare` made it whole.
    return FillingCache(home.cache, cache, Cache.open(home.cache, THUMB), refs)


def image_refs(samples: Samples, data: Path) -> list[ImageRef]:
    """Where each row's image is, the first one where a sample has several."""
    frame = samples.frame
    return [
        ImageRef(data / file, array or None, int(row) if row >= 0 else None)
        for file, array, row in zip(frame["file"], frame["array"], frame["row"], strict=True)
    ]


def _refs(images: Samples, data: Path) -> dict[str, ImageRef]:
    """Content hash → where it is; of several places the first, so that train goes before others."""
    found: dict[str, ImageRef] = {}
    for sha256, ref in zip(images.hashes, image_refs(images, data), strict=True):
        found.setdefault(sha256, ref)
    return found
