"""Blends: members with their weights, and what blending is worth, in words."""

from __future__ import annotations

from typing import Any

from foldwise.parts import name_of, options_of
from foldwise.stages.reporting.material import Material, Run
from foldwise.stages.reporting.strips import (
    axis_strip,
    common_scale,
    interval_strip,
    share_strip,
)
from foldwise.stages.reporting.words import score_text, signed


def blends(material: Material) -> list[dict[str, Any]]:
    """What the page says of each blend."""
    return [_blend(run) for run in material.runs if run.kind == "blend"]


def gain_sentence(gain: dict[str, Any], is_plain: bool) -> str:
    """What a blend is worth over its best member, in words.

    Args:
        gain: as in the blend's record.
        is_plain: whether it is the plain mean.
    """
    left = [name for name, weight in gain["weights"].items() if weight]
    best, cross = gain["best_member"], gain["cross_fitted_gain"]
    if cross is None:
        return (
            f"Naively {signed(gain['naive_gain'])} over its best member {best}. With one fold "
            "alone nothing can be cross-fitted, so whether it helps is not known."
        )
    ends = "no interval can be given"
    if gain["low"] is not None:
        ends = f"95 % interval {signed(gain['low'])} to {signed(gain['high'])}, {gain['covers']}"
    size = f"{signed(cross)} cross-fitted over the best single member ({ends})"
    if gain["verdict"] == "gain":
        return f"The blend is a gain: {size}."
    if gain["verdict"] == "loss":
        return f"The blend is a loss: {size}. Hand in {best} instead."
    if is_plain and len(left) == 1:
        return (
            f"Of its members one remained, {left[0]}: the others are too far behind to be averaged "
            f"with it. Against the best single member: {size}."
        )
    rest = (
        "As a plain mean it still is the safer choice: it hangs less on which member looked best."
        if is_plain
        else "Weights that have not won are no reason to leave the plain mean."
    )
    return f"Not shown to be better: {size}. The interval holds 0. {rest}"


def _blend(run: Run) -> dict[str, Any]:
    record, gain = run.record, run.record["gain"]
    members = record["members"]
    top = max((abs(member["weight"]) for member in members), default=1.0)
    higher = run.scores is None or run.scores["metric"]["higher_is_better"]
    return {
        "label": run.label,
        "method": name_of(record["method"]),
        "options": options_of(record["method"]),
        "metric": None if run.scores is None else run.scores["metric"]["label"],
        "score": None if run.scores is None else run.scores["score"],
        "naive_score": record["naive_score"],
        "verdict": gain["verdict"],
        "sentence": gain_sentence(gain, name_of(record["method"]) == "mean"),
        "plots": _gain_plots(gain, higher),
        "members": [
            {
                **member,
                "bar": share_strip(abs(member["weight"]), top),
                "chosen": list(gain["best_per_fold"].values()).count(member["name"]),
                "per_fold": _weights(gain, member["name"]),
            }
            for member in members
        ],
        "num_folds": len(gain["best_per_fold"]),
        "left_out": [f"Left out: {reason}" for reason in record.get("left_out", {}).values()],
    }


def _gain_plots(gain: dict[str, Any], higher: bool) -> dict[str, Any]:
    ends = None if gain["low"] is None else (gain["low"], gain["high"])
    cross = gain["cross_fitted_gain"]
    values = [0.0, gain["naive_gain"], *(ends or ()), *(() if cross is None else (cross,))]
    scale = common_scale(values)
    rows: list[tuple[str, float, tuple[float, float] | None, str]] = [
        ("naive", gain["naive_gain"], None, "c")
    ]
    if cross is not None:
        rows.append(("cross-fitted", cross, ends, "b"))
    return {
        "rows": [
            {
                "name": name,
                "value": signed(value),
                "plot": interval_strip(
                    scale, value, pair, rules=(0.0,), look=look, about=f"{name} gain"
                ),
            }
            for name, value, pair, look in rows
        ],
        "axis": axis_strip(scale, "gain, right of 0 is better", most=4),
    }


def _weights(gain: dict[str, Any], member: str) -> str:
    """Least and most weight over the folds it was fitted without."""
    found = [weights[member] for weights in gain["weights_per_fold"].values()]
    if not found or max(found) - min(found) < 5e-4:
        return ""
    return f"{score_text(min(found), 3)} to {score_text(max(found), 3)}"
