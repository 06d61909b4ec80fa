"""A run's out-of-fold scores with the decisions that its `decision.json` has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from foldwise.decide.decision import Decision
from foldwise.errors import DataError
from foldwise.json_files import read_json
from foldwise.rundir import RunDir
from foldwise.stages.scoring.held_out import HeldOut, read_held_out
from foldwise.tasks.problem import Problem


def read_as_decided(problem: Problem, folder: RunDir) -> tuple[dict[str, Any], HeldOut]:
    """The content of `decision.json`, and the scores under it; nothing is decided anew.

    Raises:
        DataError: there is none, or of an older version; or as `read_held_out`.
        RunError: as there.
    """
    found = read_json(folder.decision)
    if found is None or "inputs" not in found:
        raise DataError(
            f"{folder.decision}: absent or of an older version",
            remedy="run `foldwise evaluate` again",
        )
    folds = {int(fold): Decision.from_json(value) for fold, value in found["folds"].items()}
    held = read_held_out(problem, folder)
    return dict(found), replace(held, decision=Decision.from_json(found), by_fold=folds or None)
