"""The masks of train samples, from the cells, images or annotations that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from foldwise.collecting import split_suffix
from foldwise.config.competition import Competition
from foldwise.csv_files import limited
from foldwise.data.decode import FORMATS
from foldwise.data.mask_coco import read_coco_masks
from foldwise.data.mask_sources import MaskSource
from foldwise.errors import DataError
from foldwise.masks.indexed import encode_indexed
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import Runs, encode
from foldwise.masks.sets import unite
from foldwise.masks.text import read_cells
from foldwise.tables import Table, texts


def read_table_masks(source: MaskSource) -> Masks:
    """The masks of all samples; a class that no row of a sample names has none there.

    Raises:
        DataError: cells, classes or images that are wrong, each by its row; sizes of masks and
            images that differ.
    """
    return _READERS[source.config.kind](source)


def _read_runs(source: MaskSource) -> Masks:
    rows, classes, cells = _placed(source)
    samples = source.rows_of[rows]
    heights, widths = source.sizes[samples].T
    config = source.config
    runs = read_cells(
        cells,
        heights,
        widths,
        order=config.order,
        first=config.first,
        empty=config.empty,
        name=lambda place: source.table.at(int(rows[place])),
    )
    return _gathered(source, runs, samples, classes)


def _read_files(source: MaskSource) -> Masks:
    rows, classes, cells = _placed(source)
    there = np.array([cell != "" for cell in cells], dtype=bool)
    rows, classes = rows[there], classes[there]
    files = [cell for cell in cells if cell]
    samples = source.rows_of[rows]
    images = _images(source, files, rows, samples)
    runs = encode(image != 0 for image in images)
    return _gathered(source, runs, samples, classes)


def _read_index(source: MaskSource) -> Masks:
    config, table = source.config, source.table
    rows = np.full(len(source.sizes), -1)
    rows[source.rows_of[source.rows_of >= 0]] = np.flatnonzero(source.rows_of >= 0)
    if config.column is None:
        files = [config.file_of(name) for name in source.names_in_files(rows)]
    else:
        files = list(texts(table, config.column)[rows])
    images = _images(source, files, rows, np.arange(len(rows)))
    values = [0] * len(source.classes)
    for value, place in _index_values(source).items():
        values[place] = value
    found = encode_indexed(
        images,
        values=values,
        ignored=config.ignored,
        name=lambda place: f"{table.at(int(rows[place]))}: {files[place]}",
    )
    return Masks(found.masks, len(source.classes), found.ignored if config.ignored else None)


def _index_values(source: MaskSource) -> dict[int, int]:
    """Pixel value → position of its class."""
    if not source.config.values:
        return {place: place for place in range(len(source.classes))}
    return {int(value): place for value, place in source.values.items()}


def _placed(source: MaskSource) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Row, class and cell of each mask that the table may hold.

    Raises:
        DataError: cells that name no class.
    """
    config, table = source.config, source.table
    known = np.flatnonzero(source.rows_of >= 0)
    if config.pattern is not None:
        return _placed_files(source, known)
    if config.columns:
        rows = np.tile(known, len(config.columns))
        places = [source.classes.index(name) for name in config.columns]
        cells = [list(texts(table, column)[known]) for column in config.columns.values()]
        return rows, np.repeat(places, len(known)), [cell for part in cells for cell in part]
    assert config.column is not None
    every = texts(table, config.column)
    if config.class_column is None and not config.in_id:
        return known, np.zeros(len(known), np.int64), list(every[known])
    names, values = _names_of_classes(source), source.values
    named = np.array([values.get(name, -1) for name in names], np.int64)
    _check_named(source, known[named[known] < 0], names, every)
    rows = known[named[known] >= 0]
    return rows, named[rows], list(every[rows])


