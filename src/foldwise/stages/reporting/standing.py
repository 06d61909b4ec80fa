"""How the competition stands: what is submitted now, and what must be known about it."""

from __future__ import annotations

from typing import Any

from foldwise.json_files import read_json
from foldwise.stages.reporting.material import Material, Run
from foldwise.stages.reporting.strips import axis_strip, common_scale, interval_strip
from foldwise.stages.reporting.words import count, metric_sentence
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.submitting.ledger import Entry, read_ledger


def standing(material: Material) -> dict[str, Any]:
    """What the head of the page says.

    Returns:
        `submission`: see `_submission`, None if there is none; `alarms`: sentences on what is
        wrong; `notices`: on what should be known.
    """
    entries = material.tried(lambda: read_ledger(material.home)) or []
    entry, alarms = _current(material, entries)
    found = None if entry is None else _submission(material, entry)
    run = None if entry is None else material.run(entry.facts["run"])
    return {
        "submission": found,
        "alarms": [*alarms, *_undone(material)],
        "notices": _notices(material, entry, run),
    }


def _current(material: Material, entries: list[Entry]) -> tuple[Entry | None, list[str]]:
    """The ledger's entry that `submission.csv` is, and what is wrong with the file."""
    home = material.home
    now = file_hash(home.submission)
    if now is None:
        return None, ["There is no submission.csv yet."] if entries or material.runs else []
    stamp = material.tried(lambda: read_json(home.stamp("submission"))) or {}
    same = [entry for entry in entries if entry.sha256 == now]
    named = [entry for entry in same if entry.path.name == stamp.get("entry")]
    if named or same:
        return (named or same)[-1], []
    return None, [
        "submission.csv was not written by foldwise, or it was changed since: nothing is known "
        "of its score."
    ]


def _submission(material: Material, entry: Entry) -> dict[str, Any]:
    """Run, score, how it was got, interval and what it covers, folds, time."""
    facts = entry.facts
    run = material.run(facts["run"])
    scores = None if run is None else run.scores
    is_same = scores is not None and scores["score"] == facts["score"]
    now = scores if is_same else None
    return {
        "entry": entry.path.name,
        "run": facts["run"],
        "time": facts.get("time"),
        "metric": facts["metric"] if now is None else now["metric"]["label"],
        "better": None if now is None else metric_sentence(now["metric"]),
        "score": facts["score"],
        "how": facts["how"],
        "interval": facts["interval"],
        "interval_note": None if now is None else now["interval_note"],
        "strip": None if now is None else _strip(now),
        "num_folds": facts["founding"]["num_folds"],
        "all_folds": None if now is None else len(now["folds"]) + len(_absent(now)),
        "rows": None if now is None else (now["num_rows"], now["num_train"]),
        "prior": None if now is None else now["prior"],
        "gives": facts.get("gives"),
    }


def _absent(scores: dict[str, Any]) -> list[int]:
    shown = {fold["fold"] for fold in scores["folds"]}
    return [fold for fold in scores["missing_folds"] if fold not in shown]


def _strip(scores: dict[str, Any]) -> dict[str, Any] | None:
    """The score with its interval, folds and references, and the axis below."""
    ends = scores["interval"]
    dots = [fold["score"] for fold in scores["folds"] if fold["score"] is not None]
    references = {r["label"]: r["score"] for r in scores["references"] if r["score"] is not None}
    if scores["score"] is None:
        return None
    pair = None if ends is None else (ends["low"], ends["high"])
    scale = common_scale([scores["score"], *dots, *(pair or ())])
    return {
        "plot": interval_strip(
            scale, scores["score"], pair, dots=dots, about="score, interval and folds"
        ),
        "axis": axis_strip(scale, scores["metric"]["label"]),
        "references": references,
    }


def _notices(material: Material, entry: Entry | None, run: Run | None) -> list[str]:
    found = []
    if entry is not None:
        found += entry.facts.get("notes", [])
        if run is not None and run.scores is not None:
            found += [f"{run.label}: {text}" for text in run.scores["warnings"]]
            if run.scores["score"] != entry.facts["score"]:
                found.append(f"{run.label} has been scored anew since it was submitted.")
    if material.audit is not None:
        found += [f"Audit: {text}" for text in material.audit["warnings"]]
    return found


def _undone(material: Material) -> list[str]:
    """Runs that are stale, not evaluated, or planned and not there."""
    found = []
    for run in material.runs:
        if run.is_stale:
            found.append(
                f"{run.label}: its scores are older than its predictions; run `foldwise evaluate`."
            )
        elif run.scores is None:
            found.append(f"{run.label}: not evaluated yet.")
        waiting = [unit.name for unit in run.units if not unit.is_done]
        if waiting:
            found.append(f"{run.label}: {count(len(waiting), 'unit')} not done.")
    if material.plan is not None:
        known = {run.label for run in material.runs}
        absent = [name for name in material.plan.recipes if name not in known]
        if absent:
            found.append(f"In the plan, not trained yet: {', '.join(absent)}.")
    return found
