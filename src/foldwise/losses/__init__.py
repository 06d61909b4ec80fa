"""Losses by name: functions of logits and target that give one number per row, or its terms."""

from collections.abc import Callable

from foldwise.losses import multiclass, multilabel, ordinal, regression
from foldwise.losses.terms import Losses

LOSSES: dict[str, Callable[..., Losses]] = {
    **multiclass.LOSSES,
    **multilabel.LOSSES,
    **ordinal.LOSSES,
    **regression.LOSSES,
}
