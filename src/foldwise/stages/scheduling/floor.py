"""The submission that a run with a time limit starts from: no network, but a valid file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.auditing.references import majority
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.maps.maps import scattered_maps
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.stages.display import Display
from foldwise.stages.submit import submit
from foldwise.stages.training.prints import data_hash
from foldwise.tasks.constant import constant_scores
from foldwise.tasks.problem import Problem

#: Name of the run; any finished fold of a recipe is better founded.
FLOOR = "majority-reference"


def hand_in_floor(problem: Problem, show: Display) -> None:
    """Hand in what the train targets say of every test row, if nothing is handed in yet."""
    home = problem.home
    if home.submission.exists():
        return
    write_floor(problem)
    submit(home, FLOOR, problem=problem, display=show.silent())
    show.say(f"{home.submission.name}: {_SAID[problem.task.kind]}, until a fold is done")


def write_floor(problem: Problem) -> None:
    """Make the run that the first submission is of."""
    run, kind = RunDir(problem.home.runs / FLOOR), problem.task.kind
    oof, test = _MADE[kind](problem)
    predictions_file.write(run.oof, oof)
    predictions_file.write(run.test, test)
    facts = {"folds": problem.folds_hash, "data": data_hash(problem)}
    publish_json(run.record, {"kind": "reference", **_FACTS[kind], **facts})


def stands_on_floor(home: Home) -> bool:
    """Whether nothing better is handed in."""
    stamp = read_json(home.stamp("submission")) or {}
    return not home.submission.exists() or stamp.get("run") == FLOOR


def _means(problem: Problem) -> tuple[Predictions, Predictions]:
    """Out-of-fold and test scores: the mean of the other folds, and of all rows."""
    scores = majority(
        np.zeros((0, 1, 1, 3), np.uint8),
        problem.one_hot,
        problem.folds,
        np.zeros((len(problem.test), 1, 1, 3), np.uint8),
    )
    low, high = problem.one_hot.min(axis=0), problem.one_hot.max(axis=0)
    oof, test = (np.clip(part, low, high) for part in (scores.oof, scores.test))
    return (
        Predictions(problem.train.ids, oof, problem.columns, folds=problem.folds),
        Predictions(problem.test.ids, test, problem.columns),
    )


def _constant_maps(problem: Problem) -> tuple[Predictions, Predictions]:
    """The same of maps: what the masks of the other folds say of every pixel, and those of all."""
    train, folds = problem.train, problem.folds
    parts = []
    for fold in np.unique(folds).tolist():
        rows = np.flatnonzero(folds == fold)
        others = np.flatnonzero(folds != fold) if len(rows) < len(folds) else rows
        parts.append((rows, constant_scores(problem, train.take(rows), others).scores))
    test = constant_scores(problem, problem.test)
    oof = replace(test, ids=train.ids, scores=scattered_maps(parts), folds=folds)
    return oof, test


_MADE: Mapping[str, Callable[[Problem], tuple[Predictions, Predictions]]] = {
    "vector": _means,
    "map": _constant_maps,
}
#: Nothing can be fitted to maps that say the same everywhere, and to look at all takes a while.
_FACTS: Mapping[str, Mapping[str, bool]] = {"vector": {}, "map": {"is_constant": True}}
_SAID = {
    "vector": "the mean of the train targets",
    "map": "the same masks for every test image, as those of train suggest",
}
