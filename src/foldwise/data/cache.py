"""The shared image cache: read by content hash from mapped blocks, checked at first touch."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from foldwise.data.blocks import Block, Entry, check_pixels, open_block
from foldwise.data.boxes import Cut
from foldwise.data.originals import Originals
from foldwise.data.render import Stored, pixels_of
from foldwise.data.sources import ImageRef
from foldwise.data.spec import CacheSpec
from foldwise.errors import DataError


class Cache:
    """All images of one spec; opened once per process, safe to read from many threads."""

    def __init__(
        self, folder: Path, spec: CacheSpec, blocks: Iterable[Block], refs: Mapping[str, ImageRef]
    ) -> None:
        self.spec = spec
        self._folder = folder
        self._changed_ns = 0
        self._originals = Originals(spec, refs) if spec.store == "none" else None
        self._blocks: list[Block] = []
        self._maps: dict[int, memoryview] = {}
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, Entry]] = {}
        for block in blocks:
            self._add(block)

    @classmethod
    def open(
        cls, folder: Path, spec: CacheSpec, *, refs: Mapping[str, ImageRef] | None = None
    ) -> Cache:
        """Read the index of the cache of `spec`.

        Args:
            folder: holds the caches of all specs; an absent one is an empty cache.
            spec: which cache.
            refs: content hash to original, needed to `get` where the store is `none`.

        Raises:
            DataError: blocks are damaged; all of them are named.
        """
        blocks, problems = [], []
        for path in sorted((folder / spec.key).glob("block-*.bin")):
            try:
                blocks.append(open_block(path))
            except DataError as error:
                problems.append(error)
        _raise_all(problems)
        return cls(folder / spec.key, spec, blocks, refs or {})

    def refresh(self) -> bool:
        """Take in blocks that were published since; says whether there were any.

        Raises:
            DataError: one of them is damaged.
        """
        changed_ns = self._folder.stat().st_mtime_ns if self._folder.is_dir() else 0
        if changed_ns == self._changed_ns:
            return False
        known = {block.path for block in self._blocks}
        fresh = [open_block(p) for p in sorted(self._folder.glob("block-*.bin")) if p not in known]
        for block in fresh:
            self._add(block)
        self._changed_ns = changed_ns
        return bool(fresh)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._places

    def entry(self, sha256: str) -> Entry:
        """What is known of an image: hashes, source, cached shape.

        Raises:
            DataError: the image is not in the cache.
        """
        return self._place(sha256)[1]

    def get(self, sha256: str) -> np.ndarray:
        """The pixels of an image.

        Returns:
            (H, W, C) uint8, read-only; a view of the mapped file where the store is `raw`.

        Raises:
            DataError: not in the cache; its block was changed since it was written; or, store
                `none`, the original was.
        """
        number, entry = self._place(sha256)
        if self._originals is not None:
            return self._originals.get(entry)
        data = self._checked(number)[entry.offset : entry.offset + entry.num_bytes]
        return pixels_of(Stored(entry.shape, data), self.spec.store)

    @property
    def cut(self) -> Cut | None:
        """Reads a part of an image alone: content hash, what draws it, side it will have.

        None where that is no gain: the cache has the pixels, or its steps or its shape rule need
        the whole image. Raises as `get` does.
        """
        originals = self._originals
        if originals is None or not originals.has_parts:
            return None
        return lambda sha256, box, size: originals.cut(self.entry(sha256), box, size)

    def verify_all(self) -> None:
        """Check every block, and with store `none` every original.

        Raises:
            DataError: all that were changed.
        """
        problems = []
        for number in range(len(self._blocks)):
            try:
                self._checked(number)
            except DataError as error:
                problems.append(error)
        if self._originals is not None:
            for _, entry in self._places.values():
                try:
                    self._originals.check(entry)
                except DataError as error:
                    problems.append(error)
        _raise_all(problems)

    def _add(self, block: Block) -> None:
        number = len(self._blocks)
        self._blocks.append(block)
        # Two processes may have written the same image: either will do.
        self._places.update((entry.sha256, (number, entry)) for entry in block.entries)

    def _place(self, sha256: str) -> tuple[int, Entry]:
        try:
            return self._places[sha256]
        except KeyError:
            raise DataError(
                f"image {sha256[:16]}... is not in the cache {self.spec.key}",
                remedy="run `foldwise prepare`",
            ) from None

    def _checked(self, number: int) -> memoryview:
        data = self._maps.get(number)
        if data is not None:
            return data
        with self._lock:
            if number not in self._maps:
                block = self._blocks[number]
                with block.path.open("rb") as file:
                    mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
                check_pixels(block, mapped)
                self._maps[number] = mapped
            return self._maps[number]


def _raise_all(errors: list[DataError]) -> None:
    if errors:
        remedies: dict[str, None] = dict.fromkeys(e.remedy for e in errors if e.remedy)
        problems = [problem for error in errors for problem in error.problems]
        raise DataError(*problems, remedy="\n".join(remedies))
