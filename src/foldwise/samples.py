"""Samples: one row per image, train and test, with its cells, its image and what decoding found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldwise import seeding
from foldwise.config.competition import Competition, Images
from foldwise.csv_files import limited
from foldwise.errors import ConfigError, DataError
from foldwise.publish import publish
from foldwise.tables import Table, ids, read_table

#: `images.extension` that stands for whatever ending the one file of a name has.
ANY_ENDING = ".*"
#: What is known of each image, in the order of the columns.
_OF_IMAGES = (
    *("file", "array", "row", "sha256", "phash"),
    *("width", "height", "mode", "format", "num_bytes"),
)
#: Begins the names of columns that tell of another image than a sample's first.
_FURTHER = "image"
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".pgm")


@dataclass(frozen=True)
class Samples:
    """A table of samples.

    Attributes:
        frame: columns `id`, `split` (train or test), `file` (relative to the data folder), `array`
            and `row` (for npy and npz files, else "" and -1), `table` and `line` (where the row
            stands; the table relative to the data folder), `cell:<column>` for every column of
            the tables, and after `prepare`: `sha256`, `phash`, `width`, `height`, `mode`,
            `num_bytes`, `damaged` (the reason, else ""). Where a sample has several images,
            these are of the first; of the second they are in `image2:file`, `image2:sha256` and
            so on, and `damaged` tells of any. Sorted by split (train first) and id.
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
        """(N,) content hashes of the images; of the first ones where there are several."""
        return self.frame["sha256"].to_numpy(dtype=object)

    @property
    def num_images(self) -> int:
        """Images of a sample."""
        names = map(str, self.frame.columns)
        return 1 + sum(name.startswith(_FURTHER) and name.endswith(":file") for name in names)

    @property
    def image_hashes(self) -> np.ndarray:
        """(N, V) content hashes of all images of each sample."""
        names = [_column(place, "sha256") for place in range(self.num_images)]
        return self.frame[names].to_numpy(dtype=object)

    def every_image(self) -> Samples:
        """A row for each image: the first ones of all samples, then the second ones...

        The samples themselves where each has one.
        """
        if self.num_images == 1:
            return self
        own = [name for name in self.frame.columns if not str(name).startswith(_FURTHER)]
        frames = []
        for place in range(self.num_images):
            known = {name: _column(place, name) for name in _OF_IMAGES}
            here = {
                name: self.frame[column] for name, column in known.items() if column in self.frame
            }
            frames.append(self.frame[own].assign(**here))
        return Samples(pd.concat(frames, ignore_index=True))

    def with_images(self, images: Samples) -> Samples:
        """The samples with what is known of their images, in the order of `every_image`."""
        frame = self.frame
        for place in range(self.num_images):
            rows = images.frame.iloc[place * len(self) : (place + 1) * len(self)]
            known = [name for name in _OF_IMAGES if name in rows]
            found = {_column(place, name): rows[name].to_numpy() for name in known}
            frame = frame.assign(**found)
        reasons = images.frame["damaged"].to_numpy(dtype=object).reshape(self.num_images, -1)
        return Samples(frame.assign(damaged=["; ".join(filter(None, row)) for row in reasons.T]))

    def part(self, split: str) -> Samples:
        """The rows of one split."""
        return self.take((self.frame["split"] == split).to_numpy())

    def take(self, rows: np.ndarray) -> Samples:
        """Rows by mask or position."""
        return replace(
            self, frame=self.frame[rows] if rows.dtype == bool else self.frame.iloc[rows]
        )

    @property
    def columns(self) -> list[str]:
        """The columns of the tables; a row of a table that lacks one has an empty cell in it."""
        names = map(str, self.frame.columns)
        return [name.removeprefix("cell:") for name in names if name.startswith("cell:")]

    def cells(self, column: str) -> list[str]:
        """The cells of a table's column, as text."""
        return [str(cell) for cell in self.frame[f"cell:{column}"]]

    @property
    def table(self) -> Table:
        """The rows of one split as cells that know their line."""
        path = Path(str(self.frame["table"].iloc[0]) if len(self) else "")
        names = {c: c.removeprefix("cell:") for c in self.frame.columns if c.startswith("cell:")}
        cells = self.frame[list(names)].rename(columns=names).reset_index(drop=True)
        return Table(path, cells, self.frame["line"].to_numpy(dtype=np.int64))

    def whole(self) -> Samples:
        """The rows whose images could all be decoded."""
        return self.take((self.frame["damaged"] == "").to_numpy())


def _column(place: int, name: str) -> str:
    """Where the frame tells of a sample's image, counted from 0."""
    return f"{_FURTHER}{place + 1}:{name}" if place else name


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
            remedy="ids name a sample and must differ: if each table counts its own rows, set "
            "columns.train_prefix: train/ in competition.yaml; if these are the same images, take "
            "them out of train",
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
        frame = pq.read_table(path).to_pandas()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", remedy="run `foldwise prepare` first") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{path}: damaged: {error}", remedy="delete it and run `foldwise prepare`"
        ) from None
    if "line" not in frame.columns:
        raise DataError(
            f"{path}: written by an older foldwise", remedy="run `foldwise prepare` again"
        )
    return Samples(frame)


