"""Block files of the cache: many images, their index and its checksums in one file."""

from __future__ import annotations

import json
import os
import secrets
import struct
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from foldwise.data.decode import ImageInfo
from foldwise.errors import DataError
from foldwise.publish import publish

_FORMAT = 1
_MAGIC = b"FWBLOCK\n"
#: At the end of the file: length and CRC-32 of the index before it, then the magic.
_FOOTER = struct.Struct("<QI8s")

# One file, not pixels and index apart: it appears whole by one rename, and no half can be lost.
# CRC-32 finds every change within 32 neighbouring bits, at 19 ms per 64 MiB here (SHA-256 43 with
# the processor's help, BLAKE2 84); what guards against intent is the content hash at import.


@dataclass(frozen=True)
class Entry:
    """Where one image lies in its block, and what is known of it.

    Attributes:
        sha256: content hash of the source, in hex.
        phash: perceptual hash.
        info: what the source said of itself.
        shape: (H, W, C) of the cached pixels.
        offset: first byte in the block.
        num_bytes: how many; 0 in a cache without pixels.
    """

    sha256: str
    phash: int
    info: ImageInfo
    shape: tuple[int, int, int]
    offset: int
    num_bytes: int


@dataclass(frozen=True)
class Block:
    """An opened block: its file, its entries, length and CRC-32 of its pixels."""

    path: Path
    entries: tuple[Entry, ...]
    num_bytes: int
    crc32: int


def write_block(folder: Path, entries: Sequence[Entry], pixels: memoryview) -> Path:
    """Publish a block under a new name; several processes may do so at once.

    Args:
        folder: the cache's folder.
        entries: their offsets point into `pixels`.
        pixels: bytes of all images, one after the other.
    """
    path = folder / f"block-{secrets.token_hex(8)}.bin"
    index = json.dumps(
        {
            "format": _FORMAT,
            "num_bytes": len(pixels),
            "crc32": zlib.crc32(pixels),
            "entries": [
                [e.sha256, e.phash, list(astuple(e.info)), list(e.shape), e.offset, e.num_bytes]
                for e in entries
            ],
        }
    ).encode()

    def write(part: Path) -> None:
        with part.open("wb") as file:
            file.write(pixels)
            file.write(index)
            file.write(_FOOTER.pack(len(index), zlib.crc32(index), _MAGIC))

    publish(path, write)
    return path


def open_block(path: Path) -> Block:
    """Read and check a block's index; its pixels are not read yet.

    Raises:
        DataError: the file is cut short, or its index is not what was written.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        footer_at = max(0, size - _FOOTER.size)
        file.seek(footer_at)
        footer = file.read(_FOOTER.size)
        if len(footer) < _FOOTER.size:
            raise _damaged(path, "it is cut short")
        length, index_crc32, magic = _FOOTER.unpack(footer)
        if magic != _MAGIC or length > footer_at:
            raise _damaged(path, "its end is not that of a block")
        file.seek(footer_at - length)
        index = file.read(length)
    if zlib.crc32(index) != index_crc32:
        raise _damaged(path, "its index was changed")
    value = json.loads(index)
    if value["num_bytes"] + length + _FOOTER.size != size:
        raise _damaged(path, "it has another length than was written")
    entries = tuple(
        Entry(sha256, phash, ImageInfo(*info), tuple(shape), offset, num_bytes)
        for sha256, phash, info, shape, offset, num_bytes in value["entries"]
    )
    return Block(path, entries, value["num_bytes"], value["crc32"])


def check_pixels(block: Block, data: memoryview) -> None:
    """Compare the pixels' checksum with the one written.

    Raises:
        DataError: they were changed.
    """
    found = zlib.crc32(data[: block.num_bytes])
    if found != block.crc32:
        raise _damaged(block.path, f"CRC-32 {block.crc32:08x} was written, found {found:08x}")


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        f"{path}: damaged cache block: {what}",
        remedy=f"delete {path} and run `foldwise prepare`; only its images are decoded again",
    )
