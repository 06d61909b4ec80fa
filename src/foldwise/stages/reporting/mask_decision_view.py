"""How maps become masks: thresholds, areas and chances by class, and the ladder they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foldwise.blending.gain import verdict
from foldwise.stages.reporting.decision_view import uncut_view
from foldwise.stages.reporting.gains import Gain, gain_table
from foldwise.stages.reporting.svg import isolated
from foldwise.stages.reporting.words import count

#: Option of the step → its heading.
_OPTIONS = {
    "thresholds": "threshold",
    "smallest_areas": "smallest part, px",
    "top_scores": "least top pixels",
    "least_chances": "least chance that it is there",
    "largest_only": "largest part alone",
    "fill": "holes filled",
}
#: Values that do nothing: an option that has no other anywhere is not shown.
_IDLE = {"top_scores": 0.0, "least_chances": 0.0, "largest_only": False, "fill": False}
_RUNGS = {
    "alike": "a threshold and smallest area for all classes",
    "areas": "thresholds and smallest areas by class",
    "top_scores": "least score of the top pixels",
    "chances": "chances by the top pixels",
    "gated_chances": "chances by gate and top pixels",
}


def mask_decision_view(
    scores: Mapping[str, Any], stored: Mapping[str, Any], classes: Sequence[str]
) -> dict[str, Any]:
    """What the page says of a decision on maps.

    Args:
        scores: the run's `scores.json`.
        stored: its `decision.json`.
        classes: of the competition.

    Returns:
        As `uncut_view`, and `masks`: `ladder`, a sentence for each rung; `columns`, `lines` and
        `differs`, the options by class; `shared`, which classes have a decision together.
    """
    choice, step = stored["choice"], stored["steps"][-1]
    folds = [found["steps"][-1] for found in stored["folds"].values()]
    fixed = stored["inputs"]["fixed"]["steps"][-1]
    rungs = _rungs(choice)
    gains = [(each, each["gain"]) for each in rungs if each["gain"] is not None]
    plots = [
        Gain(
            f"{each['name']} {each['over']}",
            gain["point"],
            None,
            None if gain["low"] is None else (gain["low"], gain["high"]),
            verdict(gain["low"], gain["high"]),
        )
        for each, gain in gains
    ]
    columns = _columns(step, fixed, folds) if step["name"] == "masks" else []
    return {
        **uncut_view(scores),
        "sentence": _sentence(step, choice),
        "folds": _folds_sentence(choice),
        "plots": gain_table(plots) if plots else None,
        "over_time": None,
        "masks": {
            "ladder": [f"{each['reason'][:1].upper()}{each['reason'][1:]}." for each in rungs],
            "columns": [_OPTIONS[name] for name in columns],
            "lines": _lines(columns, classes, step, fixed, folds),
            "differs": bool(folds),
            "is_fitted": bool(step["fitted"]),
            "shared": _shared(step, scores["by_class"]),
        },
    }


def _rungs(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was tried, each over the last that was taken before it; a gate over the best of them."""
    if choice["gain"] is None and not choice["masks"]:
        return []
    first = {"steps": ["alike"], "reason": choice["reason"], "gain": choice["gain"]}
    rungs, over = [], "over the fixed decision"
    for tried in (first, *choice["masks"]):
        name = " and ".join(_RUNGS.get(each, each.replace("_", " ")) for each in tried["steps"])
        than = "over the best before it" if tried["steps"][0] == "gated_chances" else over
        rungs.append({"name": name, "over": than, "reason": tried["reason"], "gain": tried["gain"]})
        gain = tried["gain"]
        if gain is not None and gain["low"] is not None and gain["low"] > 0:
            over = f"over {name}"
    return rungs


def _sentence(step: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
    if step["name"] == "surest_class":
        return "Each pixel is answered by the class with the highest probability there."
    if not step["fitted"]:
        return f"Fixed thresholds: {choice['reason']}."
    won = "as asked for" if choice["asked"] == "fitted" else "they won cross-fitted"
    return f"Fitted values: {won}."


def _folds_sentence(choice: Mapping[str, Any]) -> str | None:
    fixed = [fold for fold, kind in choice["folds"].items() if kind == "fixed"]
    num_fitted = len(choice["folds"]) - len(fixed)
    if not fixed or not num_fitted:
        return None
    return (
        f"The folds do not agree: without {', '.join(fixed)} the fixed decision would have stayed, "
        f"without the other {count(num_fitted, 'fold')} not."
    )


def _columns(
    step: Mapping[str, Any], fixed: Mapping[str, Any], folds: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Options that do something in any of these decisions."""
    every = (step, fixed, *folds)
    return [
        name
        for name in _OPTIONS
        if name not in _IDLE
        or any(
            value != _IDLE[name] for each in every for value in _several(each["options"].get(name))
        )
    ]


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _lines(
    columns: Sequence[str],
    classes: Sequence[str],
    step: Mapping[str, Any],
    fixed: Mapping[str, Any],
    folds: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """A line for each class: of each option the value for test, the fixed one, and the folds'."""
    return [
        {
            "name": name,
            "cells": [
                {
                    "value": _shown(_of_class(step, option, c)),
                    "fixed": _shown(_of_class(fixed, option, c)),
                    "folds": _range([_of_class(fold, option, c) for fold in folds]),
                }
                for option in columns
            ],
        }
        for c, name in enumerate(classes if columns else ())
    ]


def _of_class(step: Mapping[str, Any], option: str, place: int) -> Any:
    defaults = {"thresholds": 0.5, "smallest_areas": 0, **_IDLE}
    value = step["options"].get(option, defaults[option])
    return value[place] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # A threshold between two levels answers as the upper one; above 1 nothing is answered.
        return "none answered" if value > 1 else f"{value:.3f}"
    return f"{value:,}"


def _range(values: Sequence[Any]) -> str:
    if not values:
        return ""
    if isinstance(values[0], bool):
        return f"yes in {sum(values)} of {len(values)}"
    low, high = _shown(min(values)), _shown(max(values))
    return low if low == high else f"{low} to {high}"


def _shared(step: Mapping[str, Any], by_class: Sequence[Mapping[str, Any]]) -> str | None:
    """Which classes are decided together, and why."""
    if not step["fitted"] or step["name"] != "masks":
        return None
    values = list(step["options"].values())
    several = [each for each in values if isinstance(each, list)]
    if len(by_class) > 1 and all(each == [each[0]] * len(each) for each in several):
        return "All classes are decided alike."
    # Here alone: it loads numba, which none but decisions on masks need.
    from foldwise.decide.mask_curves import FEW_GROUPS

    rare = [(row["class"], row["groups"]) for row in by_class if row["groups"] < FEW_GROUPS]
    if len(rare) < 2:
        return None
    named = ", ".join(f"{isolated(name)} ({num})" for name, num in rare)
    return (
        f"Thresholds as of one, since fewer than {FEW_GROUPS} groups show each, and their own "
        f"would be chance: {named}."
    )
