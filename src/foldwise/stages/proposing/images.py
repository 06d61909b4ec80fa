"""Where the images of the rows are: by path, by id in a folder, or in an array."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from foldwise.collecting import ANY_ENDING
from foldwise.config.data import Images
from foldwise.errors import ConfigError
from foldwise.stages.proposing.folders import (
    ImageArray,
    ImageFolder,
    image_arrays,
    image_folders,
    is_below,
)
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.said import near
from foldwise.tables import Table

_PATH_WORDS = re.compile(r"path|file|image|img|photo|picture|name")
_ROW_WORDS = re.compile(r"index|idx|row|position|number|^i$")
_NUM_TRIED = 200


@dataclass(frozen=True)
class ImageSource:
    """Where the images are.

    Attributes:
        images: as `competition.yaml` holds it.
        note: the guess and its reason.
    """

    images: Images
    note: Note


def find_images(
    data: Path, train: Table, test: Table | None, id_column: str, said: Sequence[str] = ()
) -> ImageSource | None:
    """How the rows of the tables lead to images; None: no way was found.

    Args:
        data: the raw folder.
        train: the train table.
        test: the test table.
        id_column: names the rows.
        said: column, folders or array files that a person named; nothing else is looked at.

    Raises:
        ConfigError: what was said is none of these.
        DataError: an npy or npz file cannot be read.
    """
    folders = image_folders(data)
    splits = [train] if test is None else [train, test]
    shared = [str(c) for c in train.frame.columns if all(c in t.frame.columns for t in splits)]
    if len(said) == 1 and said[0] in shared:
        return _by_path(data, splits, folders, said) or _by_row(image_arrays(data), splits, said)
    arrays = None if not said else _said_arrays(data, said)
    if said:
        folders = [f for f in folders if any(is_below(f.name, name) for name in said)]
        _check_said(data, said, folders, arrays or [], shared)
    return (
        _by_path(data, splits, folders, [c for c in shared if c != id_column])
        or _by_id(splits, folders, id_column)
        or _by_row(image_arrays(data) if arrays is None else arrays, splits, shared)
    )


def _said_arrays(data: Path, said: Sequence[str]) -> list[ImageArray]:
    files = [name for name in said if name.partition(":")[0].endswith((".npy", ".npz"))]
    if not files:
        return []
    return [a for a in image_arrays(data) if a.name in files or a.name.partition(":")[0] in files]


def _check_said(
    data: Path,
    said: Sequence[str],
    folders: Sequence[ImageFolder],
    arrays: Sequence[ImageArray],
    columns: Sequence[str],
) -> None:
    for name in said:
        files = [a.name for a in arrays if a.name == name or a.name.partition(":")[0] == name]
        if not files and not any(is_below(folder.name, name) for folder in folders):
            raise ConfigError(
                f"--images {name}: no column of all tables, no folder with images in {data} and no "
                f"npy or npz file with some{near(name, columns)}",
                remedy=f"columns of all tables: {', '.join(columns)}",
            )


def locate_ids(data: Path, cells: Sequence[str], folder: str) -> str | None:
    """The ending that turns ids into files of a folder ("" if they have it); None: none does."""
    found = next((f for f in image_folders(data) if f.name == folder), None)
    return None if found is None else _ending(found, cells)


def _by_path(
    data: Path, splits: Sequence[Table], folders: Sequence[ImageFolder], shared: Sequence[str]
) -> ImageSource | None:
    columns = sorted(
        shared,
        key=lambda name: ("mask" in name.lower(), not _PATH_WORDS.search(name.lower())),
    )
    for column in columns:
        roots = [_root(data, _tried(table.frame[column]), folders) for table in splits]
        if all(root is not None for root in roots):
            train, test = str(roots[0]), str(roots[-1])
            where = "" if train == test == "." else f", in {' and '.join(sorted({train, test}))}"
            note = Note("images", f"column {column}", f"its cells are image files{where}")
            images = Images(kind="path", column=column, train=train, test=test)
            return ImageSource(images, note)
    return None


def _root(data: Path, cells: Sequence[str], folders: Sequence[ImageFolder]) -> str | None:
    """The folder from which all cells are files."""
    if not cells or not all(cells):
        return None
    starts = {
        parent.as_posix() for f in folders for parent in [Path(f.name), *Path(f.name).parents]
    }
    for start in sorted(starts, key=lambda name: (name != ".", len(Path(name).parts), name)):
        if all((data / start / cell).is_file() for cell in cells):
            return start
    return None


def _by_id(
    splits: Sequence[Table], folders: Sequence[ImageFolder], id_column: str
) -> ImageSource | None:
    found = []
    for table in splits:
        cells = list(table.frame[id_column])
        places = [(f.name, end) for f in folders for end in [_ending(f, cells)] if end is not None]
        if not places:
            return None
        found.append(places)
    pairs = [(a, b) for a in found[0] for b in found[-1] if a[1] == b[1]]
    pairs = pairs or [
        ((a, ANY_ENDING), (b, ANY_ENDING)) for a, e in found[0] for b, o in found[-1] if e and o
    ]
    if not pairs:
        return None
    # A folder of masks may bear the same names; the shortest path is the images'.
    (train, ending), (test, _) = min(pairs, key=lambda p: ("mask" in f"{p}".lower(), f"{p}"))
    where = train if train == test else f"{train} and {test}"
    note = Note("images", f"{where}/<{id_column}>{ending}", "files named like the ids")
    return ImageSource(Images(kind="folder", train=train, test=test, extension=ending), note)


def _ending(folder: ImageFolder, cells: Sequence[str]) -> str | None:
    """The ending with which most cells are files of the folder; None: fewer than half are.

    Where no one ending fits all cells and each has one file, it is `.*`.
    """
    hits = {e: sum(f"{cell}{e}" in folder.files for cell in cells) for e in ["", *folder.endings]}
    best = max(hits, key=lambda ending: hits[ending])
    if hits[best] < len(cells) and all(folder.stems[cell] == 1 for cell in cells):
        return ANY_ENDING
    return best if 2 * hits[best] > len(cells) else None


def _by_row(
    arrays: Sequence[ImageArray], splits: Sequence[Table], shared: Sequence[str]
) -> ImageSource | None:
    if not arrays:
        return None
    columns = [c for c in shared if all(_are_rows(table.frame[c]) for table in splits)]
    columns.sort(key=lambda name: not _ROW_WORDS.search(name.lower()))
    for column in [*columns[:1], None]:
        places = [_array(arrays, table, column, i) for i, table in enumerate(splits)]
        if all(place is not None for place in places):
            train, test = str(places[0]), str(places[-1])
            how = f"column {column} is the row" if column else "rows in the order of the table"
            where = train if train == test else f"{train} and {test}"
            note = Note("images", where, how)
            return ImageSource(Images(kind="array", column=column, train=train, test=test), note)
    return None


def _array(
    arrays: Sequence[ImageArray], table: Table, column: str | None, index: int
) -> str | None:
    """The array that has the table's rows, by name first."""
    need = len(table) if column is None else int(table.frame[column].astype(int).max()) + 1
    fits = [a for a in arrays if (a.num == need if column is None else a.num >= need)]
    word = ("train", "test")[index]
    other = ("test", "train")[index]
    fits.sort(key=lambda a: (word not in a.name.lower(), other in a.name.lower(), a.num - need))
    return fits[0].name if fits else None


def _are_rows(cells: pd.Series) -> bool:
    return bool(cells.str.fullmatch(r"\d{1,9}").all()) and cells.nunique() == len(cells)


def _tried(cells: pd.Series) -> list[str]:
    """Cells spread over the column: files are asked for one by one, so not all of a million."""
    step = max(1, len(cells) // _NUM_TRIED)
    return [str(cell) for cell in cells.iloc[::step]]
