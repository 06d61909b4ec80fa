"""Regression: one number per image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foldwise.decide.decision import Decision, Step
from foldwise.tables import Table, floats, is_number
from foldwise.tasks.task import Evidence, Formulation, Guess, Task

#: Words among so many numbers are mistakes, which reading the target names.
_MOST = 0.9
#: More different whole numbers than this are rather measured than classes.
_MANY = 50


def _target(
    table: Table, columns: Sequence[str], classes: Sequence[str], separator: str | None
) -> np.ndarray:
    return floats(table, columns[0])


def _decision(
    num_classes: int, train_share: np.ndarray | None, test_share: np.ndarray | None
) -> Decision:
    return Decision((Step("value", {}, fitted=False),))


def _answers(
    answers: np.ndarray, classes: Sequence[str], num_columns: int, separator: str | None
) -> list[list[str]]:
    return [[repr(round(float(value), 6)) for value in answers]]


def _recognise(evidence: Evidence) -> Guess | None:
    if len(evidence.targets) != 1:
        return None
    cells = next(iter(evidence.targets.values()))
    numbers = [float(cell) for cell in cells if is_number(cell)]
    if not numbers or len(numbers) < _MOST * len(cells):
        return None
    distinct = len(set(numbers))
    fractions = any(number != int(number) for number in numbers)
    if evidence.metric in ("mae", "rmse") or (fractions and distinct > 20):
        return Guess(0.9, f"numbers, {distinct} different ones", (), "rmse", "answers")
    confidence = 0.7 if distinct > _MANY else 0.2
    return Guess(confidence, f"whole numbers, {distinct} different ones", (), "rmse", "answers")


TASK = Task(
    name="regression",
    formulations={
        "value": Formulation(
            num_outputs=lambda num_classes: 1,
            encode=lambda target, num_classes: target.astype(np.float32)[:, None],
            activate=lambda logits: logits,
            raw_columns=lambda classes: ("value",),
            to_common=lambda raw, num_classes: raw,
            loss="mse",
            losses=("mse", "smooth_l1", "huber"),
            solver="linear",
            soften=lambda scores, num_classes: scores.astype(np.float32),
        ),
    },
    columns=lambda classes, targets: ("value",),
    target=_target,
    strata=lambda target: target,
    one_hot=lambda target, num_classes: target[:, None],
    decision=_decision,
    answers=_answers,
    recognise=_recognise,
    metrics=("rmse", "mae"),
    has_classes=False,
    one_of_classes=False,
)
