"""Samples: one row per image, train and test, with its cells, its image and what decoding found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from foldwise import seeding
from foldwise.errors import DataError
from foldwise.publish import publish
from foldwise.tables import Table

#: What is known of each image, in the order of the columns.
_OF_IMAGES = (
    *("file", "array", "row", "sha256", "phash"),
    *("width", "height", "mode", "format", "num_bytes"),
)
#: Begins the names of columns that tell of another image than a sample's first.
_FURTHER = "image"


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
        names = [image_column(place, "sha256") for place in range(self.num_images)]
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
            known = {name: image_column(place, name) for name in _OF_IMAGES}
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
            found = {image_column(place, name): rows[name].to_numpy() for name in known}
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


def image_column(place: int, name: str) -> str:
    """Where the frame tells of a sample's image, counted from 0."""
    return f"{_FURTHER}{place + 1}:{name}" if place else name


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
