"""Multilabel: any number of several labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from foldwise.decide.decision import Decision, Step
from foldwise.tables import Table
from foldwise.tasks.labels import flag_rows, flags, natural_order, several_indices
from foldwise.tasks.task import Evidence, Formulation, Guess, Task

_SEPARATORS = (" ", "|", ";", ",")


def _target(
    table: Table, columns: Sequence[str], classes: Sequence[str], separator: str | None
) -> np.ndarray:
    if separator is not None:
        return several_indices(table, columns[0], classes, separator)
    return np.stack([flags(table, column) for column in columns], axis=1)


def _decision(
    num_classes: int, train_share: np.ndarray | None, test_share: np.ndarray | None
) -> Decision:
    return Decision((Step("thresholds", {"values": 0.5}, fitted=False),))


def _answers(
    answers: np.ndarray, classes: Sequence[str], num_columns: int, separator: str | None
) -> list[list[str]]:
    if separator is not None:
        return [
            [separator.join(n for n, on in zip(classes, row, strict=True) if on) for row in answers]
        ]
    return [[str(int(flag)) for flag in column] for column in answers.T]


def _recognise(evidence: Evidence) -> Guess | None:
    if len(evidence.targets) > 1:
        return _from_columns(evidence)
    if len(evidence.targets) == 1:
        return _from_cells(evidence)
    return None


def _from_columns(evidence: Evidence) -> Guess | None:
    rows = flag_rows(evidence.targets)
    if rows is None:
        return None
    sums = rows.sum(axis=1)
    is_exclusive = bool((sums == 1).all())
    shown = {cell for column in evidence.asked.values() for cell in column}
    scores = not shown <= {"0", "1"}
    return Guess(
        0.3 if is_exclusive else 0.95,  # One 1 in every row: rather one class per image.
        f"{rows.shape[1]} columns of 0 and 1, {sums.mean():.2f} ones per row",
        tuple(evidence.targets),
        "mean_average_precision" if scores else "macro_f1",
        "scores" if scores else "answers",
    )


def _from_cells(evidence: Evidence) -> Guess | None:
    cells = next(iter(evidence.targets.values()))
    for separator in _SEPARATORS:
        parts = [[p for p in cell.split(separator) if p] for cell in cells]
        classes = natural_order([label for labels in parts for label in labels])
        several = sum(len(labels) > 1 for labels in parts)
        single = {labels[0] for labels in parts if len(labels) == 1}
        # Names of several words split too; labels that also stand alone tell them apart.
        if several and 1 < len(classes) <= len(cells) // 4 and len(single) >= len(classes) / 2:
            return Guess(
                0.95,
                f"{several} cells hold several labels, split by {separator!r}",
                classes,
                "macro_f1",
                "scores" if set(evidence.asked) == set(classes) else "answers",
                separator=separator,
            )
    return None


TASK = Task(
    name="multilabel",
    formulations={
        "sigmoid": Formulation(
            num_outputs=lambda num_classes: num_classes,
            encode=lambda target, num_classes: target.astype(np.float32),
            activate=expit,
            raw_columns=tuple,
            to_common=lambda raw, num_classes: raw,
            loss="bce",
            losses=("bce", "binary_focal", "asymmetric"),
            solver="sigmoid",
            prior=False,
            soften=lambda scores, num_classes: scores.astype(np.float32),
        ),
    },
    columns=lambda classes, targets: tuple(classes),
    target=_target,
    strata=lambda target: target,
    one_hot=lambda target, num_classes: target.astype(np.float64),
    decision=_decision,
    answers=_answers,
    recognise=_recognise,
    # An answer to all labels is as sure as the least sure of them.
    certainty=lambda scores: np.maximum(scores, 1.0 - scores).min(axis=1),
    metrics=("mean_average_precision", "macro_f1", "roc_auc", "log_loss", "accuracy"),
    one_of_classes=False,
)
