"""Small raw folders as organisers hand them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from foldwise.stages.display import Display

QUIET = Display(quiet=True)


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(columns)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
        return
    frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


def write_pictures(folder: Path, names: Sequence[str], *, size: tuple[int, int] = (20, 16)) -> None:
    rng = np.random.default_rng(0)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)


def names(num: int, start: int = 0) -> list[str]:
    return [f"s{index:03d}" for index in range(start, start + num)]


def make_raw(
    folder: Path,
    *,
    train: Mapping[str, Sequence[object]] | None = None,
    asked: Mapping[str, Sequence[object]] | None = None,
    readme: str = "",
    num_train: int = 24,
    num_test: int = 8,
) -> Path:
    """train.csv, test.csv and sample_submission.csv with a path column; two classes by default."""
    ids, test_ids = names(num_train), names(num_test, start=500)
    paths, test_paths = ([f"images/{name}.png" for name in group] for group in (ids, test_ids))
    write_pictures(folder, [*paths, *test_paths])
    train = train or {"label": ["cat", "dog"] * (num_train // 2)}
    write_table(folder / "train.csv", {"id": ids, "path": paths, **train})
    write_table(folder / "test.csv", {"id": test_ids, "path": test_paths})
    asked = asked or {"label": ["cat"] * num_test}
    write_table(folder / "sample_submission.csv", {"id": test_ids, **asked})
    if readme:
        (folder / "README.md").write_text(readme)
    return folder
