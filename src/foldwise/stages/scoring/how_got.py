"""How a score was got: cross-fitted, naive or optimistic, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foldwise.blending.methods import is_fixed
from foldwise.decide.decision import Decision
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.parts import name_of
from foldwise.rundir import RunDir

_STOPS = {
    "fixed": "fixed schedule",
    "inner": "epoch chosen on a slice of the training rows",
    "cross": "epoch chosen on the other folds' curves",
}


def how_got(
    run: RunDir,
    record: Mapping[str, Any],
    decision: Decision,
    decided: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """How the score of a run was got.

    Args:
        run: its folder.
        record: its `run.json`.
        decision: for new rows.
        decided: how that was chosen (see `deciding.decision_facts`); None: it is fixed.

    Returns:
        `got`: `cross-fitted` (nothing was fitted on the rows it is scored on), `naive` (fitted
        and scored on the same rows) or `optimistic` (something was chosen on them, or what was
        done cannot be known); `sentence` says what; `naive` is a blend's naive score beside its
        cross-fitted one, else None.
    """
    said = _decided(decision, decided)
    if record["kind"] == "blend":
        found = _blend(record, said)
    elif record["kind"] == "reference":
        is_head = "recipe" in record
        what = (
            "head solved on frozen features" if is_head else "mean of the other folds, no network"
        )
        found = _said("cross-fitted", f"{what}, {said}")
    elif record["kind"] == "outside" and not record["has_folds"]:
        unknown = "nobody says which fold a row was held out in (no column fold)"
        found = _said("optimistic", f"scores from outside, {unknown}, {said}")
    elif record["kind"] == "outside":
        found = _said("cross-fitted", f"scores from outside, held out as their owner says, {said}")
    else:
        found = _recipe(run, record, said)
    if decided is None or decided["kind"] == "fixed":
        return found
    if found["got"] == "cross-fitted" and not decided["folds"]:
        found["got"] = "naive"
    # A blend's own naive score is of its fixed decision.
    return {**found, "naive": decided["naive_score"]}


def _recipe(run: RunDir, record: Mapping[str, Any], said: str) -> dict[str, Any]:
    train = record["recipe"]["train"]
    second_level = record.get("second_level")
    refit = ""
    merged = read_json(run.path / "merged.json") or {}
    if any(unit.startswith("all-") for unit in merged):
        refit = (
            "; test scores come from a refit on all rows, which has no out-of-fold score of its own"
        )
    if second_level is not None:
        return _second_level(record["recipe"], second_level["sources"], f"{said}{refit}")
    if train["stop"] == "validation":
        return _said(
            "optimistic",
            "the epoch was chosen on the held-out fold itself (stop: validation), so the score is "
            f"better than new images would give; {said}{refit}",
        )
    # A solved head is all there is where no epoch follows.
    epochs = train["epochs"] if record["epochs"] is None else record["epochs"]
    has_stages = bool(train["schedule"]["stages"])
    what = _STOPS[train["stop"]] if epochs or has_stages else "head solved on frozen features"
    return _said("cross-fitted", f"{what}{_beside(record['recipe'])}, {said}{refit}")


def _beside(recipe: Mapping[str, Any]) -> str:
    """What was trained on beside the rows of train; records of before know of none."""
    uses, pseudo = recipe.get("external") or (), recipe.get("pseudo")
    names = [use if isinstance(use, str) else use["name"] for use in uses]
    found = f", external data ({', '.join(names)})" if names else ""
    if pseudo is None:
        return found
    teachers = [pseudo["run"]] if isinstance(pseudo["run"], str) else pseudo["run"]
    return f"{found}, test rows labelled without the fold by {', '.join(teachers)}"


def _second_level(
    recipe: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]], said: str
) -> dict[str, Any]:
    peeked = [name for name, source in sources.items() if source["stop"] == "validation"]
    if peeked:
        return _said(
            "optimistic",
            f"the epoch of {', '.join(peeked)}, whose features it reads, was chosen on the "
            f"held-out fold itself (stop: validation); {said}",
        )
    is_frozen = all(source["freeze"] == "backbone" for source in sources.values())
    seen = "frozen features" if is_frozen else "features of the network that left the fold out"
    head = name_of(recipe["head"])
    return _said("cross-fitted", f"{head} fitted on {seen} ({', '.join(sources)}), {said}")


def _blend(record: Mapping[str, Any], said: str) -> dict[str, Any]:
    blend, gain = record["blend"], record["gain"]
    if "over_best" not in gain:
        raise RunError(
            "a blend of an older foldwise: its gain is not told as it is now",
            remedy="blend it again: `foldwise blend`, or `foldwise run` for those of the plan",
        )
    members = {member["name"]: member["how"] for member in record["members"]}
    gate = record.get("gate")
    if gate is not None:
        members[gate["name"]] = gate["how"]
    optimistic = [name for name, how in members.items() if how != "cross-fitted"]
    naive = record["naive_score"]
    if optimistic:
        return {
            **_said(
                "optimistic", f"members with optimistic or unknown scores: {', '.join(optimistic)}"
            ),
            "naive": naive,
        }
    if is_fixed(record["method"]):
        sentence = f"equal weights, nothing fitted, {said}"
    elif gain["over_best"]["cross_fitted"] is None:
        sentence = f"{blend['method']} was fitted on the rows it is scored on: only one fold"
        return {**_said("naive", sentence), "naive": naive}
    else:
        is_mean = blend["method"] == "mean"
        how = "equal weights, members chosen" if is_mean else f"{blend['method']} fitted"
        sentence = f"{how} without the fold it scores, {said}"
    return {**_said("cross-fitted", sentence), "naive": naive}


def _decided(decision: Decision, decided: Mapping[str, Any] | None) -> str:
    names = ", then ".join(step.name for step in decision.steps)
    if decided is None or {decided["kind"], *decided["folds"].values()} == {"fixed"}:
        return f"fixed decision ({names})"
    if not decided["folds"]:
        return f"decision ({names}) fitted on the rows it is scored on: only one fold"
    chosen = "chosen and fitted" if decided["asked"] == "auto" else "fitted"
    others = [fold for fold, kind in decided["folds"].items() if kind != decided["kind"]]
    but = f", otherwise than for test in fold {', '.join(others)}" if others else ""
    return f"decision ({names}) {chosen} without the fold it scores{but}"


def _said(got: str, sentence: str) -> dict[str, Any]:
    return {"got": got, "sentence": sentence, "naive": None}
