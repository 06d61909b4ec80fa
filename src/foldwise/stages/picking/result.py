"""`picks.json`: the choice, its reasons, other rules' sets, and what each candidate may expect."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from foldwise.choosing.candidates import Candidates
from foldwise.choosing.futures import Split
from foldwise.choosing.pick import QUANTILES, Picks, Set
from foldwise.choosing.shift import ENOUGH
from foldwise.stages.picking.field import Entrant, Field
from foldwise.stages.picking.reasons import reasons
from foldwise.tasks.problem import Problem


def as_json(
    problem: Problem,
    field: Field,
    candidates: Candidates,
    found: Picks,
    split: Split,
    public_share: float,
    pass_score: float | None,
) -> dict[str, Any]:
    """All that was found, as plain JSON; scores are in the metric's own sign."""
    shifts = found.futures.shifts
    units = "rows" if field.entrants[0].held.groups is None else "groups"
    return {
        "picks": [candidates.names[member] for member in found.picked.members],
        "reasons": reasons(field, candidates, found, pass_score, problem.metric.label),
        "metric": {
            "name": problem.metric_name,
            "label": problem.metric.label,
            "higher_is_better": problem.metric.higher_is_better,
        },
        "pass_score": pass_score,
        "sets": {
            "picked": _set(candidates, found.picked),
            "by_public": None if found.by_public is None else _set(candidates, found.by_public),
            "by_cv": _set(candidates, found.by_cv),
        },
        "num_level": found.num_level,
        "candidates": [
            _candidate(entrant, found, number) for number, entrant in enumerate(field.entrants)
        ],
        "climb_quantiles": list(QUANTILES),
        "shift": {
            "num_scores": shifts.num_scores,
            "is_learnt": shifts.is_learnt,
            "enough": ENOUGH,
            "unit": shifts.unit,
            "common": shifts.typical(shifts.common),
            "family": shifts.typical(shifts.family),
            "own": shifts.typical(shifts.own),
        },
        "split": {
            "public_share": public_share,
            "units": units,
            "num_train": candidates.num_units,
            "num_public": split.num_public,
            "num_private": split.num_private,
            "num_resamples": found.futures.num_resamples,
            "num_futures": len(found.futures.private),
        },
        "left_out": field.left_out,
    }


def _set(candidates: Candidates, found: Set) -> dict[str, Any]:
    return {**asdict(found), "members": [candidates.names[member] for member in found.members]}


def _candidate(entrant: Entrant, found: Picks, number: int) -> dict[str, Any]:
    expected, low, high = found.private[number].tolist()
    return {
        "name": entrant.name,
        "kind": entrant.scores["kind"],
        "cv": float(found.cv[number]),
        "how": entrant.got,
        "public": entrant.public,
        "private": {"expected": expected, "low": low, "high": high},
        "chance_first": float(found.chance_first[number]),
        "climb": found.climb[number].tolist(),
        "families": entrant.parts.families,
        "num_parts": len(entrant.parts.sources),
        "is_reproducible": entrant.parts.is_reproducible,
        "is_submitted": entrant.is_submitted,
        "oof": entrant.scores["inputs"]["oof"],
        "is_picked": number in found.picked.members,
    }
