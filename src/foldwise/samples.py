"""Samples: one row per image, train and test, with its cells, its image and what decoding found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldwise import seeding
from foldwise.config.competition import Competition, Images
from foldwise.errors import DataError
from foldwise.publish import publish
from foldwise.tables import Table, ids, read_table

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".pgm")


@dataclass(frozen=True)
class Samples:
    """A table of samples.

    Attributes:
        frame: columns `id`, `split` (train or test), `file` (relative to the data folder), `array`
            and `row` (for npy and npz files, else "" and -1), `cell:<column>` for every column of
            the tables, and after `prepare`: `sha256`, `phash`, `width`, `height`, `mode`,
            `num_bytes`, `damaged` (the reason, else ""). Sorted by split (train first) and id.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> np.ndarray:
        """(N,) str objects."""
        return self.frame["id"].to_numpy(dtype=object)

    @property
    def counters(self) -> np.ndarray:
        """(N,) int64, what random draws for a sample are keyed with; depends on the id alone."""
        return np.array([seeding.key("sample", name) for name in self.ids], dtype=np.int64)

    @property
    def hashes(self) -> np.ndarray:
        """(N,) content hashes of the images."""
        return self.frame["sha256"].to_numpy(dtype=object)

    def part(self, split: str) -> Samples:
        """The rows of one split."""
        return self.take((self.frame["split"] == split).to_numpy())

    def take(self, rows: np.ndarray) -> Samples:
        """Rows by mask or position."""
        return replace(
            self, frame=self.frame[rows] if rows.dtype == bool else self.frame.iloc[rows]
        )

    def cells(self, column: str) -> list[str]:
        """The cells of a table's column, as text."""
        return [str(cell) for cell in self.frame[f"cell:{column}"]]

    def whole(self) -> Samples:
        """The rows whose image could be decoded."""
        return self.take((self.frame["damaged"] == "").to_numpy())


def collect(competition: Competition, data: Path) -> Samples:
    """Read the tables and find each sample's image file, without opening it.

    Args:
        competition: what the tables and columns are called.
        data: the data folder.

    Raises:
        DataError: a table, column or image file is missing, or ids repeat; all problems at once.
    """
    parts = [_split(competition, data, "train")]
    if competition.tables.test is not None:
        parts.append(_split(competition, data, "test"))
    frame = pd.concat(parts, ignore_index=True).fillna("")
    both = frame["id"][frame["id"].duplicated()]
    if len(both):
        raise DataError(
            f"{len(both)} ids are in train and in test: {', '.join(both[:5])}",
            remedy="ids name a sample and must differ",
        )
    _check_files(frame, data)
    frame["split"] = pd.Categorical(frame["split"], ["train", "test"])
    frame = frame.sort_values(["split", "id"], ignore_index=True)
    frame["split"] = frame["split"].astype(str).astype(object)
    return Samples(frame)


def write(path: Path, samples: Samples) -> None:
    """Publish samples as Parquet."""
    table = pa.Table.from_pandas(samples.frame, preserve_index=False)
    publish(path, lambda part: pq.write_table(table, part))


def read(path: Path) -> Samples:
    """Read what `write` wrote.

    Raises:
        DataError: absent or damaged.
    """
    try:
        return Samples(pq.read_table(path).to_pandas())
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", remedy="run `foldwise prepare` first") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{path}: damaged: {error}", remedy="delete it and run `foldwise prepare`"
        ) from None


def _split(competition: Competition, data: Path, split: str) -> pd.DataFrame:
    name = getattr(competition.tables, split)
    images, root = competition.images, getattr(competition.images, split)
    if images.kind == "class_folder" and split == "train":
        return _class_folders(data, name)
    if (data / name).is_dir():
        return _plain_folder(data, name)
    table = read_table(data / name)
    columns = competition.columns
    wanted = [columns.id, *(columns.target + columns.group if split == "train" else ())]
    if images.kind != "folder" and images.column is not None:
        wanted.append(images.column)
    missing = [column for column in wanted if column not in table.frame.columns]
    if missing:
        raise DataError(
            *(f"{table.path}: there is no column {column!r}" for column in missing),
            remedy=f"columns found: {', '.join(table.frame.columns)}; correct competition.yaml",
        )
    frame = pd.DataFrame({"id": ids(table, columns.id), "split": split})
    frame = frame.assign(**_locations(table, images, root, columns.id))
    cells = table.frame.add_prefix("cell:").reset_index(drop=True)
    return pd.concat([frame, cells], axis=1)


def _locations(table: Table, images: Images, root: str, id_column: str) -> dict[str, Any]:
    if images.kind == "array":
        file, _, array = root.partition(":")
        rows = _row_numbers(table, images.column)
        return {"file": file, "array": array, "row": rows}
    cells = table.frame[id_column if images.kind == "folder" else images.column]
    prefix = "" if root in (".", "") else f"{root.rstrip('/')}/"
    files = [f"{prefix}{cell}{_ending(cell, images.extension)}" for cell in cells]
    return {"file": files, "array": "", "row": -1}


def _ending(cell: str, extension: str) -> str:
    return "" if extension and cell.lower().endswith(extension.lower()) else extension


def _row_numbers(table: Table, column: str | None) -> list[int]:
    if column is None:
        return list(range(len(table.frame)))
    rows = []
    for line, cell in zip(table.lines, table.frame[column], strict=True):
        if not cell.isdecimal():
            raise DataError(
                f"{table.path}:{line}: {column}: a row number is wanted, found {cell!r}"
            )
        rows.append(int(cell))
    return rows


def _class_folders(data: Path, name: str) -> pd.DataFrame:
    root = data / name
    files = [p for p in sorted(root.glob("*/**/*")) if p.suffix.lower() in IMAGE_ENDINGS]
    if not files:
        raise DataError(f"{root}: no images in class folders")
    return pd.DataFrame(
        {
            "id": [p.relative_to(root).as_posix() for p in files],
            "split": "train",
            "file": [p.relative_to(data).as_posix() for p in files],
            "array": "",
            "row": -1,
            "cell:label": [p.relative_to(root).parts[0] for p in files],
        }
    )


def _plain_folder(data: Path, name: str) -> pd.DataFrame:
    root = data / name
    files = [p for p in sorted(root.rglob("*")) if p.suffix.lower() in IMAGE_ENDINGS]
    return pd.DataFrame(
        {
            "id": [p.relative_to(root).as_posix() for p in files],
            "split": "test",
            "file": [p.relative_to(data).as_posix() for p in files],
            "array": "",
            "row": -1,
        }
    )


def _check_files(frame: pd.DataFrame, data: Path) -> None:
    distinct = frame.drop_duplicates("file")
    absent = [
        f"{name}: its image {file} does not exist in {data}"
        for name, file in zip(distinct["id"], distinct["file"], strict=True)
        if not (data / file).is_file()
    ]
    if absent:
        more = [f"... and {len(absent) - 5} more"] if len(absent) > 5 else []
        raise DataError(
            *absent[:5],
            *more,
            remedy="correct `images` in competition.yaml (kind, column, folder, extension)",
        )
