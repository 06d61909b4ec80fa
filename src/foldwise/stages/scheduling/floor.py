"""The submission that a run with a time limit starts from: no network, but a valid file."""

from __future__ import annotations

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.auditing.references import majority
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.stages.display import Display
from foldwise.stages.submit import submit
from foldwise.stages.training.prints import data_hash
from foldwise.tasks.problem import Problem

#: Name of the run; any finished fold of a recipe is better founded.
FLOOR = "majority-reference"


def hand_in_floor(problem: Problem, show: Display) -> None:
    """Hand in the mean of the train targets for every test row, if nothing is handed in yet."""
    home = problem.home
    if home.submission.exists():
        return
    run = home.run(FLOOR)
    num_test = len(problem.test)
    scores = majority(
        np.zeros((0, 1, 1, 3), np.uint8),
        problem.one_hot,
        problem.folds,
        np.zeros((num_test, 1, 1, 3), np.uint8),
    )
    low, high = problem.one_hot.min(axis=0), problem.one_hot.max(axis=0)
    oof, test = (np.clip(part, low, high) for part in (scores.oof, scores.test))
    train = Predictions(problem.train.ids, oof, problem.columns, folds=problem.folds)
    predictions_file.write(run.oof, train)
    predictions_file.write(run.test, Predictions(problem.test.ids, test, problem.columns))
    facts = {"folds": problem.folds_hash, "data": data_hash(problem)}
    publish_json(run.record, {"kind": "reference", **facts})
    submit(home, FLOOR, problem=problem, display=show.silent())
    show.say("submission.csv: the mean of the train targets, until a fold is done")


def stands_on_floor(home: Home) -> bool:
    """Whether nothing better is handed in."""
    stamp = read_json(home.stamp("submission")) or {}
    return not home.submission.exists() or stamp.get("run") == FLOOR
