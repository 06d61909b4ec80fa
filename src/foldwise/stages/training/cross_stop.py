"""stop: cross — each fold's epoch is chosen on the curves of the other folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foldwise.rundir import read_json
from foldwise.stages.training.unit import Unit


def choose_epochs(units: Sequence[Unit]) -> list[tuple[Unit, int]]:
    """The epoch to keep of each trained unit that waits for it.

    The curves of the other folds with the same seed are averaged, and their best epoch is taken:
    the fold's own rows have no say. A seed with fewer than two trained folds waits.

    Args:
        units: trained, pending units of any runs and seeds.

    Returns:
        (unit, epoch from 0); of equally good epochs the first.
    """
    chosen = []
    for unit in units:
        others = [
            _curve(other)
            for other in units
            if other.run.path == unit.run.path
            and other.seed == unit.seed
            and other.fold != unit.fold
        ]
        if others:
            sign = 1 if unit.problem.metric.higher_is_better else -1
            mean = np.nanmean(np.stack(others), axis=0) * sign
            chosen.append((unit, int(np.nanargmax(mean))))
    return chosen


def _curve(unit: Unit) -> np.ndarray:
    pending: dict[str, Any] = read_json(unit.folder.pending)
    scores = [row["valid_score"] for row in pending["history"]]
    return np.array([np.nan if score is None else score for score in scores])
