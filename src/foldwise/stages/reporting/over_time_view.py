"""Steps over time in the report: what each gains, whether it is used, and what was fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foldwise.blending.gain import verdict
from foldwise.decide.steps import OVER_TIME
from foldwise.stages.reporting.gains import Gain, gain_table


def over_time_view(
    tried: Sequence[Mapping[str, Any]], stored: Mapping[str, Any], unit: str
) -> dict[str, Any] | None:
    """What the page says of steps over time; None where none are asked for.

    Args:
        tried: `over_time` of `decision_facts`.
        stored: content of `decision.json`.
        unit: what a reach is measured in: name of the order's column.
    """
    if not tried:
        return None
    gains = [(each, each["gain"]) for each in tried if each["gain"] is not None]
    rows = [
        Gain(
            _named(each),
            gain["point"],
            None,
            None if gain["low"] is None else (gain["low"], gain["high"]),
            verdict(gain["low"], gain["high"]),
        )
        for each, gain in gains
    ]
    return {
        "sentences": [
            f"{_named(each)}: {'used' if each['is_used'] else 'not used'}; {each['reason']}."
            for each in tried
        ],
        "plots": gain_table(rows) if rows else None,
        "lines": _lines(stored, unit),
        "differs": bool(stored["folds"]),
    }


def _named(tried: Mapping[str, Any]) -> str:
    return " and ".join(name.replace("_", " ") for name in tried["steps"])


def _lines(stored: Mapping[str, Any], unit: str) -> list[dict[str, Any]]:
    """One for each option of the steps that are used: for test, and over the folds."""
    folds = [_options(found["steps"]) for found in stored["folds"].values()]
    lines = []
    for (name, option), values in _options(stored["steps"]).items():
        others = [found[name, option] for found in folds if (name, option) in found]
        every = [value for found in others for value in found]
        label = f"{option} ({unit})" if option == "reach" else option
        lines.append(
            {
                "name": f"{name.replace('_', ' ')}: {label}",
                "value": _shown(values),
                "folds": f"{min(every):g} to {max(every):g}" if every else "",
                "unused": len(folds) - len(others),
            }
        )
    return lines


def _options(steps: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """Step and option → its values, of steps over time."""
    return {
        (step["name"], option): list(value) if isinstance(value, list) else [value]
        for step in steps
        if step["name"] in OVER_TIME
        for option, value in step["options"].items()
        if not isinstance(value, bool)
    }


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
