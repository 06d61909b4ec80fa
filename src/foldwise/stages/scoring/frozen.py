"""The heads on frozen features of a plan: what fine-tuning and blending have to beat."""

from __future__ import annotations

from typing import Any

from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.rundir import RunDir
from foldwise.stages.recipes import load_plan
from foldwise.stages.scoring.held_out import file_hash, run_label
from foldwise.tasks.presence import target_of


def frozen_runs(home: Home, run: RunDir, record: dict[str, Any]) -> list[RunDir]:
    """All frozen heads a run is judged against, its own first; none for a frozen run.

    These are the plan's recipes with `freeze: backbone` and the references that its fine-tuned
    ones keep, as far as they have out-of-fold scores of what the run was asked.
    """
    if record["kind"] == "reference" or is_frozen(record):
        return []
    names = load_plan(home).recipes if home.plan.exists() else ()
    found = [run.reference]
    for other in (RunDir(home.runs / name) for name in names):
        theirs = read_json(other.record) or {}
        if target_of(theirs) == target_of(record):
            found.append(other if is_frozen(theirs) else other.reference)
    unique = {place.path: place for place in found if place.record.exists() and place.oof.exists()}
    return list(unique.values())


def inputs_of_frozen(home: Home, run: RunDir, record: dict[str, Any]) -> list[list[str | None]]:
    """Names and hashes of the frozen heads; others make `scores.json` stale."""
    return [[run_label(home, each), file_hash(each.oof)] for each in frozen_runs(home, run, record)]


def is_frozen(record: dict[str, Any]) -> bool:
    """Whether a run's recipe trains a head alone."""
    return bool(record.get("recipe", {}).get("freeze") == "backbone")
