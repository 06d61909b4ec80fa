"""A recipe-like tree of sections that the tests of `config` load."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from foldwise.config.section import Part, Section


class ModelTree(Section):
    """The network."""

    name: Annotated[str, Field(description="Its name.")]
    pretrained: Annotated[bool | str, Field(description="Weights.")] = False
    drop: Annotated[float, Field(ge=0, lt=1, description="Dropout.")] = 0.0
    options: Annotated[dict[str, Any], Field(default_factory=dict, description="Options.")]


class InputTree(Section):
    """What the network is fed."""

    size: Annotated[int, Field(ge=8, description="Side in pixels.")] = 224
    fit: Annotated[Literal["stretch", "pad"], Field(description="Shape rule.")] = "stretch"
    mean: Annotated[tuple[float, float, float], Field(description="Mean.")] = (0.5, 0.5, 0.5)


class StageTree(Section):
    """One stage."""

    epochs: Annotated[int, Field(ge=1, description="Epochs.")]
    trainable: Annotated[
        Literal["head", "all"] | dict[Literal["last"], int], Field(description="What trains.")
    ] = "all"
    start_lr: Annotated[float, Field(ge=0, description="First rate.")] = 0.0


class TrainTree(Section):
    """How a unit is trained."""

    epochs: Annotated[int, Field(ge=1, description="Passes.")] = 20
    batch_size: Annotated[int, Field(ge=1, le=4096, description="Images per step.")] = 32
    learning_rate: Annotated[float, Field(gt=0, description="Peak rate.")] = 3e-4
    warmup_epochs: Annotated[int, Field(ge=0, description="Warm-up.")] = 0
    weight_decay: Annotated[float, Field(ge=0, description="Decay.")] = 0.01
    optimizer: Annotated[Part, Field(description="Optimiser.")] = "adamw"
    ema: Annotated[float | None, Field(gt=0, lt=1, description="Average.")] = None
    average_last: Annotated[int, Field(ge=0, description="Average of epochs.")] = 0
    stages: Annotated[tuple[StageTree, ...], Field(description="Stages.")] = ()
    deterministic: Annotated[bool, Field(description="Same bits again.")] = True
    until: Annotated[str | None, Field(description="Time of day.")] = None

    @model_validator(mode="after")
    def _one_average(self) -> TrainTree:
        if self.ema is not None and self.average_last:
            raise ValueError("ema and average_last are two ways to average; choose one")
        return self


class Tree(Section):
    """The whole file."""

    title: Annotated[str, Field(description="Shown in the report.")] = "untitled"
    model: Annotated[ModelTree, Field(description="The network.")]
    input: Annotated[InputTree, Field(description="What it is fed.")] = InputTree()
    loss: Annotated[Part | None, Field(description="Loss.")] = None
    augment: Annotated[tuple[Part, ...], Field(description="Augmentations.")] = ()
    classes: Annotated[tuple[str, ...], Field(description="Class names.")] = ()
    prior: Annotated[
        Literal["train", "balanced"] | dict[str, float], Field(description="Class shares.")
    ] = "train"
    train: Annotated[TrainTree, Field(description="How it is trained.")] = TrainTree()
    folds: Annotated[Literal["all"] | tuple[int, ...], Field(description="Folds.")] = "all"
    deadline: Annotated[AwareDatetime | None, Field(description="End.")] = None
    blends: Annotated[dict[str, StageTree], Field(default_factory=dict, description="Blends.")]
