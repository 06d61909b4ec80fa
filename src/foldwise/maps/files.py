"""Maps on disk: one Arrow file, a compressed map with its checksum in each batch."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from foldwise.errors import DataError
from foldwise.maps.maps import Maps, Stored, joined
from foldwise.publish import publish
from foldwise.stored_tables import facts, open_stored

_FORMAT = 1
_CODEC = pa.Codec("zstd", compression_level=1)
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("crc32", pa.uint32()),
        ("map", pa.large_binary()),
    ]
)


def write_maps(path: Path, num_classes: int, maps: Iterable[tuple[str, np.ndarray]]) -> None:
    """Publish maps as one file, each when it is given: only one is held in memory.

    Args:
        path: the file.
        num_classes: C.
        maps: id and (C, H, W) uint8 levels of each sample.
    """
    schema = _SCHEMA.with_metadata(facts(_FORMAT, classes=num_classes))

    def write(part: Path) -> None:
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for name, levels in maps:
                assert levels.shape[0] == num_classes, levels.shape
                writer.write_batch(_batch(schema, name, levels))

    publish(path, write)


def read_maps(path: Path) -> tuple[np.ndarray, Maps]:
    """Ids, (N,) str, and their maps, as `write_maps` wrote them.

    Raises:
        DataError: the file is absent or damaged, or not of this format. A map that is damaged is
            found when it is read.
    """
    reader, meta = open_stored(path, _reader, what="maps", form=_FORMAT, first="foldwise predict")
    num, num_classes = reader.num_record_batches, int(meta["classes"])
    heads = [reader.get_batch(number) for number in range(num)]
    sizes = [(batch["height"][0].as_py(), batch["width"][0].as_py()) for batch in heads]
    ids = np.array([batch["id"][0].as_py() for batch in heads], dtype=object)

    def read(number: int) -> np.ndarray:
        return _levels(reader.get_batch(number), num_classes, path)

    shapes = np.array(sizes, np.int64).reshape(-1, 2)
    numbers = np.arange(num)
    checksums = np.array([batch["crc32"][0].as_py() for batch in heads], np.int64)
    stored = Stored(np.array([path] * num, dtype=object), numbers, checksums)
    return ids, Maps(shapes, num_classes, numbers, read, stored=stored)


def _reader(path: Path) -> pa.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(str(path)))


def _batch(schema: pa.Schema, name: str, levels: np.ndarray) -> pa.RecordBatch:
    packed = _CODEC.compress(np.ascontiguousarray(levels).data, asbytes=True)
    _, height, width = levels.shape
    values = ([name], [height], [width], [zlib.crc32(packed)], [packed])
    arrays = [pa.array(value, field.type) for value, field in zip(values, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _levels(batch: pa.RecordBatch, num_classes: int, path: Path) -> np.ndarray:
    packed = batch["map"][0].as_buffer()
    name = batch["id"][0].as_py()
    if zlib.crc32(packed) != batch["crc32"][0].as_py():
        raise DataError(f"{path}: the map of {name} is damaged", remedy="delete it and run again")
    shape = (num_classes, batch["height"][0].as_py(), batch["width"][0].as_py())
    size = int(np.prod(shape))
    return np.frombuffer(_CODEC.decompress(packed, size), np.uint8).reshape(shape)


def open_maps(
    files: Sequence[Path], shards: np.ndarray, numbers: np.ndarray, num_classes: int
) -> Maps:
    """Maps that stand in several files.

    Args:
        files: of the maps.
        shards: (N,) int64 which file each is in.
        numbers: (N,) int64 its place there.
        num_classes: C.

    Raises:
        DataError: a file is absent or damaged, or lacks a place.
    """
    parts = [read_maps(file)[1] for file in files]
    for file, part, shard in zip(files, parts, range(len(files)), strict=True):
        here = numbers[shards == shard]
        if part.num_classes != num_classes or (len(here) and here.max() >= len(part)):
            raise DataError(f"{file}: it has other maps than when it was listed")
    edges = np.cumsum([0, *(len(part) for part in parts)])
    if not parts:
        return Maps(np.empty((0, 2), np.int64), num_classes, np.empty(0, np.int64), _no_map)
    return joined(parts)[edges[shards] + numbers]


def _no_map(number: int) -> np.ndarray:
    raise IndexError(number)
