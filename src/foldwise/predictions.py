"""Predictions: ids and one array of scores, aligned by id and by column name, never by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldwise.errors import DataError
from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.listing import list_maps, listed_maps
from foldwise.maps.maps import Maps, joined
from foldwise.publish import publish
from foldwise.stored_tables import facts, open_stored

_FORMAT = 1


@dataclass(frozen=True)
class Predictions:
    """Scores of one set of samples: named numbers of each, or of each pixel of each.

    Attributes:
        ids: (N,) str, unique.
        scores: (N, C) float64 on the task's common scale; of kind `map` the `Maps` of N samples
            and C classes.
        columns: C names of the scores.
        raw: (N, R) float64 as the network's formulation gives them, or None from outside.
        raw_columns: R names.
        folds: (N,) int64, the fold each row was held out in; None for test rows.
        kind: `vector` or `map`.
    """

    ids: np.ndarray
    scores: Any
    columns: tuple[str, ...]
    raw: np.ndarray | None = None
    raw_columns: tuple[str, ...] = ()
    folds: np.ndarray | None = None
    kind: str = "vector"

    def __post_init__(self) -> None:
        num = len(self.ids)
        assert self.scores.shape == (num, len(self.columns)), self.scores.shape
        assert self.raw is None or self.raw.shape == (num, len(self.raw_columns))
        assert self.folds is None or self.folds.shape == (num,)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Predictions:
        """The rows given by position or mask."""
        return replace(
            self,
            ids=self.ids[rows],
            scores=self.scores[rows],
            raw=None if self.raw is None else self.raw[rows],
            folds=None if self.folds is None else self.folds[rows],
        )

    def align(self, ids: Sequence[str] | np.ndarray, *, name: str) -> Predictions:
        """The rows of `ids`, in that order.

        Args:
            ids: wanted ids.
            name: whose predictions these are, for the message.

        Raises:
            DataError: ids are missing here; the first five are named.
        """
        position = pd.Index(self.ids).get_indexer(pd.Index(ids))
        if (position < 0).any():
            missing = np.asarray(ids, dtype=object)[position < 0]
            raise DataError(
                f"{name}: {len(missing)} of {len(ids)} ids have no prediction: "
                + ", ".join(map(str, missing[:5]))
                + (" ..." if len(missing) > 5 else ""),
                remedy="train or predict the missing folds first, or leave this member out",
            )
        return self.take(position)

    def with_scores(self, scores: np.ndarray) -> Predictions:
        """The same rows with other scores and no raw outputs."""
        return replace(self, scores=scores, raw=None, raw_columns=())


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of disjoint rows with equal columns, one after the other."""
    first = parts[0]
    assert all(p.columns == first.columns and p.raw_columns == first.raw_columns for p in parts)
    has_raw = all(p.raw is not None for p in parts)
    has_folds = all(p.folds is not None for p in parts)
    return replace(
        first,
        ids=np.concatenate([p.ids for p in parts]),
        scores=joined([p.scores for p in parts])
        if first.kind == "map"
        else np.concatenate([p.scores for p in parts]),
        raw=np.concatenate([p.raw for p in parts if p.raw is not None]) if has_raw else None,
        raw_columns=first.raw_columns if has_raw else (),
        folds=np.concatenate([p.folds for p in parts if p.folds is not None])
        if has_folds
        else None,
    )


def write(path: Path, predictions: Predictions) -> None:
    """Publish predictions as Parquet, rows sorted by id.

    Of maps the table says where they stand; those that stand nowhere are written beside it first,
    one after the other.
    """
    order = np.array(sorted(range(len(predictions)), key=predictions.ids.__getitem__), dtype=int)
    rows = predictions.take(order)
    data: dict[str, object] = {"id": pa.array(rows.ids.tolist(), pa.string())}
    if rows.folds is not None:
        data["fold"] = rows.folds.astype(np.int64)
    if rows.kind == "map":
        rows = replace(rows, scores=_stored(path, rows))
        listed, files = list_maps(rows.scores, path.parent)
        data |= listed
        _publish(path, data, {"kind": "map", "columns": rows.columns, "files": files})
        return
    for index, column in enumerate(rows.columns):
        data[f"score:{column}"] = np.ascontiguousarray(rows.scores[:, index], dtype=np.float64)
    for index, column in enumerate(rows.raw_columns):
        assert rows.raw is not None
        data[f"raw:{column}"] = np.ascontiguousarray(rows.raw[:, index], dtype=np.float64)
    _publish(path, data, {"kind": rows.kind})


def _publish(path: Path, data: dict[str, object], known: dict[str, object]) -> None:
    table = pa.table(data).replace_schema_metadata(facts(_FORMAT, **known))
    publish(path, lambda part: pq.write_table(table, part))


def _stored(path: Path, rows: Predictions) -> Maps:
    """The maps, in files below the table's folder."""
    maps: Maps = rows.scores
    if maps.stored is not None and all(
        file.is_relative_to(path.parent) for file in set(maps.stored.files)
    ):
        return maps
    place = path.with_suffix(".arrow")
    write_maps(place, maps.num_classes, zip(rows.ids, maps, strict=True))
    return replace(read_maps(place)[1], gates=maps.gates)


def read(path: Path) -> Predictions:
    """Read what `write` wrote.

    Raises:
        DataError: the file is absent, damaged, or not of this format.
    """
    table, meta = open_stored(
        path, pq.read_table, what="scores", form=_FORMAT, first="foldwise predict"
    )
    names = table.column_names
    if meta["kind"] == "map":
        return _of_maps(path, table, meta)
    columns = tuple(n.removeprefix("score:") for n in names if n.startswith("score:"))
    raw_columns = tuple(n.removeprefix("raw:") for n in names if n.startswith("raw:"))
    return Predictions(
        ids=np.asarray(table["id"].to_pylist(), dtype=object),
        scores=_matrix(table, "score:", columns),
        columns=columns,
        raw=_matrix(table, "raw:", raw_columns) if raw_columns else None,
        raw_columns=raw_columns,
        folds=table["fold"].to_numpy() if "fold" in names else None,
        kind=meta["kind"],
    )


def _of_maps(path: Path, table: pa.Table, meta: dict[str, Any]) -> Predictions:
    return Predictions(
        ids=np.asarray(table["id"].to_pylist(), dtype=object),
        scores=listed_maps(table, path, meta["files"], len(meta["columns"])),
        columns=tuple(meta["columns"]),
        folds=table["fold"].to_numpy() if "fold" in table.column_names else None,
        kind="map",
    )


def _matrix(table: pa.Table, prefix: str, columns: Sequence[str]) -> np.ndarray:
    arrays = [table[f"{prefix}{column}"].to_numpy() for column in columns]
    return np.stack(arrays, axis=1).astype(np.float64) if arrays else np.empty((len(table), 0))
