"""Small competitions of sequences: labels that hold for a while, and scores that waver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.home import Home
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem, open_problem

from .small_competition import make_problem

LENGTH = 12
NUM_TRACKS = 30
NUM_TEST_TRACKS = 3


def ordered_problem(
    folder: Path, *, task: str = "multilabel", steps: Any = ("moving_average",), **changes: Any
) -> Problem:
    """Tracks of 12 frames, 30 apart, the rows in no order; steps None: none over time."""
    submission = dict(changes.pop("submission", {}))
    if steps is not None:
        submission["over_time"] = {"steps": list(steps), **changes.pop("over_time", {})}
    columns = {"order": "frame", **changes.pop("columns", {})}
    num_train, num_test = LENGTH * NUM_TRACKS, LENGTH * NUM_TEST_TRACKS
    problem = make_problem(
        folder,
        task,
        num_train=num_train,
        num_test=num_test,
        thumbs=False,
        group_size=LENGTH,
        columns=columns,
        submission=submission,
        **changes,
    )
    frame = samples_file.read(problem.home.samples).frame
    place = np.arange(len(frame))
    frame["cell:frame"] = [str(30 * (LENGTH - row % LENGTH)) for row in place]
    test = frame["split"] == "test"
    frame.loc[test, "cell:track"] = [
        f"test{(row - num_train) // LENGTH}" for row in place[test.to_numpy()]
    ]
    if task == "multilabel":
        rng = np.random.default_rng(3)
        for name in problem.competition.classes:
            held = np.repeat(rng.integers(0, 2, NUM_TRACKS * 3), LENGTH // 3)
            frame.loc[~test, f"cell:{name}"] = held.astype(str)
    samples_file.write(problem.home.samples, Samples(frame))
    return open_problem(problem.home)


def wavering_run(problem: Problem, name: str = "a", *, noise: float = 0.35) -> RunDir:
    """A run whose scores are the truth drawn to the middle, plus noise in every frame."""
    rng = np.random.default_rng(11)
    run = RunDir(problem.home.runs / name)

    def drawn(perfect: np.ndarray) -> np.ndarray:
        scores = 0.5 + 0.3 * (perfect - 0.5) + noise * rng.normal(size=perfect.shape)
        return np.clip(scores, 0.01, 0.99)

    ids, test = problem.train.ids, problem.test.ids
    shape = (NUM_TEST_TRACKS * 3, len(problem.columns))
    hidden = np.repeat(rng.integers(0, 2, shape), LENGTH // 3, axis=0)
    oof = Predictions(ids, drawn(problem.one_hot), problem.columns, folds=problem.folds)
    predictions_file.write(run.oof, oof)
    predictions_file.write(run.test, Predictions(test, drawn(hidden), problem.columns))
    record = {"kind": "outside", "has_folds": True, "notes": []}
    publish_json(run.record, record)
    return run


def shuffled(home: Home, seed: int) -> None:
    """Put the rows of `samples.parquet` into another order."""
    frame = samples_file.read(home.samples).frame
    order = np.random.default_rng(seed).permutation(len(frame))
    samples_file.write(home.samples, Samples(frame.iloc[order].reset_index(drop=True)))
