"""A cache that is filled while it is read: what is missing is decoded, and kept."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from foldwise.data.cache import Cache
from foldwise.data.cache_writing import CacheWriter
from foldwise.data.decoder_pool import Prepared
from foldwise.data.originals import Originals
from foldwise.data.render import Stored, encode, pixels_of
from foldwise.data.sources import ImageRef
from foldwise.errors import BudgetError, LockedError
from foldwise.publish import locked

#: Smaller than those of `prepare`: a block's images are held in memory until it is published.
_BLOCK_BYTES = 16 << 20


class FillingCache:
    """Images of one spec, in the cache or not yet; safe to read from many threads.

    What is missing is decoded and given as the cache will give it, so the first epoch sees the
    pixels of all others. Of several processes one keeps what it decodes; the others take in its
    blocks as they appear. When nothing is missing any more, the last block is published.

    Args:
        folder: holds the caches of all specs.
        cache: what there is already; a store that keeps pixels.
        thumbs: the cache of small pictures, which knows every image.
        refs: content hash to original, of all images; they have been decoded before, so nothing
            that could end this process is among them.
        block_bytes: size at which a block is published.
    """

    def __init__(
        self,
        folder: Path,
        cache: Cache,
        thumbs: Cache,
        refs: Mapping[str, ImageRef],
        *,
        block_bytes: int = _BLOCK_BYTES,
    ) -> None:
        self._folder, self._block_bytes = folder, block_bytes
        self._cache, self._thumbs = cache, thumbs
        self._originals = Originals(cache.spec, refs)
        self._missing = {sha256 for sha256 in refs if sha256 not in cache}
        self._waiting: dict[str, Stored] = {}
        self._writer: CacheWriter | None = None
        self._lock = threading.Lock()
        self._held = contextlib.ExitStack()

    @property
    def cut(self) -> None:
        """Parts are cut from the pixels: see `Cache.cut`."""
        return None

    @property
    def num_missing(self) -> int:
        """Images that were neither cached nor decoded when last looked at."""
        return len(self._missing)

    def get(self, sha256: str) -> np.ndarray:
        """The pixels of an image, (H, W, C) uint8, read-only.

        Raises:
            DataError: the image's block, or its original, was changed.
            BudgetError: a block could not be written.
        """
        if sha256 in self._cache:
            return self._cache.get(sha256)
        spec, stored = self._cache.spec, self._waiting.get(sha256)
        if stored is None:
            with self._lock:
                if self._cache.refresh():
                    self._take_in()
            if sha256 in self._cache:
                return self._cache.get(sha256)
            entry = self._thumbs.entry(sha256)
            stored = encode(self._originals.get(entry), spec.store)
            self._keep(Prepared(sha256, entry.phash, entry.info, (stored,)))
        return pixels_of(stored, spec.store)

    def _keep(self, image: Prepared) -> None:
        with self._lock:
            writer = self._own_writer()
            if writer is None or image.sha256 in self._waiting:
                return
            self._waiting[image.sha256] = image.stored[0]
            self._missing.discard(image.sha256)
            with self._told():
                writer.add(image)
        if not self._missing:
            self.close()

    def close(self) -> None:
        """Publish what is decoded, and let others keep what they decode.

        Raises:
            BudgetError: as `get`.
        """
        with self._lock, self._held:
            if self._writer is not None:
                writer, self._writer = self._writer, None
                with self._told():
                    writer.close()
            self._cache.refresh()
            self._take_in()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BudgetError(
                f"{self._folder}: decoded images cannot be kept: {error.strerror or error}",
                remedy="free some disk, or set input.store: none, which keeps no pixels",
            ) from None

    def _own_writer(self) -> CacheWriter | None:
        """The writer, or None while another process has it."""
        if self._writer is None:
            path = self._folder / f"{self._cache.spec.key}.filling"
            try:
                self._held.enter_context(locked(path, doing="filling the cache"))
            except LockedError:
                return None
            self._writer = CacheWriter(
                self._folder, [self._cache.spec], block_bytes=self._block_bytes
            )
        return self._writer

    def _take_in(self) -> None:
        """Let go of what is published by now."""
        self._missing = {sha256 for sha256 in self._missing if sha256 not in self._cache}
        self._waiting = {
            sha256: stored for sha256, stored in self._waiting.items() if sha256 not in self._cache
        }
