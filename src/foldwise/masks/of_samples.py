"""Masks of samples: one for each class of each, and what is not counted; in memory and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldwise.errors import DataError
from foldwise.masks.runs import Runs, concatenate
from foldwise.publish import publish
from foldwise.stored_tables import facts, open_stored

_FORMAT = 1


@dataclass(frozen=True)
class Masks:
    """The masks of N samples, C of each, as a column of answers or of truths.

    Attributes:
        runs: N * C masks, sample by sample, class by class within it.
        num_classes: C.
        ignored: N masks of pixels that do not count; None: all count.
    """

    runs: Runs
    num_classes: int
    ignored: Runs | None = None

    def __post_init__(self) -> None:
        assert self.num_classes > 0
        assert len(self.runs) % self.num_classes == 0
        assert self.ignored is None or len(self.ignored) == len(self)

    def __len__(self) -> int:
        return len(self.runs) // self.num_classes

    def __getitem__(self, rows: np.ndarray | slice) -> Masks:
        """Those of the samples given by position or by a mask over them."""
        chosen = np.arange(len(self))[rows]
        places = chosen[:, None] * self.num_classes + np.arange(self.num_classes)
        ignored = None if self.ignored is None else self.ignored.take(chosen)
        return replace(self, runs=self.runs.take(places.ravel()), ignored=ignored)

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2) int64 height and width of each sample, pixels."""
        first = slice(None, None, self.num_classes)
        return np.stack([self.runs.heights[first], self.runs.widths[first]], axis=1)

    @property
    def areas(self) -> np.ndarray:
        """(N, C) int64 pixels of each class in each sample."""
        return self.runs.areas.reshape(-1, self.num_classes)

    @property
    def present(self) -> np.ndarray:
        """(N, C) int64, 1 where a sample has a pixel of a class."""
        return (self.runs.counts > 0).astype(np.int64).reshape(-1, self.num_classes)

    def tobytes(self) -> bytes:
        """All of it, to be hashed."""
        parts = [self.runs] if self.ignored is None else [self.runs, self.ignored]
        arrays = [
            np.concatenate([p.heights, p.widths, p.offsets, p.starts, p.lengths]) for p in parts
        ]
        return b"".join(np.asarray(array, dtype="<i8").tobytes() for array in arrays)


def empty_masks(sizes: np.ndarray, num_classes: int) -> Masks:
    """Masks without a pixel, of samples of these (N, 2) heights and widths."""
    heights, widths = np.repeat(np.asarray(sizes, np.int64), num_classes, axis=0).T
    nothing = np.empty(0, np.int64)
    offsets = np.zeros(len(heights) + 1, np.int64)
    return Masks(Runs(heights, widths, offsets, nothing, nothing), num_classes)


def joined_masks(parts: Sequence[Masks]) -> Masks:
    """The masks of several, one after the other; all say what is not counted, or none does."""
    ignored = [part.ignored for part in parts if part.ignored is not None]
    assert len(ignored) in (0, len(parts))
    runs = concatenate(part.runs for part in parts)
    return Masks(runs, parts[0].num_classes, concatenate(ignored) if ignored else None)


def scattered(parts: Sequence[tuple[np.ndarray, Masks]]) -> Masks:
    """The masks of all samples, from those of some rows each.

    Args:
        parts: (n,) int64 rows and their masks; every row of 0..N-1 is in one of them.
    """
    rows = np.concatenate([each for each, _ in parts])
    assert (np.sort(rows) == np.arange(len(rows))).all()
    return joined_masks([masks for _, masks in parts])[np.argsort(rows)]


def write_masks(path: Path, names: Sequence[str] | np.ndarray, masks: Masks) -> None:
    """Publish masks as Parquet, a row for each sample and class, and one for what is ignored."""
    kinds = [(index, masks.runs, index) for index in range(masks.num_classes)]
    table = pa.concat_tables(
        _rows(names, number, runs.take(np.arange(first, len(runs), masks.num_classes)))
        for number, runs, first in kinds
    )
    if masks.ignored is not None:
        table = pa.concat_tables([table, _rows(names, -1, masks.ignored)])
    known = facts(_FORMAT, classes=masks.num_classes, samples=len(masks))
    table = table.replace_schema_metadata(known)
    publish(path, lambda part: pq.write_table(table, part))


def read_masks(path: Path) -> tuple[np.ndarray, Masks]:
    """Names of the samples, (N,) str, and their masks, as `write_masks` wrote them.

    Raises:
        DataError: the file is absent or damaged, or not of this format.
    """
    table, meta = open_stored(
        path, pq.read_table, what="masks", form=_FORMAT, first="foldwise prepare"
    )
    num, num_classes = int(meta["samples"]), int(meta["classes"])
    names = np.asarray(table["id"].slice(0, num).to_pylist(), dtype=object)
    every = _runs(table)
    by_class = np.arange(num * num_classes).reshape(num_classes, num).T.ravel()
    rest = np.arange(num * num_classes, len(every))
    return names, Masks(every.take(by_class), num_classes, every.take(rest) if len(rest) else None)


def masks_of(path: Path, ids: Sequence[str] | np.ndarray) -> Masks:
    """The masks of these samples, in their order.

    Raises:
        DataError: as `read_masks`; or samples have none there.
    """
    names, masks = read_masks(path)
    places = pd.Index(names).get_indexer(pd.Index(ids))
    if (places < 0).any():
        missing = np.asarray(ids, dtype=object)[places < 0]
        raise DataError(
            f"{path}: {len(missing)} of {len(ids)} samples have no masks, such as {missing[0]}",
            remedy="run `foldwise prepare`",
        )
    return masks[places]


def _rows(names: Sequence[str] | np.ndarray, number: int, runs: Runs) -> pa.Table:
    offsets = pa.array(runs.offsets, pa.int32())
    return pa.table(
        {
            "id": pa.array(list(names), pa.string()),
            "class": pa.array([number] * len(runs), pa.int32()),
            "height": pa.array(runs.heights, pa.int64()),
            "width": pa.array(runs.widths, pa.int64()),
            "starts": pa.ListArray.from_arrays(offsets, pa.array(runs.starts)),
            "lengths": pa.ListArray.from_arrays(offsets, pa.array(runs.lengths)),
        }
    )


def _runs(table: pa.Table) -> Runs:
    starts, lengths = (table[name].combine_chunks() for name in ("starts", "lengths"))
    counts = starts.value_lengths().to_numpy(zero_copy_only=False)
    return Runs(
        table["height"].to_numpy(),
        table["width"].to_numpy(),
        np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        starts.flatten().to_numpy(zero_copy_only=False).astype(np.int64),
        lengths.flatten().to_numpy(zero_copy_only=False).astype(np.int64),
    )
