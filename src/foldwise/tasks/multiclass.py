"""Multiclass: exactly one of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import expit, softmax

from foldwise.csv_files import limited
from foldwise.decide.decision import Decision, Step
from foldwise.errors import DataError
from foldwise.metrics import METRICS
from foldwise.tables import Table
from foldwise.tasks.labels import class_indices, flag_rows, flags, natural_order, whole
from foldwise.tasks.task import Evidence, Formulation, Guess, Task


def _target(
    table: Table, columns: Sequence[str], classes: Sequence[str], separator: str | None
) -> np.ndarray:
    if len(columns) == 1:
        return class_indices(table, columns[0], classes)
    rows = np.stack([flags(table, column) for column in columns], axis=1)
    wrong = np.flatnonzero(rows.sum(axis=1) != 1)
    if len(wrong):
        problems = [
            f"{table.at(row)}: columns {', '.join(columns)}: found {rows[row].sum()} ones, wanted "
            "one 1 and else 0"
            for row in wrong.tolist()
        ]
        raise DataError(*limited(problems))
    index: np.ndarray = rows.argmax(axis=1)
    return index


def _one_hot(target: np.ndarray, num_classes: int) -> np.ndarray:
    rows: np.ndarray = np.eye(num_classes)[target]
    return rows


def _normalised(raw: np.ndarray, num_classes: int) -> np.ndarray:
    """Each class's own probability over their sum.

    Trained against all others, each is right by itself where the classes exclude each other, and
    they sum to about 1. A softmax of the logits, which is the chance of a class given that just
    one of independent answers is yes, would count that knowledge twice and be too sure.
    """
    total = raw.sum(axis=1, keepdims=True)
    even = np.full_like(raw, 1.0 / num_classes)
    normalised: np.ndarray = np.divide(raw, total, out=even, where=total > 0)
    return normalised


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
    if num_columns > 1:
        return [[str(int(index == column)) for index in answers] for column in range(num_columns)]
    return [[classes[index] for index in answers]]


def _recognise(evidence: Evidence) -> Guess | None:
    if len(evidence.targets) > 1:
        return _from_columns(evidence)
    cells = next(iter(evidence.targets.values()), ())
    classes = natural_order(cells)
    asked = tuple(evidence.asked)
    if set(asked) == set(classes) and len(asked) > 1:
        return Guess(
            0.95, "the sample submission has a column per class", asked, "log_loss", "scores"
        )
    if len(classes) < 2 or len(classes) > max(2, len(cells) // 2):
        return None
    binary = len(classes) == 2
    if binary and len(asked) == 1 and (why := _asks_for_a_score(evidence, classes)):
        reason = f"two classes, and {why}"
        return Guess(0.9, reason, classes, "roc_auc", "scores", columns={asked[0]: classes[1]})
    words = all(not name.lstrip("-").replace(".", "").isdigit() for name in classes)
    confidence = 0.8 if words or binary else 0.65
    return Guess(
        confidence, f"one label per image, {len(classes)} classes", classes, "accuracy", "answers"
    )


def _asks_for_a_score(evidence: Evidence, classes: Sequence[str]) -> str | None:
    """What says that one column takes the second class's probability."""
    shown = {whole(cell) for column in evidence.asked.values() for cell in column}
    strange = sorted(shown - set(classes))
    if strange:
        return f"the sample submission shows a score ({strange[0]})"
    if evidence.metric in METRICS and METRICS[evidence.metric].takes == "scores":
        return f"{METRICS[evidence.metric].label} takes scores"
    return None


def _from_columns(evidence: Evidence) -> Guess | None:
    """A column of 0 and 1 for each class, one 1 in every row."""
    rows = flag_rows(evidence.targets)
    if rows is None or not (rows.sum(axis=1) == 1).all():
        return None
    shown = {cell for column in evidence.asked.values() for cell in column}
    takes_scores = evidence.metric in METRICS and METRICS[evidence.metric].takes == "scores"
    gives: Literal["answers", "scores"] = (
        "scores" if takes_scores or not shown <= {"0", "1"} else "answers"
    )
    return Guess(
        0.95,
        f"{rows.shape[1]} columns of 0 and 1, one 1 in every row",
        tuple(evidence.targets),
        "log_loss" if gives == "scores" else "accuracy",
        gives,
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
            losses=("cross_entropy", "focal", "poly1", "symmetric_cross_entropy"),
            solver="softmax",
            prior=True,
            soften=lambda scores, num_classes: _normalised(scores, num_classes).astype(np.float32),
        ),
        "sigmoid": Formulation(
            num_outputs=lambda num_classes: num_classes,
            encode=lambda target, num_classes: _one_hot(target, num_classes).astype(np.float32),
            activate=expit,
            raw_columns=tuple,
            to_common=_normalised,
            loss="bce",
            losses=("bce", "binary_focal", "asymmetric"),
            solver="sigmoid",
            soften=lambda scores, num_classes: scores.astype(np.float32),
            is_proposed=False,
        ),
        "affinity": Formulation(
            num_outputs=lambda num_classes: num_classes,
            encode=lambda target, num_classes: target,
            # Similarities over their sum, and no division by 0 far from all prototypes.
            activate=lambda logits: softmax(logits, axis=1),
            raw_columns=tuple,
            to_common=lambda raw, num_classes: raw,
            loss="affinity",
            losses=("affinity",),
            solver=None,
            soften=lambda scores, num_classes: _normalised(scores, num_classes).astype(np.float32),
            has_prototypes=True,
            is_proposed=False,
        ),
    },
    columns=lambda classes, targets: tuple(classes),
    target=_target,
    strata=lambda target: target,
    one_hot=_one_hot,
    decision=_decision,
    answers=_answers,
    recognise=_recognise,
    certainty=lambda scores: scores.max(axis=1),
    metrics=("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"),
)
