"""The image files and arrays that lie in a raw folder, folder by folder."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from foldwise.errors import DataError
from foldwise.samples import IMAGE_ENDINGS


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


def image_arrays(data: Path) -> list[ImageArray]:
    """Arrays of 8-bit images in npy and npz files of the folder and one level below.

    Raises:
        DataError: such a file cannot be read.
    """
    paths = [p for p in [*data.glob("*"), *data.glob("*/*")] if p.suffix in (".npy", ".npz")]
    return [array for path in sorted(paths) for array in _arrays_in(path, data)]


def _arrays_in(path: Path, data: Path) -> list[ImageArray]:
    name = path.relative_to(data).as_posix()
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return [ImageArray(name, len(loaded))] if _holds_images(loaded) else []
        with loaded:
            arrays = {key: loaded[key] for key in loaded.files}
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: not a readable npy or npz file: {error}") from None
    return [ImageArray(f"{name}:{k}", len(a)) for k, a in arrays.items() if _holds_images(a)]


def _holds_images(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and array.ndim in (3, 4)
