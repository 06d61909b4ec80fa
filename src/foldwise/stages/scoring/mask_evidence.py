"""How sure a map is that a class is there at all, and how often it then is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from foldwise.decide.mask_steps import TOP_SHARE, chance_of, num_top, top_means
from foldwise.device import num_cores
from foldwise.maps.maps import Maps
from foldwise.metrics.ranking import class_average_precision, class_roc_auc
from foldwise.stages.scoring.held_out import HeldOut

_NUM_BINS = 10


def evidence_tables(held: HeldOut) -> list[dict[str, Any]]:
    """What stands in `scores.json` of the scores that say whether a class is in a sample.

    These are the mean of a map's top pixels, where another run gates its word, and where each
    fold's decision fits chances these, each by the decision that has not seen the sample's fold.

    Returns:
        For each: `label`; `is_fitted`; `bins` and `by_class`, see `reliability` and `_by_class`.
    """
    options = held.decision.steps[-1].options
    share, pixels = float(options.get("top_share", TOP_SHARE)), int(options.get("top_pixels", 0))
    what = f"{pixels}" if pixels else f"{100 * share:g} % of"
    found = tops(held, share, pixels)
    tables = [_table(held, f"mean of the map's top {what} pixels", found)]
    gates = held.scores.gates
    if gates is not None:
        tables.append(_table(held, "gate: another run's word on the sample", gates))
    chances = _chances(held, found)
    if chances is not None:
        tables.append(_table(held, "chance that is fitted to them", chances, is_fitted=True))
    return tables


def _chances(held: HeldOut, means: np.ndarray) -> np.ndarray | None:
    """(n, C) chances by the decisions without each row's fold; None: not all of them fit any."""
    found, gates = np.zeros(means.shape), held.scores.gates
    for fold in np.unique(held.folds).tolist():
        parts = held.without(fold).steps[-1].options.get("chances")
        if parts is None or held.by_fold is None:
            return None
        rows = held.folds == fold
        beside = np.zeros_like(means[rows]) if gates is None else gates[rows]
        found[rows] = chance_of(np.array(parts), beside, means[rows])
    return found


def tops(held: HeldOut, share: float, pixels: int = 0) -> np.ndarray:
    """(n, C) mean of each map's top pixels; every map is read once.

    Args:
        held: out-of-fold maps.
        share: of a sample's pixels.
        pixels: how many, whatever its size; 0: as the share says.
    """
    maps: Maps = held.scores

    def top(row: int) -> np.ndarray:
        sample = maps.read(row)
        return top_means(sample, num_top(sample[0].size, top_share=share, top_pixels=pixels))

    with ThreadPoolExecutor(num_cores(), thread_name_prefix="maps") as pool:
        rows = list(pool.map(top, range(len(maps))))
    return np.stack(rows) if rows else np.empty(maps.shape)


def reliability(
    evidence: np.ndarray, present: np.ndarray, groups: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """Share of pairs of sample and class whose class is there, by the evidence for it.

    Args:
        evidence: (N, C) float in [0, 1].
        present: (N, C) 0 or 1.
        groups: (N,) what belongs together; None: every sample alone.

    Returns:
        Of each tenth of [0, 1] that holds a pair, the last one closed: `low`, `high`; `mean`
        evidence; `share` whose class is there; `pairs`; `groups` that they are of.
    """
    places = np.minimum((evidence * _NUM_BINS).astype(np.int64), _NUM_BINS - 1)
    units = (
        np.arange(len(evidence)) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    found = []
    for place in np.unique(places).tolist():
        inside = places == place
        found.append(
            {
                "low": place / _NUM_BINS,
                "high": (place + 1) / _NUM_BINS,
                "mean": float(evidence[inside].mean()),
                "share": float(present[inside].mean()),
                "pairs": int(inside.sum()),
                "groups": len(np.unique(units[inside.any(axis=1)])),
            }
        )
    return found


def _table(
    held: HeldOut, label: str, evidence: np.ndarray, *, is_fitted: bool = False
) -> dict[str, Any]:
    present = held.target.present
    return {
        "label": label,
        "is_fitted": is_fitted,
        "bins": reliability(evidence, present, held.groups),
        "by_class": _by_class(held, evidence, present),
    }


def _by_class(held: HeldOut, evidence: np.ndarray, present: np.ndarray) -> list[dict[str, Any]]:
    """How well the evidence ranks samples with a class above those without; undefined is None."""
    roc_auc = class_roc_auc(evidence, present)
    precision = class_average_precision(evidence, present)
    return [
        {
            "class": name,
            "rows": int(present[:, c].sum()),
            "roc_auc": float(roc_auc[c]),
            "average_precision": float(precision[c]),
            "there": _mean(evidence[present[:, c] > 0, c]),
            "absent": _mean(evidence[present[:, c] == 0, c]),
        }
        for c, name in enumerate(held.problem.competition.classes)
    ]


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
