"""The image files and arrays that lie in a raw folder, folder by folder."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from foldwise.collecting import IMAGE_ENDINGS
from foldwise.data.sources import npy_header
from foldwise.errors import DataError


@dataclass(frozen=True)
class ImageFolder:
    """A folder with image files.

    Attributes:
        name: relative to the data folder, `.` for itself.
        files: names of its image files.
    """

    name: str
    files: frozenset[str]

    @cached_property
    def stems(self) -> Counter[str]:
        """Names without their ending, and how many files bear each."""
        return Counter(file.removesuffix(Path(file).suffix) for file in self.files)

    @cached_property
    def endings(self) -> list[str]:
        """Endings of its files as they are written, the commonest first."""
        return [e for e, _ in Counter(Path(file).suffix for file in self.files).most_common()]


@dataclass(frozen=True)
class ImageArray:
    """An array of images in an npy or npz file.

    Attributes:
        name: `images.npz:train` or `train.npy`.
        num: images in it.
    """

    name: str
    num: int


def image_folders(data: Path) -> list[ImageFolder]:
    """Every folder below `data`, itself included, that holds image files; by name."""
    found = []
    for folder, below, files in os.walk(data):
        below[:] = sorted(name for name in below if not name.startswith("."))
        images = frozenset(file for file in files if Path(file).suffix.lower() in IMAGE_ENDINGS)
        if images:
            found.append(ImageFolder(Path(folder).relative_to(data).as_posix(), images))
    return found


def is_below(folder: str, name: str) -> bool:
    """Whether a folder is another one or lies in it; both relative to the data folder."""
    return Path(name) in [Path(folder), *Path(folder).parents]


def image_arrays(data: Path) -> list[ImageArray]:
    """Arrays of 8-bit images in npy and npz files of the folder and one level below.

    Raises:
        DataError: such a file cannot be read.
    """
    paths = [p for p in [*data.glob("*"), *data.glob("*/*")] if p.suffix in (".npy", ".npz")]
    return [array for path in sorted(paths) for array in _arrays_in(path, data)]


def _arrays_in(path: Path, data: Path) -> list[ImageArray]:
    """Told by the headers alone: what lies behind them may be large."""
    name = path.relative_to(data).as_posix()
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:
                return _as_images(name, file)
        with zipfile.ZipFile(path) as archive:
            found = []
            for member in archive.namelist():
                if member.endswith(".npy"):
                    with archive.open(member) as packed:
                        found += _as_images(f"{name}:{member.removesuffix('.npy')}", packed)
            return found
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(
            f"{path}: not a readable npy or npz file: {error}",
            remedy="download or write it again, or take it out of the data folder",
        ) from None


def _as_images(name: str, file: IO[bytes]) -> list[ImageArray]:
    shape, _, dtype = npy_header(file)
    return [ImageArray(name, shape[0])] if dtype == np.uint8 and len(shape) in (3, 4) else []
