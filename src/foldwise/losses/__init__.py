"""Losses by name: functions of logits and target that give one number per row, or its terms."""

from foldwise.losses import multiclass, multilabel, ordinal, regression, segmentation
from foldwise.losses.terms import Loss

LOSSES: dict[str, Loss] = {
    **multiclass.LOSSES,
    **multilabel.LOSSES,
    **ordinal.LOSSES,
    **regression.LOSSES,
    **segmentation.LOSSES,
}
