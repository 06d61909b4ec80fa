"""Filling caches: many specs from one decoding pass, block by block, each published whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from foldwise.data.blocks import Entry, write_block
from foldwise.data.decode import ImageInfo
from foldwise.data.decoder_pool import Prepared, Result
from foldwise.data.hashes import phash
from foldwise.data.render import Stored, encode
from foldwise.data.spec import CacheSpec
from foldwise.publish import publish_json, sweep

BLOCK_BYTES = 64 << 20


class CacheWriter:
    """Collects images for several specs and publishes a block of each when one is full.

    All at once, so that after a kill the same images are in every cache. A block is written by a
    thread while the next one fills. Leaving the `with` publishes what is left, after an error too.

    Args:
        folder: holds the caches of all specs.
        specs: one cache each.
        block_bytes: size at which a block is published.
    """

    def __init__(
        self, folder: Path, specs: Sequence[CacheSpec], *, block_bytes: int = BLOCK_BYTES
    ) -> None:
        self._folders = [folder / spec.key for spec in specs]
        self._block_bytes = block_bytes
        self._seen: set[str] = set()
        self._filling, self._resting = _Batch(len(specs)), _Batch(len(specs))
        self._thread = ThreadPoolExecutor(1, "foldwise-cache")
        self._writing: Future[None] | None = None
        for spec, place in zip(specs, self._folders, strict=True):
            sweep(place)
            if not (place / "spec.json").exists():
                publish_json(place / "spec.json", spec.to_json())

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Publish what is left; nothing can be added any more.

        Raises:
            OSError: as `add`.
        """
        try:
            self.flush()
            self._wait()
        finally:
            self._thread.shutdown()

    def add(self, image: Prepared) -> None:
        """Take an image, with one stored form per spec; a second one of equal content is left out.

        Raises:
            OSError: an earlier block could not be written, the disk is full perhaps.
        """
        if image.sha256 in self._seen:
            return
        self._seen.add(image.sha256)
        self._filling.add(image)
        if self._filling.num_bytes >= self._block_bytes:
            self.flush()

    def flush(self) -> None:
        """Hand what is collected to the writing thread."""
        if not self._filling.num_images:
            return
        self._wait()
        self._filling, self._resting = self._resting, self._filling
        self._writing = self._thread.submit(self._resting.write, self._folders)

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()


class _Batch:
    """Images on their way into a block of each spec.

    Its memory is used again for the next block: fresh pages cost more than copying into old ones.
    """

    def __init__(self, num_specs: int) -> None:
        self._buffers = [bytearray() for _ in range(num_specs)]
        self._entries: list[list[Entry]] = [[] for _ in range(num_specs)]
        self._used = [0] * num_specs
        self.num_images = 0

    @property
    def num_bytes(self) -> int:
        return max(self._used, default=0)

    def add(self, image: Prepared) -> None:
        for number, stored in enumerate(image.stored):
            start, size = self._used[number], len(stored.data)
            # Past the end, the buffer grows; inside, old bytes are written over.
            self._buffers[number][start : start + size] = stored.data
            self._used[number] += size
            self._entries[number].append(
                Entry(image.sha256, image.phash, image.info, stored.shape, start, size)
            )
        self.num_images += 1

    def write(self, folders: Sequence[Path]) -> None:
        for number, folder in enumerate(folders):
            with memoryview(self._buffers[number])[: self._used[number]] as pixels:
                write_block(folder, self._entries[number], pixels)
            self._entries[number], self._used[number] = [], 0
        self.num_images = 0


def fill(
    folder: Path,
    specs: Sequence[CacheSpec],
    results: Iterable[tuple[int, Result]],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[int, Result]]:
    """Write the sound images of a decoding pass to the caches of its specs.

    Args:
        folder: holds the caches.
        specs: those the pass was run for, in that order.
        results: as `decode_all` gives them.
        block_bytes: size at which a block is published.

    Yields:
        Every result, without its pixels. All are on disk when the last has been taken.
    """
    with CacheWriter(folder, specs, block_bytes=block_bytes) as writer:
        for index, result in results:
            if isinstance(result, Prepared):
                writer.add(result)
                yield index, replace(result, stored=())
            else:
                yield index, result


def write_blocks(
    folder: Path,
    spec: CacheSpec,
    images: Iterable[tuple[str, np.ndarray]],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> None:
    """Write (content hash, (H, W, C) uint8 pixels already made) to the cache of `spec`."""
    with CacheWriter(folder, [spec], block_bytes=block_bytes) as writer:
        for sha256, pixels in images:
            height, width = pixels.shape[:2]
            info = ImageInfo(width, height, "uint8", "pixels", pixels.nbytes)
            stored: tuple[Stored] = (encode(pixels, spec.store),)
            writer.add(Prepared(sha256, phash(pixels), info, stored))
