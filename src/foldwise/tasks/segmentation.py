"""Segmentation: for each class the pixels that show it, overlapping or each pixel of one class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from scipy.special import expit, softmax

from foldwise.decide.decision import Decision, Step
from foldwise.masks.of_samples import Masks
from foldwise.tables import Table
from foldwise.tasks.task import Evidence, Formulation, Guess, Task


def _from_table(
    table: Table, columns: Sequence[str], classes: Sequence[str], separator: str | None
) -> NoReturn:
    raise AssertionError("masks are read by `prepare`, which keeps them")


def _decision(
    num_classes: int, train_share: np.ndarray | None, test_share: np.ndarray | None
) -> Decision:
    return Decision((Step("masks", {"thresholds": 0.5, "smallest_areas": 0}, fitted=False),))


def _recognise(evidence: Evidence) -> Guess | None:
    seen = evidence.masks
    if seen is None:
        return None
    kind = "each pixel is of one class" if seen.is_exclusive else "classes may overlap"
    return Guess(
        0.97 if seen.is_asked else 0.3,
        f"{seen.reason}; {kind}",
        seen.classes,
        "mean_iou" if seen.is_exclusive else "mean_dice",
        "answers",
        formulations=("softmax",) if seen.is_exclusive else ("sigmoid",),
    )


def _present(target: Masks) -> np.ndarray:
    return target.present


TASK = Task(
    name="segmentation",
    formulations={
        "sigmoid": Formulation(
            num_outputs=lambda num_classes: num_classes,
            encode=lambda target, num_classes: target.present.astype(np.float32),
            activate=expit,
            raw_columns=tuple,
            to_common=lambda raw, num_classes: raw,
            loss="mask_bce",
            losses=(
                *("mask_bce", "mask_dice", "mask_focal", "tversky", "focal_tversky"),
                *("lovasz", "boundary"),
            ),
            solver=None,
        ),
        "softmax": Formulation(
            num_outputs=lambda num_classes: num_classes,
            encode=lambda target, num_classes: target.present.astype(np.float32),
            activate=lambda logits: softmax(logits, axis=1),
            raw_columns=tuple,
            to_common=lambda raw, num_classes: raw,
            loss="mask_cross_entropy",
            losses=(
                *("mask_cross_entropy", "mask_dice", "mask_focal", "tversky", "focal_tversky"),
                *("lovasz", "boundary"),
            ),
            solver=None,
            is_exclusive=True,
        ),
    },
    columns=lambda classes, targets: tuple(classes),
    target=_from_table,
    strata=_present,
    one_hot=lambda target, num_classes: target.present.astype(np.float64),
    decision=_decision,
    answers=lambda answers, classes, num_columns, separator: [],
    recognise=_recognise,
    metrics=(
        *("mean_dice", "dice_nonempty", "headroom_share", "mean_iou", "mean_iou_per_image"),
        *("pixel_accuracy", "boundary_f"),
    ),
    one_of_classes=False,
    kind="map",
)
