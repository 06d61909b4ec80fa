"""Masks as images: a column of their paths or a folder of their names, and what pixels mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foldwise.collecting import split_suffix
from foldwise.data.mask_tables import read_mask_image
from foldwise.errors import DataError
from foldwise.masks import IGNORED
from foldwise.masks.words import IMAGE_WORDS
from foldwise.stages.proposing.asked_masks import MOST_CLASSES
from foldwise.stages.proposing.folders import ImageFolder, image_folders
from foldwise.stages.proposing.mask_classes import ignored_in_text, named_classes, names_in_text
from foldwise.stages.proposing.note import Note, listed
from foldwise.stages.proposing.readme import Readme
from foldwise.stages.proposing.words import has_word
from foldwise.tables import Table
from foldwise.tasks.labels import natural_order

_NUM_LOOKED = 200
_WHITE = 255


@dataclass(frozen=True)
class Pixels:
    """What the pixels of mask images are like.

    Attributes:
        values: those that there are.
        num: images looked at.
    """

    values: tuple[int, ...]
    num: int

    @property
    def is_binary(self) -> bool:
        """Whether a pixel is set or not, and nothing else."""
        return len(self.values) == 2 and 0 in self.values and self.values[1] in (1, _WHITE)


def path_columns(data: Path, train: Table, but: Sequence[str]) -> list[str]:
    """Columns of train whose cells are image files, named after masks; empty cells are none.

    Args:
        data: the data folder.
        train: the train table.
        but: columns that mean something else, as those that test has.
    """
    found = []
    for name in map(str, train.frame.columns):
        if name in but or not has_word(name, IMAGE_WORDS):
            continue
        cells = [str(cell) for cell in train.frame[name] if cell]
        tried = cells[:: max(1, len(cells) // _NUM_LOOKED)]
        if tried and all((data / cell).is_file() for cell in tried):
            found.append(name)
    return found


def name_pattern(data: Path, ids: Sequence[str], images: Sequence[str]) -> str | None:
    """The pattern by which a folder of masks bears the names of samples; None: there is none.

    Args:
        data: the data folder.
        ids: of the samples.
        images: folders that hold the images themselves.
    """
    for folder in image_folders(data):
        if folder.name in images or not _is_of_masks(folder.name):
            continue
        for field, names in (("id", ids), ("stem", [_stem(name) for name in ids])):
            for ending in _endings(folder, names):
                start = "" if folder.name == "." else f"{folder.name}/"
                return f"{start}{{{field}}}{ending}"
    return None


def class_pattern(
    data: Path, ids: Sequence[str], images: Sequence[str]
) -> tuple[str, tuple[str, ...]] | None:
    """The pattern of images of a sample and a class each, and the classes; None: there is none.

    They are called `<id>_<class>`, or lie in a folder for each class; a sample need not have all.

    Args:
        data: the data folder.
        ids: of the samples.
        images: folders that hold the images themselves.
    """
    folders = [f for f in image_folders(data) if f.name not in images and _is_of_masks(f.name)]
    for field, names in (("id", set(ids)), ("stem", {_stem(name) for name in ids})):
        for folder in folders:
            found = _classes_in_names(folder, names)
            if found is not None:
                ending, classes = found
                return f"{folder.name}/{{{field}}}_{{class}}{ending}", classes
        below: dict[str, list[ImageFolder]] = {}
        for folder in folders:
            if len(folder.endings) == 1 and {_stem(file) for file in folder.files} <= names:
                below.setdefault(Path(folder.name).parent.as_posix(), []).append(folder)
        for parent, several in below.items():
            if len(several) > 1 and len({f.endings[0] for f in several}) == 1:
                start = "" if parent == "." else f"{parent}/"
                classes = natural_order([Path(f.name).name for f in several])
                return f"{start}{{class}}/{{{field}}}{several[0].endings[0]}", classes
    return None


def _classes_in_names(folder: ImageFolder, names: set[str]) -> tuple[str, tuple[str, ...]] | None:
    """Ending and classes, where every file of a folder is called after a sample and a class."""
    if len(folder.endings) != 1:
        return None
    parted = [split_suffix(_stem(file)) for file in folder.files]
    classes = natural_order([value for _, value in parted])
    if len(classes) < 2 or len(classes) > MOST_CLASSES or not {n for n, _ in parted} <= names:
        return None
    return folder.endings[0], classes


def _is_of_masks(folder: str) -> bool:
    return has_word(folder.replace("/", " "), IMAGE_WORDS)


def look_at_pixels(data: Path, files: Sequence[str]) -> Pixels:
    """The pixel values of up to 200 mask images, spread over all.

    Raises:
        DataError: one cannot be read, or is no mask.
    """
    chosen = np.unique(np.linspace(0, len(files) - 1, min(_NUM_LOOKED, len(files))).astype(int))
    there = np.zeros(256, bool)
    for place in chosen:
        there |= np.bincount(read_mask_image(data / files[place]).ravel(), minlength=256) > 0
    return Pixels(tuple(np.flatnonzero(there).tolist()), len(chosen))


def index_values(
    pixels: Pixels, readme: Readme
) -> tuple[dict[str, Any], tuple[str, ...], list[Note]]:
    """Keys of `masks`, classes and notes for images whose pixels are numbers of classes.

    Raises:
        DataError: all values are said not to count.
    """
    said = ignored_in_text(readme.text)
    ignored = {value: f"the text says {words!r}" for value, words in said.items()}
    names = names_in_text(readme.text, set(pixels.values) - {IGNORED})
    if IGNORED in pixels.values and IGNORED not in names:
        ignored.setdefault(IGNORED, "the usual value of pixels that do not count")
    ignored = {v: why for v, why in ignored.items() if v in pixels.values or v in names}
    kept = [v for v in sorted({*pixels.values, *_listed_beside(names, pixels)}) if v not in ignored]
    if not kept:
        raise DataError(
            f"pixels of masks are {listed([str(v) for v in pixels.values])}, and none counts",
            remedy="correct what the text beside the data says of ignored values",
        )
    classes, values = named_classes([str(v) for v in kept], {str(v): n for v, n in names.items()})
    found: dict[str, Any] = {"exclusive": True}
    # Numbers from 0 are what is meant where nothing is said.
    if values or kept != list(range(len(kept))):
        found["values"] = values or {name: name for name in classes}
    told = "named by the text" if values else "nothing names them"
    why = f"pixel values {kept[0]} to {kept[-1]} in {pixels.num} mask images; {told}"
    notes = [Note("mask classes", listed(classes), why)]
    if ignored:
        found["ignored"] = sorted(ignored)
        shown = [f"{v} ({names[v]})" if v in names else str(v) for v in sorted(ignored)]
        notes.append(Note("ignored", listed(shown), "; ".join(dict.fromkeys(ignored.values()))))
    return found, classes, notes


def _listed_beside(names: dict[int, str], pixels: Pixels) -> list[int]:
    """Named values that no mask looked at has: those between the ones that are there."""
    return [v for v in names if v <= max(pixels.values, default=-1)]


def _endings(folder: ImageFolder, names: Sequence[str]) -> list[str]:
    """What all names need to be files of a folder."""
    if not names:
        return []
    first = Path(names[0]).name
    ends = {f.removeprefix(first) for f in folder.files if f.startswith(first)} - {""}
    return [e for e in sorted(ends, key=len) if all(f"{name}{e}" in folder.files for name in names)]


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
