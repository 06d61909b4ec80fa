"""Raw folders with masks, in each of the forms that organisers hand out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from foldwise.masks.runs import Runs, encode
from foldwise.masks.text import write_cells

from .raw_folder import names, write_pictures, write_table

#: Width and height of the images; not square, so that the order of pixels shows.
SIZE = (20, 14)
IDS, TEST_IDS = names(24), names(6, start=500)
CLASSES = ("crack", "hole")


def masks_of(index: int) -> list[np.ndarray]:
    """A crack and a hole of a train image: every third has either, or neither."""
    crack, hole = np.zeros((2, SIZE[1], SIZE[0]), np.uint8)
    if index % 3 == 0:
        crack[2 + index % 4 : 12, 3:6] = 1
        crack[9, 3:9] = 1
    if index % 3 == 1:
        hole[4:9, 8 + index % 5 : 15] = 1
        hole[5, 8:18] = 1
    return [crack, hole]


def pixels() -> list[list[np.ndarray]]:
    return [masks_of(index) for index in range(len(IDS))]


def cells(order: str = "columns") -> list[list[str]]:
    """Image by image the cells of crack and hole."""
    runs: Runs = encode([mask for each in pixels() for mask in each])
    found = write_cells(runs, order="rows" if order == "rows" else "columns")
    return [found[place : place + 2] for place in range(0, len(found), 2)]


def index_images(values: Mapping[str, int]) -> list[np.ndarray]:
    """What is neither crack nor hole is ground."""
    found = []
    for crack, hole in pixels():
        image = np.full(crack.shape, values["ground"], np.uint8)
        image[crack == 1], image[hole == 1] = values["crack"], values["hole"]
        found.append(image)
    return found


def save(folder: Path, images: Mapping[str, np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")


def make_raw(
    folder: Path,
    train: Mapping[str, list[Any]],
    asked: Mapping[str, list[Any]] | None = None,
    readme: str = "",
    *,
    has_test: bool = True,
) -> Path:
    """Images in train/ and test/, named like the ids, with these tables."""
    write_pictures(folder / "train", [f"{name}.jpg" for name in IDS], size=SIZE)
    write_pictures(folder / "test", [f"{name}.jpg" for name in TEST_IDS], size=SIZE)
    write_table(folder / "train.csv", train)
    if has_test:
        write_table(folder / "test.csv", {"id": TEST_IDS})
    if asked is not None:
        write_table(folder / "sample_submission.csv", asked)
    if readme:
        (folder / "README.md").write_text(readme)
    return folder
