"""Multiclass: exactly one of several classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from foldwise.decide.decision import Decision, Step
from foldwise.tasks.labels import class_indices, natural_order
from foldwise.tasks.task import Evidence, Formulation, Guess, Task


def _target(
    cells: Sequence[Sequence[str]], classes: Sequence[str], separator: str | None
) -> np.ndarray:
    return class_indices(cells[0], classes, column="label")


def _one_hot(target: np.ndarray, num_classes: int) -> np.ndarray:
    rows: np.ndarray = np.eye(num_classes)[target]
    return rows


def _decision(
    num_classes: int, train_share: np.ndarray | None, test_share: np.ndarray | None
) -> Decision:
    decide = Step("argmax", {}, fitted=False)
    if train_share is None or test_share is None or np.allclose(train_share, test_share):
        return Decision((decide,))
    shares = {"train": train_share.tolist(), "test": test_share.tolist()}
    return Decision((Step("prior_shift", shares, fitted=False), decide))


def _answers(
    answers: np.ndarray, classes: Sequence[str], num_columns: int, separator: str | None
) -> list[list[str]]:
    return [[classes[index] for index in answers]]


def _recognise(evidence: Evidence) -> Guess | None:
    if len(evidence.targets) != 1:
        return None
    cells = next(iter(evidence.targets.values()))
    classes = natural_order(cells)
    asked = tuple(evidence.asked)
    if set(asked) == set(classes) and len(asked) > 1:
        return Guess(
            0.95, "the sample submission has a column per class", asked, "log_loss", "scores"
        )
    if len(classes) < 2 or len(classes) > max(2, len(cells) // 2):
        return None
    binary = len(classes) == 2
    shown = {cell for column in evidence.asked.values() for cell in column}
    if binary and shown and not shown <= set(classes):
        return Guess(
            0.8,
            f"two classes, and the sample submission shows a score ({sorted(shown)[0]})",
            classes,
            "roc_auc",
            "scores",
            columns={asked[0]: classes[1]},
        )
    words = all(not name.lstrip("-").replace(".", "").isdigit() for name in classes)
    confidence = 0.9 if words or binary else 0.65
    return Guess(
        confidence, f"one label per image, {len(classes)} classes", classes, "accuracy", "answers"
    )


TASK = Task(
    name="multiclass",
    formulations={
        "softmax": Formulation(
            num_outputs=lambda num_classes: num_classes,
            encode=lambda target, num_classes: target,
            activate=lambda logits: softmax(logits, axis=1),
            raw_columns=tuple,
            to_common=lambda raw, num_classes: raw,
            loss="cross_entropy",
            losses=("cross_entropy",),
            solver="softmax",
            prior=True,
        ),
    },
    columns=lambda classes, targets: tuple(classes),
    target=_target,
    strata=lambda target: target,
    one_hot=_one_hot,
    decision=_decision,
    answers=_answers,
    recognise=_recognise,
    metrics=("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"),
)
