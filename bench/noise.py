"""Images of noise with a tint by class, for benchmarks that need a competition to train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


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
