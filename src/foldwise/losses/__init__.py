"""Losses by name: functions of logits and target that give one number per row."""

from foldwise.losses import multiclass, multilabel, ordinal, regression

LOSSES = {
    **multiclass.LOSSES,
    **multilabel.LOSSES,
    **ordinal.LOSSES,
    **regression.LOSSES,
}
