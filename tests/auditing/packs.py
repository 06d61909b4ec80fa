"""The real packs beside the checkout, read with Pillow."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def read_pack(name):
    """Table of train and test rows (column `split`) and the images' paths."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"data set {name} is absent")
    tables = [pd.read_csv(folder / f"{split}.csv").assign(split=split) for split in _SPLITS]
    table = pd.concat(tables, ignore_index=True)
    return table, [folder / path for path in table["path"]]


def read_thumb(path):
    """(32, 32, 3) uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BOX))


_SPLITS = ("train", "test")
