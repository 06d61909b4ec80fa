"""stop: cross — each fold's epoch is chosen on the curves of the other folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from foldwise.errors import LockedError
from foldwise.json_files import read_json
from foldwise.publish import locked, publish_json
from foldwise.stages.training.unit import Unit


def choose_epochs(units: Sequence[Unit]) -> list[Unit]:
    """Choose and record the epoch to keep of each trained unit that waits for it.

    The curves of the run's other folds with the same seed and schedule are averaged, whether these
    are done or wait too, and their best epoch is taken, of equally good ones the first: the fold's
    own rows have no say. All are chosen before any is recorded, and a recorded choice stays.

    Args:
        units: trained, pending units of any runs and seeds.

    Returns:
        Units whose epoch is recorded, with the epochs they were trained for. Missing are those
        without another fold that has a curve, and those that another process works on.
    """
    trained = [unit.as_trained() for unit in units]
    curves = {unit.name: _curves(unit) for unit in trained}
    epochs = {unit.name: _best(unit, curves[unit.name]) for unit in trained}
    return [unit for unit in trained if _record(unit, epochs[unit.name])]


def _curves(unit: Unit) -> dict[int, np.ndarray]:
    """Fold → score after each epoch, of the unit's trained siblings, itself left out."""
    siblings = [
        replace(unit, fold=fold)
        for fold in sorted(set(unit.problem.folds.tolist()))
        if fold != unit.fold
    ]
    found = {}
    for sibling in siblings:
        pending = read_json(sibling.folder.pending)
        if pending is not None and pending["inputs"] == sibling.inputs:
            scores = [row["valid_score"] for row in pending["history"]]
            found[sibling.fold] = np.array([np.nan if s is None else s for s in scores])
    return {fold: curve for fold, curve in found.items() if fold is not None}


def _best(unit: Unit, curves: Mapping[int, np.ndarray]) -> int | None:
    """The epoch, from 0, that is best in the mean; None: no curve has a score."""
    if not curves:
        return None
    scores = np.stack(list(curves.values()))
    known = ~np.isnan(scores)
    if not known.any():
        return None
    sign = 1 if unit.problem.metric.higher_is_better else -1
    sums = np.where(known, sign * scores, 0.0).sum(axis=0)
    means = np.full(scores.shape[1], -np.inf)
    np.divide(sums, known.sum(axis=0), out=means, where=known.any(axis=0))
    return int(means.argmax())


def _record(unit: Unit, epoch: int | None) -> bool:
    """Whether the unit's epoch is recorded now."""
    try:
        with locked(unit.folder.lock, doing=f"choosing the epoch of {unit.name}"):
            pending = read_json(unit.folder.pending)
            if "epoch" not in pending and epoch is not None:
                pending["epoch"] = epoch
                publish_json(unit.folder.pending, pending)
            return "epoch" in pending
    except LockedError:
        return False
