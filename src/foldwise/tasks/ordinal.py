"""Ordinal grading: classes in order, scored by how far an answer is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit, softmax

from foldwise.decide.cuts import half_cuts, shrunk_cuts, to_common
from foldwise.decide.decision import Decision, Step
from foldwise.tables import Table
from foldwise.tasks.labels import class_indices, is_integer, natural_order
from foldwise.tasks.task import Evidence, Formulation, Guess, Task

_WORDS = ("grade", "grading", "severity", "stage", "level", "ordinal", "rating", "isup")

#: Plain numbers up to so many may well be grades; more are more likely class numbers.
_MOST_LIKELY_GRADES = 6


def _target(
    table: Table, columns: Sequence[str], classes: Sequence[str], separator: str | None
) -> np.ndarray:
    return class_indices(table, columns[0], classes)


def _decision(
    num_classes: int, train_share: np.ndarray | None, test_share: np.ndarray | None
) -> Decision:
    cuts = list(half_cuts(num_classes))
    return Decision((Step("cuts", {"values": cuts}, fitted=False),))


def _answers(
    answers: np.ndarray, classes: Sequence[str], num_columns: int, separator: str | None
) -> list[list[str]]:
    return [[classes[index] for index in answers]]


def _borders(target: np.ndarray, num_classes: int) -> np.ndarray:
    return (target[:, None] > np.arange(num_classes - 1)).astype(np.float32)


def _border_shares(scores: np.ndarray, num_classes: int) -> np.ndarray:
    """How far a grade between two has come over each border, such as 1.3 → 1, 0.3, 0."""
    return np.clip(scores - np.arange(num_classes - 1), 0.0, 1.0).astype(np.float32)


def _expectation(raw: np.ndarray, num_classes: int) -> np.ndarray:
    grade = raw @ np.arange(num_classes)
    return to_common(grade[:, None], half_cuts(num_classes), num_classes)


def _from_grade(raw: np.ndarray, num_classes: int) -> np.ndarray:
    return to_common(raw, shrunk_cuts(num_classes), num_classes)


def _from_borders(raw: np.ndarray, num_classes: int) -> np.ndarray:
    return to_common(raw.sum(axis=1, keepdims=True), shrunk_cuts(num_classes), num_classes)


def _from_chances(raw: np.ndarray, num_classes: int) -> np.ndarray:
    """Chances to be above each border that only fall: their sum is the expected grade."""
    return to_common(raw.sum(axis=1, keepdims=True), half_cuts(num_classes), num_classes)


def _chained(logits: np.ndarray) -> np.ndarray:
    """Chances given the border before → chances."""
    chances: np.ndarray = expit(logits).cumprod(axis=1)
    return chances


def _two_steps(logits: np.ndarray) -> np.ndarray:
    return np.concatenate([expit(logits[:, :1]), softmax(logits[:, 1:], axis=1)], axis=1)


def _from_two_steps(raw: np.ndarray, num_classes: int) -> np.ndarray:
    """The expected grade of both steps: it moves evenly, so views and folds can be averaged."""
    grade = raw[:, :1] * (raw[:, 1:] @ np.arange(1, num_classes))[:, None]
    return to_common(grade, half_cuts(num_classes), num_classes)


def _recognise(evidence: Evidence) -> Guess | None:
    if len(evidence.targets) != 1 or len(evidence.asked) > 1:
        return None
    column, cells = next(iter(evidence.targets.items()))
    classes = natural_order(cells)
    if not all(is_integer(name) for name in classes) or not 3 <= len(classes) <= 20:
        return None
    if [int(name) for name in classes] != list(range(int(classes[0]), int(classes[-1]) + 1)):
        return None
    if evidence.metric == "qwk":
        return Guess(
            0.97, "whole grades scored by quadratic weighted kappa", classes, "qwk", "answers"
        )
    word = next((word for word in _WORDS if word in column.lower()), None)
    named = "" if word is None else f" in a column named like a {word}"
    # Whole numbers alone are more often plain classes; few of them may well be grades.
    is_open = evidence.metric is None and len(classes) <= _MOST_LIKELY_GRADES
    return Guess(
        0.8 if word is not None else 0.58 if is_open else 0.3,
        f"whole numbers {classes[0]}-{classes[-1]}{named}",
        classes,
        "qwk",
        "answers",
    )


_PLAIN_LOSSES = ("cross_entropy", "focal", "poly1", "symmetric_cross_entropy")
_EXPECTATION = Formulation(
    num_outputs=lambda num_classes: num_classes,
    encode=lambda target, num_classes: target,
    activate=lambda logits: softmax(logits, axis=1),
    raw_columns=lambda classes: tuple(f"grade {name}" for name in classes),
    to_common=_expectation,
    loss="expectation",
    losses=("expectation", *_PLAIN_LOSSES, "squared_emd", "soft_kappa"),
    solver="softmax",
)
_BORDERS = Formulation(
    num_outputs=lambda num_classes: num_classes - 1,
    encode=_borders,
    activate=expit,
    raw_columns=lambda classes: tuple(f"above {name}" for name in classes[:-1]),
    to_common=_from_borders,
    loss="bce",
    losses=("bce", "binary_focal"),
    solver="sigmoid",
    soften=_border_shares,
)

TASK = Task(
    name="ordinal",
    formulations={
        "expectation": _EXPECTATION,
        "borders": _BORDERS,
        "regression": Formulation(
            num_outputs=lambda num_classes: 1,
            encode=lambda target, num_classes: target.astype(np.float32)[:, None],
            activate=lambda logits: logits,
            raw_columns=lambda classes: ("grade",),
            to_common=_from_grade,
            loss="mse",
            losses=("mse", "smooth_l1", "huber"),
            solver="linear",
            soften=lambda scores, num_classes: scores.astype(np.float32),
        ),
        "classes": replace(
            _EXPECTATION, loss="cross_entropy", losses=_PLAIN_LOSSES, is_proposed=False
        ),
        "two_step": Formulation(
            num_outputs=lambda num_classes: num_classes,
            encode=lambda target, num_classes: target,
            activate=_two_steps,
            raw_columns=lambda classes: (
                f"above {classes[0]}",
                *(f"grade {name} if above {classes[0]}" for name in classes[1:]),
            ),
            to_common=_from_two_steps,
            loss="two_step",
            losses=("two_step",),
            solver="two_step",
            is_proposed=False,
        ),
        "coral": replace(
            _BORDERS,
            to_common=_from_chances,
            solver="shared",
            unmixable="one number an image and borders that all images share, at which none can "
            "be half of one grade and half of another",
            shares_weights=True,
            is_proposed=False,
        ),
        "corn": replace(
            _BORDERS,
            activate=_chained,
            to_common=_from_chances,
            loss="corn",
            losses=("corn",),
            solver="conditional",
            is_proposed=False,
        ),
    },
    columns=lambda classes, targets: ("grade",),
    target=_target,
    strata=lambda target: target,
    one_hot=lambda target, num_classes: target.astype(np.float64)[:, None],
    decision=_decision,
    answers=_answers,
    recognise=_recognise,
    metrics=("qwk", "mae", "accuracy", "rmse", "balanced_accuracy", "macro_f1"),
)
