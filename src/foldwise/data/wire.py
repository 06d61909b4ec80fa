"""Messages between the run and its decoders: a JSON header and raw bytes behind it."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

Blob = bytes | bytearray | memoryview

#: Length of the header, length of all that follows it.
PREFIX = struct.Struct("<IQ")


def pack(header: dict[str, Any], blobs: Sequence[Blob] = ()) -> list[Blob]:
    """A message as pieces to be written one after the other."""
    text = json.dumps(header).encode()
    return [PREFIX.pack(len(text), sum(len(blob) for blob in blobs)) + text, *blobs]


def receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next message of a blocking stream, or None at its end."""
    prefix = stream.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    header_size, blob_size = PREFIX.unpack(prefix)
    text, blob = stream.read(header_size), stream.read(blob_size)
    return (json.loads(text), blob) if len(text) + len(blob) == header_size + blob_size else None
