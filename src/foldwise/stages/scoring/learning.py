"""Learning curves of a run's units, and whether they speak of over- or underfitting."""

from __future__ import annotations

import csv
import re
from typing import Any

import numpy as np

from foldwise.rundir import RunDir

_UNIT = re.compile(r"fold(\d+)-seed(\d+)")
_MARGIN = 0.05
_LAST_SHARE = 0.25

RULE = (
    "mean over units of the held-out loss; overfitting: it ends more than 5 % above its lowest "
    "value while the training loss fell on; underfitting: it fell by more than 5 % over the last "
    "quarter of the epochs, at least two; else neither"
)


def learning_curves(run: RunDir) -> dict[str, Any] | None:
    """Epoch by epoch losses and scores of all units, with a verdict.

    Returns:
        None for a run without epochs, such as a blend.
    """
    units = []
    for path in sorted((run.path / "units").glob("*/history.csv")):
        found = _UNIT.fullmatch(path.parent.name)
        if found is not None:
            rows = _rows(path.read_text(encoding="utf-8"))
            units.append({"fold": int(found[1]), "seed": int(found[2]), "rows": rows})
    if not any(unit["rows"] for unit in units):
        return None
    train, valid = _means(units, "train_loss"), _means(units, "valid_loss")
    verdict, sentence = name_fit(train, valid)
    return {"units": units, "verdict": verdict, "sentence": sentence, "rule": RULE}


def name_fit(train: list[float], valid: list[float]) -> tuple[str, str]:
    """`overfitting`, `underfitting`, `neither` or `unknown`, and a sentence.

    Args:
        train: mean training loss of each epoch.
        valid: mean held-out loss of each epoch.

    >>> name_fit([1.0, 0.5, 0.2, 0.1], [1.0, 0.7, 0.9, 1.1])[0]
    'overfitting'
    >>> name_fit([1.0, 0.9, 0.8, 0.7], [1.0, 0.9, 0.8, 0.7])[0]
    'underfitting'
    """
    if len(valid) < 3 or len(train) != len(valid):
        return "unknown", "fewer than three epochs with a held-out loss: too few to say"
    best = int(np.argmin(valid))
    if valid[-1] > valid[best] * (1 + _MARGIN) and train[-1] < train[best]:
        rise = valid[-1] / valid[best] - 1 if valid[best] > 0 else float("inf")
        return "overfitting", (
            f"overfitting: the held-out loss rose by {rise:.0%} after epoch {best + 1} of "
            f"{len(valid)}, while the training loss fell on; fewer epochs, more augmentation or "
            "more weight decay would help"
        )
    since = len(valid) - 1 - max(2, round(len(valid) * _LAST_SHARE))
    fall = 1 - valid[-1] / valid[max(since, 0)] if valid[max(since, 0)] > 0 else 0.0
    if fall > _MARGIN:
        return "underfitting", (
            f"underfitting: the held-out loss still fell by {fall:.0%} over the last "
            f"{len(valid) - 1 - max(since, 0)} epochs; more epochs or a higher rate would help"
        )
    return "neither", "the held-out loss has settled: neither over- nor underfitting"


def _rows(text: str) -> list[dict[str, float | None]]:
    return [
        {name: float(cell) if cell else None for name, cell in row.items()}
        for row in csv.DictReader(text.splitlines())
    ]


def _means(units: list[dict[str, Any]], column: str) -> list[float]:
    """Mean over units of each epoch that all units have."""
    series = [[row.get(column) for row in unit["rows"]] for unit in units if unit["rows"]]
    means = []
    for values in zip(*series, strict=False):
        known = [value for value in values if value is not None]
        if not known:
            break
        means.append(float(np.mean(known)))
    return means
