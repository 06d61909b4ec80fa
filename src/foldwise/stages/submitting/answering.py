"""The test scores that are decided: all fold models' mean, or each fold's by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.blending.members import votes
from foldwise.decide.decision import Decision
from foldwise.decide.timeline import Timeline
from foldwise.json_files import read_json
from foldwise.masks.of_samples import Masks
from foldwise.predictions import Predictions
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import HeldOut, ordered_columns, run_label
from foldwise.tasks.problem import Problem
from foldwise.tasks.task import merge


@dataclass(frozen=True)
class Part:
    """Test scores and the decision for them.

    Attributes:
        test: columns in the problem's order.
        decision: from scores to answers.
    """

    test: Predictions
    decision: Decision


def read_parts(problem: Problem, run: RunDir) -> list[Part]:
    """What a run's test answers are made of, as `submission.test_merge` says.

    For `per_fold_decision` a part per fold: the scores of that fold's models, where the run has
    some of its own (a blend has not: its scores are decided once per fold), under the decision
    that was fitted without that fold.
    """
    held = read_decided(problem, run)
    name = f"{run_label(problem.home, run)} (test)"
    whole = _ordered(problem, predictions_file.read(run.test), name)
    if problem.competition.submission.test_merge == "mean_score":
        return [Part(whole, held.decision)]
    found = _of_folds(problem, run, name)
    return [Part(found.get(fold, whole), held.without(fold)) for fold in _folds(held)]


def merged_answers(
    problem: Problem,
    scores: Sequence[np.ndarray],
    decisions: Sequence[Decision],
    timeline: Timeline | None = None,
) -> Any:
    """The answers of all parts together: a vote for classes, the mean for grades and numbers.

    Args:
        problem: says how the mean of answers becomes an answer: as the mean of scores does.
        scores: (N, C) of each part, of the same rows.
        decisions: of each part.
        timeline: where the rows stand in time, where steps over time are asked for.

    Returns:
        (N,) or (N, C); of classes with as many votes the one with the higher mean score.
    """
    if len(scores) == 1:
        return decisions[0].answers(scores[0], timeline)
    num_columns = scores[0].shape[1]
    answers = [d.answers(s, timeline) for d, s in zip(decisions, scores, strict=True)]
    shares = np.mean([votes(part, num_columns) for part in answers], axis=0)
    if num_columns > 1:
        # Less than any difference between shares of votes.
        mean = np.mean(scores, axis=0)
        shares = shares + 1e-6 * (mean - 0.5) / max(1.0, float(np.abs(mean).max()))
    return Decision(problem.default_decision().steps[-1:]).answers(shares)


def merged_masks(problem: Problem, parts: Sequence[Part], *, name: str) -> Masks:
    """The masks of all test samples, in the order of `problem.test`.

    Args:
        problem: with its test rows.
        parts: one: of masks there is no vote.
        name: the run's, for messages.

    Raises:
        RunError: samples have no prediction.
    """
    (part,) = parts
    answers: Masks = part.decision.answers(part.test.align(problem.test.ids, name=name).scores)
    return answers


def _of_folds(problem: Problem, run: RunDir, name: str) -> dict[int, Predictions]:
    """Fold → the mean of its models' test scores; none where one model was refitted on all."""
    by_fold: dict[int, list[Predictions]] = {}
    for name_of_unit in read_json(run.path / "merged.json") or {}:
        unit = UnitDir(run.path / "units" / name_of_unit)
        part, _ = unit.name.split("-seed")
        if not part.startswith("fold") or not unit.test.exists():
            return {}
        by_fold.setdefault(int(part.removeprefix("fold")), []).append(
            _ordered(problem, predictions_file.read(unit.test), name)
        )
    return {fold: merge(found) for fold, found in by_fold.items()}


def _ordered(problem: Problem, test: Predictions, name: str) -> Predictions:
    return ordered_columns(test, problem.columns, name=name)


def _folds(held: HeldOut) -> list[int]:
    return [int(fold) for fold in np.unique(held.folds)]
