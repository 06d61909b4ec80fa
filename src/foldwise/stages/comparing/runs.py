"""Runs to be compared: their out-of-fold scores, of all seeds together and of each alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.errors import DataError, RunError
from foldwise.json_files import read_json
from foldwise.predictions import concatenate
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.joining.outside_scores import is_outside, read_outside
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import HeldOut, held_out
from foldwise.tasks.problem import Problem

_UNIT = re.compile(r"fold(\d+)-seed(\d+)")


@dataclass(frozen=True)
class Run:
    """A run, a blend, a reference or score files from outside.

    Attributes:
        held: merged out-of-fold scores with its decision.
        kind: `recipe`, `blend`, `reference` or `outside`.
        record: its `run.json`; empty from outside.
        seeds: seed → the same rows by that seed's networks alone; empty for what has no seeds.
    """

    held: HeldOut
    kind: str
    record: Mapping[str, Any]
    seeds: Mapping[int, HeldOut]

    @property
    def name(self) -> str:
        """The run's name, or the path of the out-of-fold file."""
        return self.held.name

    def among(self, folds: Sequence[int]) -> Run:
        """The rows of these folds."""
        rows = np.isin(self.held.folds, folds)
        seeds = {seed: held.among(rows) for seed, held in self.seeds.items()}
        return replace(self, held=self.held.among(rows), seeds=seeds)


def read_run(problem: Problem, name: str) -> Run:
    """A run by its name, or score files as `oof.csv,test.csv`.

    Raises:
        RunError: there is no such run, it was made on other folds, or it was not merged since its
            units changed.
        DataError: a score file is absent or damaged.
    """
    if is_outside(name):
        return Run(read_outside(problem, name).held, "outside", {}, {})
    run = problem.home.run(name)
    record = run.read_record()
    held = read_decided(problem, run)
    seeds = _seeds(problem, run, record, held) if record["kind"] == "recipe" else {}
    return Run(held, record["kind"], record, seeds)


def seeds_of(run: RunDir, record: Mapping[str, Any]) -> dict[int, list[UnitDir]]:
    """Seed → the units that a run of a recipe was merged from.

    Raises:
        RunError: seeds were merged, but not which.
    """
    merged = read_json(run.path / "merged.json")
    if merged is None:
        if len(record["seeds"]) > 1:
            raise RunError(
                f"{run.name}: it has {len(record['seeds'])} seeds and was not merged",
                remedy=f"run `foldwise predict {run.name}` first",
            )
        return {seed: [] for seed in record["seeds"]}
    units: dict[int, list[UnitDir]] = {}
    for name in sorted(merged):
        found = _UNIT.fullmatch(name)
        if found is not None:
            fold, seed = int(found[1]), int(found[2])
            units.setdefault(seed, []).append(run.unit(fold, seed))
    return units


def _seeds(
    problem: Problem, run: RunDir, record: Mapping[str, Any], held: HeldOut
) -> dict[int, HeldOut]:
    units = seeds_of(run, record)
    if len(units) == 1:
        return dict.fromkeys(units, held)
    merged = read_json(run.path / "merged.json")
    found: dict[int, HeldOut] = {}
    for seed, folders in units.items():
        stale = [each.name for each in folders if read_json(each.record) != merged[each.name]]
        if stale:
            raise RunError(
                f"{run.name}: {', '.join(stale)} changed since the run was merged",
                remedy=f"run `foldwise predict {run.name}` again",
            )
        parts = concatenate([predictions_file.read(each.valid) for each in folders])
        alone = held_out(problem, parts, held.decision, name=f"{run.name} (seed {seed})")
        if not np.array_equal(alone.rows, held.rows):
            raise DataError(
                f"{run.name}: seed {seed} has scores of {len(alone)} rows, the merged run of "
                f"{len(held)}, or of others",
                remedy=f"run `foldwise predict {run.name}` again",
            )
        found[seed] = held.with_scores(alone.scores)
    return found
