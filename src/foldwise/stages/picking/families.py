"""What a run is made of: shares of model families and of trained models, through all blends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.scoring.held_out import run_label
from foldwise.stages.training.records import formulation_and_network
from foldwise.tasks.presence import PRESENCE_TASK
from foldwise.tasks.task import Task

#: Weights that sum to less of their sizes than this nearly cancel: shares go by size then.
_CANCELLED = 0.1


@dataclass(frozen=True)
class MakeUp:
    """What a run is made of.

    Attributes:
        families: family → share; shares sum to 1. A family is a network and a formulation: what
            fails on test fails for all of its runs.
        sources: trained run or file from outside → share; shares sum to 1.
        is_reproducible: code at a known commit made it, and the weights of all its models are
            here, so it can be made again.
    """

    families: dict[str, float]
    sources: dict[str, float]
    is_reproducible: bool


def make_up(home: Home, task: Task, run: RunDir) -> MakeUp:
    """The make-up of a run, a reference or a blend, by the records as they stand.

    Raises:
        RunError: there is no such run.
    """
    record = run.read_record()
    label = run_label(home, run)
    if record["kind"] == "blend":
        return _of_blend(home, task, label, record)
    if record["kind"] == "reference":
        # A head on frozen features, or no model at all: solved again, it is the same.
        return MakeUp({f"reference {label}": 1.0}, {label: 1.0}, record.get("commit") is not None)
    if record["kind"] == "outside":
        return MakeUp({label: 1.0}, {label: 1.0}, is_reproducible=False)
    formulation, network = formulation_and_network(task, record)
    family = f"{network}, {formulation}"
    is_reproducible = record.get("commit") is not None and _has_weights(run)
    return MakeUp({family: 1.0}, {label: 1.0}, is_reproducible)


def _of_blend(home: Home, task: Task, label: str, record: Mapping[str, Any]) -> MakeUp:
    weights = {member["name"]: float(member["weight"]) for member in record["members"]}
    weights = {name: weight for name, weight in weights.items() if weight}
    total, size = sum(weights.values()), sum(map(abs, weights.values()))
    if total < _CANCELLED * size:
        weights, total = {name: abs(weight) for name, weight in weights.items()}, size
    families: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    is_reproducible = record.get("commit") is not None
    if "gate" in record:
        gate = _of_member(home, PRESENCE_TASK, record["gate"]["name"])
        is_reproducible = is_reproducible and gate.is_reproducible
    for name, weight in weights.items():
        part = _of_member(home, task, name)
        is_reproducible = is_reproducible and part.is_reproducible
        for shares, found in ((families, part.families), (sources, part.sources)):
            shares.update({key: share * weight / total for key, share in found.items()})
    if not weights:  # Nobody counts: its answers are its own.
        return MakeUp({label: 1.0}, {label: 1.0}, is_reproducible)
    return MakeUp(dict(families), dict(sources), is_reproducible)


def _of_member(home: Home, task: Task, name: str) -> MakeUp:
    run = home.run(name)
    if read_json(run.record) is not None:
        return make_up(home, task, run)
    return MakeUp({f"from outside: {name}": 1.0}, {name: 1.0}, False)


def _has_weights(run: RunDir) -> bool:
    units = [
        UnitDir(run.path / "units" / name) for name in read_json(run.path / "merged.json") or {}
    ]
    return bool(units) and all(unit.weights.exists() or unit.head.exists() for unit in units)