def _split(competition: Competition, data: Path, split: str) -> pd.DataFrame:
    name = getattr(competition.tables, split)
    images, root = competition.images, getattr(competition.images, split)
    if images.kind == "class_folder" and split == "train":
        return _class_folders(data, name, competition.columns.train_prefix)
    if (data / name).is_dir():
        if images.names:
            raise ConfigError(
                f"tables.{split}: {name} is a folder, which does not say which of its images "
                "belong together",
                remedy="give a table with a row for each sample, or take out images.columns and "
                "images.extensions",
            )
        return _plain_folder(data, name)
    table = read_table(data / name)
    columns = competition.columns
    wanted = [columns.id, *(columns.target + columns.group if split == "train" else ())]
    if images.kind != "folder":
        wanted += images.file_columns
    missing = [column for column in wanted if column not in table.frame.columns]
    if missing:
        raise DataError(
            *(f"{table.path}: there is no column {column!r}" for column in missing),
            remedy=f"columns found: {', '.join(table.frame.columns)}; correct competition.yaml",
        )
    prefix = columns.train_prefix if split == "train" else ""
    names = [f"{prefix}{cell}" for cell in ids(table, columns.id)]
    frame = pd.DataFrame({"id": names, "split": split, "table": name, "line": table.lines})
    for place, each in enumerate(images.each):
        found = _locations(table, each, root, columns.id, data)
        frame = frame.assign(**{_column(place, key): value for key, value in found.items()})
    cells = table.frame.add_prefix("cell:").reset_index(drop=True)
    return pd.concat([frame, cells], axis=1)


def _locations(
    table: Table, images: Images, root: str, id_column: str, data: Path
) -> dict[str, Any]:
    if images.kind == "array":
        file, _, array = root.partition(":")
        rows = _row_numbers(table, images.column)
        return {"file": file, "array": array, "row": rows}
    column = id_column if images.kind == "folder" else images.column
    if column is None:
        raise ConfigError(
            f"images.column: {table.path.name} is a table, so its column with the files is wanted",
            remedy="set images.column in competition.yaml",
        )
    prefix = "" if root in (".", "") else f"{root.rstrip('/')}/"
    cells = [f"{prefix}{cell}" for cell in table.frame[column]]
    if images.extension.endswith(ANY_ENDING):
        stem = images.extension.removesuffix(ANY_ENDING)
        names = [f"{cell}{stem}" for cell in cells]
        return {"file": _with_endings(table, names, data), "array": "", "row": -1}
    files = [cell + _ending(cell, images.extension) for cell in cells]
    return {"file": files, "array": "", "row": -1}


def _ending(cell: str, extension: str) -> str:
    return "" if extension and cell.lower().endswith(extension.lower()) else extension


def _with_endings(table: Table, cells: Sequence[str], data: Path) -> list[str]:
    """The one image file of each name without ending; a name with none keeps `.*`."""
    found: dict[str, list[str]] = {}
    for folder in sorted({str(Path(cell).parent) for cell in cells}):
        for path in sorted((data / folder).glob("*")):
            if path.suffix.lower() in IMAGE_ENDINGS:
                name = path.relative_to(data).as_posix()
                found.setdefault(name.removesuffix(path.suffix), []).append(name)
    several = [
        f"{table.at(row)}: {cell} has several files: {', '.join(found[cell])}"
        for row, cell in enumerate(cells)
        if len(found.get(cell, ())) > 1
    ]
    if several:
        raise DataError(*limited(several), remedy="keep one, or name its ending: images.extension")
    return [found.get(cell, [f"{cell}{ANY_ENDING}"])[0] for cell in cells]


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


def _class_folders(data: Path, name: str, prefix: str) -> pd.DataFrame:
    files = image_files(data / name, "*/**/*")
    if not files:
        raise DataError(f"{data / name}: no images in class folders")
    classes = [path.relative_to(data / name).parts[0] for path in files]
    rows = _rows_of(files, data, name, "train")
    return rows.assign(id=prefix + rows["id"], **{"cell:label": classes})


def _plain_folder(data: Path, name: str) -> pd.DataFrame:
    return _rows_of(image_files(data / name, "**/*"), data, name, "test")


def image_files(folder: Path, pattern: str) -> list[Path]:
    """The image files below a folder that fit a pattern, sorted."""
    return [path for path in sorted(folder.glob(pattern)) if path.suffix.lower() in IMAGE_ENDINGS]


def _rows_of(files: Sequence[Path], data: Path, name: str, split: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [path.relative_to(data / name).as_posix() for path in files],
            "split": split,
            "table": name,
            "line": np.arange(1, len(files) + 1),
            "file": [path.relative_to(data).as_posix() for path in files],
            "array": "",
            "row": -1,
        }
    )


def _check_files(frame: pd.DataFrame, data: Path) -> None:
    distinct = Samples(frame).every_image().frame.drop_duplicates("file")
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
