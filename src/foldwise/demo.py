"""The main job on real images: scanned digits as a small competition, from raw folder to report."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from foldwise import seeding
from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.publish import publish_text
from foldwise.stages.display import Display
from foldwise.stages.init import init
from foldwise.stages.progress import duration
from foldwise.stages.run import run
from foldwise.stages.scheduling.clock import stop_time
from foldwise.stages.submit import check_submission
from foldwise.tables import read_table

_README = """# Digits

Tell which digit (0-9) a scanned image shows. Metric: macro F1.
Train is long-tailed, test is balanced.

Source: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, 1998, UCI Machine
Learning Repository (CC BY 4.0), as shipped by scikit-learn.
"""
_TEST_EACH = 60
_MOST, _LEAST = 110, 12


def write_digits(folder: Path) -> Path:
    """Write scikit-learn's digits as a raw competition folder.

    Train is thinned to a long tail, 110 down to 12 images a class; test has 60 of each.

    Args:
        folder: gets `raw/` and, outside it, `kept-labels.csv` with the test labels.

    Returns:
        The raw folder.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    order = seeding.permutation(seeding.key("demo"), len(found.target))
    kept = np.round(np.geomspace(_MOST, _LEAST, 10)).astype(int)
    train: list[int] = []
    test: list[int] = []
    for digit in range(10):
        rows = order[found.target[order] == digit]
        test += rows[:_TEST_EACH].tolist()
        train += rows[_TEST_EACH : _TEST_EACH + kept[digit]].tolist()
    raw = folder / "raw"
    (raw / "images").mkdir(parents=True, exist_ok=True)
    for row in [*train, *test]:
        pixels = np.round(found.images[row] * (255 / 16)).astype(np.uint8)
        Image.fromarray(pixels).save(raw / "images" / f"{row:04d}.png")
    names = {row: f"{row:04d}" for row in [*train, *test]}
    path = {row: f"images/{name}.png" for row, name in names.items()}
    label = {row: str(found.target[row]) for row in names}
    _table(
        raw / "train.csv",
        ["id", "path", "digit"],
        ([names[r], path[r], label[r]] for r in sorted(train)),
    )
    _table(raw / "test.csv", ["id", "path"], ([names[r], path[r]] for r in sorted(test)))
    _table(raw / "sample_submission.csv", ["id", "digit"], ([names[r], "0"] for r in sorted(test)))
    _table(
        folder / "kept-labels.csv", ["id", "digit"], ([names[r], label[r]] for r in sorted(test))
    )
    publish_text(raw / "README.md", _README)
    return raw


def demo(folder: Path, *, limit: str | None = None) -> float:
    """Run the whole loop on the digits and score the submission against the kept labels.

    Args:
        folder: where everything is written; gone on with if it is there.
        limit: longest time for `run`.

    Returns:
        Macro F1 of the submission on the test labels that the run never saw.
    """
    started = time.monotonic()
    show = Display()
    raw = write_digits(folder)
    home = Home(folder / "digits")
    if not home.competition.exists():
        init(home.path, data=raw, display=show)
    run(home, overrides=["folds.count=3"], stop_at=stop_time(limit, None), display=show)
    problems = check_submission(home, home.submission)
    if problems:
        raise FoldwiseError(*problems)
    score = _score(home.submission, folder / "kept-labels.csv")
    show.say("")
    show.say(f"the whole loop took {duration(time.monotonic() - started)}")
    show.say(f"macro F1 on the {10 * _TEST_EACH} kept test labels: {score:.4f}")
    show.say(f"submission: {home.submission}")
    show.say(f"report:     {home.report}")
    return score


def _score(submission: Path, labels: Path) -> float:
    from foldwise.metrics import METRICS

    truth, answers = (
        dict(zip(table.frame["id"], table.frame["digit"].astype(int), strict=True))
        for table in (read_table(labels), read_table(submission))
    )
    ids = sorted(truth)
    return METRICS["macro_f1"](
        np.array([answers[name] for name in ids]), np.array([truth[name] for name in ids])
    )


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    demo(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo"))
