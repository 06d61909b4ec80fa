"""Samples from tables and folders: where each one's images are, before any is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldwise.config.competition import Competition
from foldwise.config.data import Images
from foldwise.config.masks import MasksConfig
from foldwise.csv_files import limited
from foldwise.errors import ConfigError, DataError
from foldwise.samples import Samples, image_column
from foldwise.tables import Table, ids, read_table

#: `images.extension` that stands for whatever ending the one file of a name has.
ANY_ENDING = ".*"
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".pgm")


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
    if competition.masks is not None and competition.masks.without_rows:
        parts.append(_without_rows(competition, data, parts))
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


def collect_test(competition: Competition, data: Path) -> Samples:
    """The rows of test alone, whether their images are there or not.

    Raises:
        ConfigError: there is no test.
        DataError: a table or column is missing, or ids repeat.
    """
    if competition.tables.test is None:
        raise ConfigError(
            "tables.test: there is none, so there is nothing to answer",
            remedy="set tables.test in competition.yaml",
        )
    frame = _split(competition, data, "test").fillna("").sort_values("id", ignore_index=True)
    return Samples(frame.assign(split=np.array(["test"] * len(frame), dtype=object)))


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
        return _plain_folder(data, name, split)
    table = read_table(data / name)
    columns = competition.columns
    masks = competition.masks
    wanted = [columns.id, *(columns.target + columns.group if split == "train" else ())]
    if masks is not None and split == "train":
        wanted += masks.table_columns
    if images.kind != "folder":
        wanted += images.file_columns
    missing = [column for column in wanted if column not in table.frame.columns]
    if missing:
        raise DataError(
            *(f"{table.path}: there is no column {column!r}" for column in missing),
            remedy=f"columns found: {', '.join(table.frame.columns)}; correct competition.yaml",
        )
    prefix = columns.train_prefix if split == "train" else ""
    if masks is not None and split == "test":
        values = tuple(masks.values) or competition.classes
        is_by_class = end_in_classes([str(cell) for cell in table.frame[columns.id]], values)
        masks = masks.model_copy(update={"in_id": is_by_class})
    if masks is not None and masks.has_rows_by_class:
        table = first_rows(table, columns.id, masks)
    cells_of_ids = sample_names(table, columns.id, masks)
    names = [f"{prefix}{cell}" for cell in cells_of_ids]
    named = replace(table, frame=table.frame.assign(**{columns.id: cells_of_ids}))
    frame = pd.DataFrame({"id": names, "split": split, "table": name, "line": table.lines})
    for place, each in enumerate(images.each):
        found = locations(named, each, root, columns.id, data)
        frame = frame.assign(**{image_column(place, key): value for key, value in found.items()})
    cells = table.frame.add_prefix("cell:").reset_index(drop=True)
    return pd.concat([frame, cells], axis=1)


def sample_names(table: Table, column: str, masks: MasksConfig | None) -> np.ndarray:
    """The sample that each row names, (N,) str, each once.

    Raises:
        DataError: cells that are no ids, or rows that share one.
    """
    if masks is None or not masks.in_id:
        return ids(table, column)
    cells = table.frame[column].map(lambda cell: split_suffix(cell)[0])
    return ids(replace(table, frame=table.frame.assign(**{column: cells})), column)


def first_rows(table: Table, column: str, masks: MasksConfig) -> Table:
    """The first row of each sample, where a sample has one for each class."""
    cells = table.frame[column]
    if masks.in_id:
        cells = cells.map(lambda cell: split_suffix(cell)[0])
    first = ~cells.duplicated().to_numpy()
    return Table(table.path, table.frame[first].reset_index(drop=True), table.lines[first])


def split_suffix(name: str) -> tuple[str, str]:
    """An id that ends in a class → the sample and the class.

    >>> split_suffix("a_b_1")
    ('a_b', '1')
    """
    sample, _, value = name.rpartition("_")
    return sample, value


def end_in_classes(names: Sequence[str], values: Sequence[str]) -> bool:
    """Whether ids are of a sample and a class each: every sample comes with every class.

    >>> end_in_classes(["a_1", "a_2", "b_1", "b_2"], ["1", "2"])
    True
    >>> end_in_classes(["a_1", "b_2"], ["1", "2"])
    False
    """
    parted = [split_suffix(name) for name in names]
    wanted, found = set(values), dict[str, set[str]]()
    if not all(sample for sample, _ in parted):
        return False
    for sample, value in parted:
        found.setdefault(sample, set()).add(value)
    return len(wanted) > 1 and len(names) > 0 and all(each == wanted for each in found.values())


def locations(
    table: Table, images: Images, root: str, id_column: str, data: Path
) -> dict[str, Any]:
    """Where the image of each row of a table is: `file`, `array` and `row` of samples.

    Args:
        table: the rows.
        images: where images are; of one image a sample.
        root: the folder or array file of the table's images.
        id_column: names the rows.
        data: the data folder.

    Raises:
        DataError: a name has several files, or a cell is no row of an array.
        ConfigError: nothing says which column leads to the files.
    """
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


def _plain_folder(data: Path, name: str, split: str) -> pd.DataFrame:
    return _rows_of(image_files(data / name, "**/*"), data, name, split)


def folder_table(folder: Path, id_column: str) -> Table:
    """A folder of images as a table of their ids, which is all that it says."""
    names = [path.relative_to(folder).as_posix() for path in image_files(folder, "**/*")]
    frame = pd.DataFrame({id_column: np.array(names, dtype=object)})
    return Table(folder, frame, np.arange(1, len(names) + 1))


def _without_rows(
    competition: Competition, data: Path, parts: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Train rows for the images of the train folder that no table names.

    Raises:
        ConfigError: images are not named like the ids.
    """
    images = competition.images
    if images.kind != "folder" or images.names:
        raise ConfigError(
            "masks.without_rows: goes with images of kind folder, which are named like the ids",
            remedy="take it out of competition.yaml",
        )
    named = {file for part in parts for file in part["file"]}
    ending = "" if images.extension == ANY_ENDING else images.extension
    files = [
        path
        for path in image_files(data / images.train, "*")
        if path.relative_to(data).as_posix() not in named and path.name.endswith(ending)
    ]
    any_ending = images.extension == ANY_ENDING
    names = [path.name.removesuffix(path.suffix if any_ending else ending) for path in files]
    prefix = competition.columns.train_prefix
    rows = _rows_of(files, data, images.train, "train")
    ids = np.array([f"{prefix}{name}" for name in names], dtype=object)
    return rows.assign(id=ids, table=competition.tables.train, line=0)


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
