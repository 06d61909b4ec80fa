"""Blends: members with weights and worth, what blending gains, and who errs alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from foldwise.errors import RunError
from foldwise.parts import name_of, options_of
from foldwise.stages.joining.telling import gain_as_decided, gain_over_highest, is_of_maps
from foldwise.stages.reporting.diversity_view import diversity_view
from foldwise.stages.reporting.gains import Gain, gain_table
from foldwise.stages.reporting.material import Material, Run
from foldwise.stages.reporting.strips import (
    axis_strip,
    common_scale,
    interval_strip,
    weight_strip,
)
from foldwise.stages.reporting.svg import isolated
from foldwise.stages.reporting.words import score_text, signed


def blends(material: Material) -> list[dict[str, Any]]:
    """What the page says of each blend."""
    found = [material.tried(partial(_blend, run)) for run in material.runs if run.kind == "blend"]
    return [blend for blend in found if blend is not None]


def gain_sentence(gain: Mapping[str, Any], *, is_mean: bool) -> str:
    """What a blend is worth, in words.

    Args:
        gain: as in the blend's record.
        is_mean: whether it is the plain mean of its members, or of comparable ones.
    """
    if len(gain["weights"]) == 1:
        return "It has a single member, so it gains and loses nothing."
    best, over_best, over_mean = gain["best_member"], gain["over_best"], gain["over_mean"]
    if over_best["cross_fitted"] is None:
        return (
            f"Naively {signed(over_best['naive'])} over its best member {best}. With one fold "
            "alone nothing can be cross-fitted, so whether it helps is not known."
        )
    size = f"{signed(over_best['cross_fitted'])} cross-fitted over the best single member"
    if gain["verdict"] == "gain":
        beaten = "" if is_mean else ", and better than the plain mean"
        return f"The blend is a gain: {size}{beaten}."
    if gain["verdict"] == "loss":
        instead = best if over_best["verdict"] == "loss" else "the plain mean"
        return f"The blend is a loss: {size}. Hand in {instead} instead."
    left = [name for name, weight in gain["weights"].items() if weight]
    if is_mean and len(left) == 1:
        return (
            f"Of its members one remained, {left[0]}: the others are too far behind to be averaged "
            f"with it. Against the best single member: {size}."
        )
    if over_best["low"] is None:
        return f"Not shown to be better: {size}, and no interval can be given."
    if is_mean:
        return (
            f"Not shown to be better: {size}, and the interval holds 0. As a plain mean it still "
            "is the safer choice: it hangs less on which member looked best."
        )
    than = "the plain mean" if over_best["verdict"] == "gain" else "its best member"
    return (
        f"Not shown to be better than {than}: {size}, "
        f"{signed(over_mean['cross_fitted'])} over the plain mean. Weights that have not won are "
        "no reason to leave the plain mean."
    )


def decided_sentence(found: Mapping[str, Any]) -> str:
    """What a blend of maps is worth, each by its own decision.

    Args:
        found: as of `gain_as_decided`.
    """
    size = f"{signed(found['gain']['point'])} cross-fitted over the best single member"
    if found["verdict"] == "gain":
        return f"The blend is a gain: {size}, each by its own decision."
    if found["verdict"] == "loss":
        return f"The blend is a loss: {size}, each by its own decision."
    why = "no interval can be given" if found["gain"]["low"] is None else "the interval holds 0"
    return f"Not shown to be better: {size}, each by its own decision, and {why}."


def _blend(run: Run) -> dict[str, Any]:
    record, gain = run.record, run.record["gain"]
    if "over_best" not in gain:
        raise RunError(
            f"{run.label}: blended by an older version of foldwise",
            remedy="run `foldwise blend` again",
        )
    method = name_of(record["method"])
    decided = None if run.scores is None else gain_as_decided(record, run.scores)
    is_told = decided is not None and is_of_maps(record)
    covers = gain["over_best"]["covers"]
    return {
        "label": run.label,
        "method": method,
        "options": options_of(record["method"]),
        "metric": None if run.scores is None else run.scores["metric"]["label"],
        "is_decided": run.scores is not None and run.scores["metric"]["takes"] == "answers",
        "verdict": decided["verdict"] if decided is not None and is_told else gain["verdict"],
        "sentence": decided_sentence(decided)
        if decided is not None and is_told
        else gain_sentence(gain, is_mean=method == "mean"),
        "gate": record.get("gate"),
        "notes": record["notes"],
        "gains": gain_table(rows) if (rows := _gains(run)) else None,
        "covers": covers,
        **_members(record),
        "all_rows": 0 if run.scores is None else run.scores["num_rows"],
        "num_folds": len(gain["best_per_fold"]),
        "diversity": diversity_view(record["diversity"], run.label),
        "left_out": [f"Left out: {reason}" for reason in record["left_out"].values()],
    }


def _gains(run: Run) -> list[Gain]:
    """Over the best member, over the plain mean if it is another, and as it is handed in."""
    record, gain = run.record, run.record["gain"]
    pairs = []
    if len(record["members"]) > 1:
        pairs = [(f"over the best member, {isolated(gain['best_member'])}", gain["over_best"])]
    if pairs and (name_of(record["method"]) != "mean" or len(set(gain["weights"].values())) > 1):
        pairs.append(("over the plain mean of all members", gain["over_mean"]))
    rows = [
        Gain(name, found["cross_fitted"], found["naive"], _ends(found), found["verdict"])
        for name, found in pairs
    ]
    if run.scores is None:
        return rows
    decided, highest = gain_as_decided(record, run.scores), gain_over_highest(record, run.scores)
    if decided is not None:
        rows.append(_as_decided("the best member", decided))
    if highest is not None:
        rows.append(_as_decided(f"{isolated(highest['run'])}, highest on these rows", highest))
    return rows


def _as_decided(over: str, reference: Mapping[str, Any]) -> Gain:
    name, size = f"over {over}, each by its own decision", reference["gain"]
    return Gain(name, size["point"], None, _ends(size), reference["verdict"])


def _members(record: Mapping[str, Any]) -> dict[str, Any]:
    """Members by weight, and the axis of what they add."""
    gain, members = record["gain"], record["members"]
    weights = [member["weight"] for member in members]
    worths = [member["worth"] for member in members if member["worth"] is not None]
    adds = [worth["added"] for worth in worths if worth["added"] is not None]
    ends = [worth[end] for worth in worths for end in ("low", "high") if worth[end] is not None]
    # Nothing but zeros has no scale of its own.
    scale = common_scale([0.0, *adds, *ends] if any([*adds, *ends]) else [-1.0, 1.0])
    best = list(gain["best_per_fold"].values())
    return {
        "members": [
            {
                **member,
                "bar": weight_strip(member["weight"], weights),
                "best": best.count(member["name"]),
                "per_fold": _per_fold(gain, member["name"]),
                "added": None if member["worth"] is None else member["worth"]["added"],
                "lost": None if member["worth"] is None else member["worth"]["lost_without"],
                "ends": _ends(member["worth"]),
                "plot": None
                if not adds or member["worth"] is None
                else interval_strip(
                    scale,
                    member["worth"]["added"],
                    _ends(member["worth"]),
                    rules=(0.0,),
                    about=f"{isolated(member['name'])}: what it adds, with its interval",
                ),
            }
            for member in sorted(members, key=lambda member: -abs(member["weight"]))
        ],
        "has_worth": bool(adds),
        "ranges": any(_per_fold(gain, member["name"]) for member in members),
        "axis": axis_strip(scale, "adds, right of 0 helps", most=4) if adds else None,
        "num_rows": min((worth["num_rows"] for worth in worths), default=None),
    }


def _ends(found: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if found is None or found["low"] is None:
        return None
    return found["low"], found["high"]


def _per_fold(gain: Mapping[str, Any], member: str) -> str:
    """Least and most weight over the folds it was fitted without."""
    found: Sequence[float] = [weights[member] for weights in gain["weights_per_fold"].values()]
    if not found or max(found) - min(found) < 5e-4:
        return ""
    return f"{score_text(min(found), 3)} to {score_text(max(found), 3)}"
