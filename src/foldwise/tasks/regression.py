"""Regression: one number per image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foldwise.decide.decision import Decision, Step
from foldwise.tasks.labels import is_number, numbers
from foldwise.tasks.task import Evidence, Formulation, Guess, Task


def _target(
    cells: Sequence[Sequence[str]], classes: Sequence[str], separator: str | None
) -> np.ndarray:
    return numbers(cells[0], column="target")


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
    if not all(is_number(cell) for cell in cells):
        return None
    distinct = len(set(cells))
    fractions = any(float(cell) != int(float(cell)) for cell in cells)
    if evidence.metric in ("mae", "rmse") or (fractions and distinct > 20):
        return Guess(0.9, f"numbers, {distinct} different ones", (), "rmse", "answers")
    confidence = 0.7 if distinct > 50 else 0.2
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
            losses=("mse", "smooth_l1"),
            solver="linear",
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
