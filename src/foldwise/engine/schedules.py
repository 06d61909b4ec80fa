"""From the schedule of a recipe to the stages of a training."""

from __future__ import annotations

from foldwise import parts
from foldwise.config.training import TrainConfig
from foldwise.optim.presets import PRESETS
from foldwise.optim.schedule import Stage
from foldwise.parts import name_of


def stages_of(train: TrainConfig) -> tuple[Stage, ...]:
    """The stages that a recipe asks for; none where only the solved head is wanted."""
    schedule = train.schedule
    if schedule.stages:
        return tuple(
            Stage(s.epochs, s.trainable, s.start_lr, s.end_lr, s.shape, s.size, s.augment)
            for s in schedule.stages
        )
    if train.epochs == 0:
        return ()
    preset = parts.bind(PRESETS, schedule.preset, what="schedule preset")
    is_staged = name_of(schedule.preset) == "staged"
    own = {"head": schedule.head, "hold": schedule.hold} if is_staged else {}
    stages: tuple[Stage, ...] = preset(
        train.epochs, schedule.warmup, train.lr, train.min_lr, train.trainable, **own
    )
    return stages
