"""Images for benchmarks: noise with a tint by class to train on, and JPEGs as heavy as photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter


def write_noise(folder: Path, *, num: int, side: int, classes: Sequence[str]) -> None:
    """Write PNG files, and `train.csv` with columns `id`, `file` and `label`.

    Args:
        folder: made here.
        num: images.
        side: of each, pixels.
        classes: up to three, in turn; the tint is their place among the colours.
    """
    rng = np.random.default_rng(0)
    folder.mkdir()
    rows = ["id,file,label"]
    for index in range(num):
        label = index % len(classes)
        image = rng.integers(0, 200, (side, side, 3)).astype(np.uint8)
        image[:, :, label] += 20
        Image.fromarray(image).save(folder / f"{index}.png")
        rows.append(f"i{index:04d},{index}.png,{classes[label]}")
    (folder / "train.csv").write_text("\n".join(rows) + "\n")


def write_photos(folder: Path, *, num: int, side: int) -> list[Path]:
    """Write JPEGs of quality 90 with about the detail of photos: 1.6 to 1.9 bits a pixel.

    Args:
        folder: made here; gets two folders, which take turns.
        num: images.
        side: of each, pixels.

    Returns:
        The files, sorted.
    """
    rng = np.random.default_rng(0)
    paths = []
    for index in range(num):
        coarse = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        image = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
        grain = Image.fromarray(rng.integers(0, 256, (side, side)).astype(np.uint8))
        grain = np.asarray(grain.filter(ImageFilter.GaussianBlur(1.0)), dtype=np.int16) - 128
        path = folder / str(index % 2) / f"{index:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(image + grain[:, :, None] // 2, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)
        paths.append(path)
    return sorted(paths)