def _placed_files(
    source: MaskSource, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """As `_placed`, of images found by name; one that is not there shows that a class is not.

    With one image a sample it must be there.
    """
    config, names = source.config, source.names_in_files(known)
    is_by_class = "{class}" in str(config.pattern)
    rows, places, files = [], [], []
    for value, place in source.values.items() if is_by_class else [("", 0)]:
        for row, name in zip(known.tolist(), names, strict=True):
            file = config.file_of(name, value)
            rows.append(row)
            places.append(place)
            files.append(file if not is_by_class or (source.data / file).is_file() else "")
    return np.array(rows, np.int64), np.array(places, np.int64), files


def _check_named(
    source: MaskSource, unnamed: np.ndarray, names: Sequence[str], cells: np.ndarray
) -> None:
    """Refuse rows of no class, unless they say that they are clean, and are."""
    config, problems = source.config, []
    for row in unnamed.tolist():
        if names[row] not in config.clean:
            problems.append(f"{source.table.at(row)}: {names[row]!r} is no class of masks")
        elif cells[row].strip() not in ("", config.empty):
            problems.append(
                f"{source.table.at(row)}: {names[row]!r} names no class, and there is a mask"
            )
    if problems:
        known = ", ".join(map(repr, source.values))
        raise DataError(*limited(problems), remedy=f"classes are called {known}")


def _names_of_classes(source: MaskSource) -> list[str]:
    if source.config.class_column is not None:
        return [str(cell) for cell in texts(source.table, source.config.class_column)]
    return [split_suffix(str(cell))[1] for cell in texts(source.table, source.id_column)]


def _gathered(source: MaskSource, runs: Runs, samples: np.ndarray, classes: np.ndarray) -> Masks:
    """A mask for each sample and class: what several rows say of the same is united."""
    num_classes = len(source.classes)
    heights, widths = np.repeat(source.sizes, num_classes, axis=0).T
    return Masks(unite(runs, samples * num_classes + classes, heights, widths), num_classes)


def _images(
    source: MaskSource, files: Sequence[str], rows: np.ndarray, samples: np.ndarray
) -> list[np.ndarray]:
    """(H, W) uint8 of mask images, as large as the samples' own."""
    found, problems = [], []
    for file, row, sample in zip(files, rows.tolist(), samples.tolist(), strict=True):
        try:
            pixels = read_mask_image(source.data / file)
        except DataError as error:
            problems += [f"{source.table.at(row)}: {problem}" for problem in error.problems]
            continue
        height, width = source.sizes[sample].tolist()
        if pixels.shape != (height, width):
            problems.append(
                f"{source.table.at(row)}: {file} has {pixels.shape[1]} x {pixels.shape[0]} pixels "
                f"and its image {width} x {height}"
            )
        found.append(pixels)
    if problems:
        raise DataError(*limited(problems), remedy="masks must be as large as their images")
    return found


def read_mask_image(path: Path) -> np.ndarray:
    """The values of a mask image's pixels, (H, W) uint8: of a palette the numbers, not the colours.

    Raises:
        DataError: absent, damaged, or of several channels or more than 256 values.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.mode not in ("L", "P", "1"):
                raise DataError(f"{path}: a mask has one channel of 8 bits, found {image.mode}")
            mode = image.mode
            values = np.asarray(image)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: damaged: {error}") from None
    if mode == "1":
        return values.astype(np.uint8)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise DataError(f"{path}: JPEG changes the values of pixels, so it cannot hold a mask")
    return values


_READERS: Mapping[str, Callable[[MaskSource], Masks]] = {
    "runs": _read_runs,
    "index": _read_index,
    "files": _read_files,
    "coco": read_coco_masks,
}


def mask_files(competition: Competition, table: Table) -> list[str]:
    """Every file, relative to the data folder, that may hold masks of a table's rows."""
    masks = competition.masks
    if masks is None or masks.kind not in ("index", "files"):
        return []
    if masks.pattern is None:
        columns = (masks.column, *masks.columns.values())
        return [cell for name in columns if name is not None for cell in texts(table, name) if cell]
    names = [str(cell) for cell in texts(table, competition.columns.id)]
    values = list(masks.values) or list(competition.classes)
    return [masks.file_of(name, value) for name in names for value in values]
