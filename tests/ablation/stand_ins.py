"""Stand-ins of the packs: their tables and kinds of images, a few rows of noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.stages.proposing.raw_folder import names, write_pictures, write_table

ANIMALS = [f"animal{index:02d}" for index in range(14)]


def tiny20(folder: Path) -> None:
    """Rows of an npz file; twenty classes and a finer label that test lacks."""
    labels = list(range(20)) * 4
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(labels) + 6, 32, 32, 3), dtype=np.uint8)
    folder.mkdir()
    np.savez(folder / "images.npz", train=images[: len(labels)], test=images[len(labels) :])
    ids, test_ids = names(len(labels)), names(6, start=500)
    fine = [4 * label + index // 20 for index, label in enumerate(labels)]
    write_table(
        folder / "train.csv",
        {
            "id": ids,
            "index": list(range(len(labels))),
            "label": labels,
            "label_name": [f"kind{label}" for label in labels],
            "fine": fine,
            "fine_name": [f"fine{label}" for label in fine],
        },
    )
    write_table(folder / "test.csv", {"id": test_ids, "index": list(range(6))})
    write_table(folder / "sample_submission.csv", {"id": test_ids, "label": [0] * 6})


def animals_tail(folder: Path) -> None:
    """Files; fourteen classes, and a column for each is asked for."""
    labels = ANIMALS * 4
    test_ids = _files(folder, {"label": labels, "target": [ANIMALS.index(x) for x in labels]})
    asked = {name: [1 / len(ANIMALS)] * len(test_ids) for name in ANIMALS}
    write_table(folder / "sample_submission.csv", {"id": test_ids, **asked})
    (folder / "README.md").write_text("Metrics: macro F1. Test is nearly balanced.")


def fundus_grade(folder: Path) -> None:
    """Files; five grades and a further label that test lacks."""
    grades = list(range(5)) * 8
    test_ids = _files(folder, {"grade": grades, "dme_risk": [min(grade, 2) for grade in grades]})
    write_table(folder / "sample_submission.csv", {"id": test_ids, "grade": [0] * len(test_ids)})
    (folder / "README.md").write_text("Metric: quadratic weighted kappa.")


def _files(folder: Path, columns: dict[str, list[object]]) -> list[str]:
    num = len(next(iter(columns.values())))
    ids, test_ids = names(num), names(6, start=500)
    paths, test_paths = ([f"images/{name}.png" for name in part] for part in (ids, test_ids))
    write_pictures(folder, [*paths, *test_paths])
    write_table(folder / "train.csv", {"id": ids, "path": paths, **columns})
    write_table(folder / "test.csv", {"id": test_ids, "path": test_paths})
    return test_ids


PACKS: dict[str, Callable[[Path], None]] = {
    "tiny20": tiny20,
    "animals-tail": animals_tail,
    "fundus-grade": fundus_grade,
}
