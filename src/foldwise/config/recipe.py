"""`recipes/<name>.yaml`: how one model is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import AfterValidator, Field, model_validator

from foldwise.config.duration import Duration
from foldwise.config.section import Part, Section, distinct


class MultiSampleConfig(Section):
    """Multi-sample dropout before the head."""

    samples: Annotated[int, Field(ge=2, le=64, description="Dropped copies of the features.")] = 5
    p: Annotated[float, Field(gt=0, lt=1, description="Share left out of each copy.")] = 0.5


class BranchConfig(Section):
    """A branch of the network."""

    name: Annotated[
        Literal["attention"],
        Field(description="attention: a side classifier whose map weighs the network's last one."),
    ] = "attention"
    weight: Annotated[
        float, Field(gt=0, description="Weight of the branch's own loss beside the network's.")
    ] = 1.0


class ShallowConfig(Section):
    """A stream at full resolution beside the network."""

    width: Annotated[
        int, Field(ge=4, le=512, description="Channels, and features it adds to the network's.")
    ] = 16
    depth: Annotated[int, Field(ge=1, le=8, description="Convolutions.")] = 2


class AuxiliaryConfig(Section):
    """A further label that helps to learn the one asked for."""

    column: Annotated[str, Field(description="Column of the train table; test need not have it.")]
    task: Annotated[
        Literal["classes", "number"], Field(description="What the column holds, one for each row.")
    ]
    weight: Annotated[
        float, Field(gt=0, description="Weight of its loss beside the one of the label.")
    ] = 0.3


class ModelConfig(Section):
    """The network."""

    name: Annotated[str, Field(description="timm network, own small one, or module:attribute.")]
    pretrained: Annotated[
        bool | str,
        Field(
            description="false; true: from the hub; a local file; or package:NAME for weights "
            "that an installed package ships."
        ),
    ] = False
    drop: Annotated[float, Field(ge=0, lt=1, description="Dropout before the head.")] = 0.0
    drop_path: Annotated[float, Field(ge=0, lt=1, description="Stochastic depth.")] = 0.0
    options: Annotated[dict[str, Any], Field(description="Further options of the network.")] = {}
    pool: Annotated[
        Part | None,
        Field(
            description="How the last map becomes features: avg, max, avgmax, gem, attention; "
            "null: as the network does it."
        ),
    ] = None
    multi_sample_dropout: Annotated[
        MultiSampleConfig | None,
        Field(description="The head trains on several dropped copies of the features."),
    ] = None
    branch: Annotated[
        BranchConfig | None, Field(description="A branch that looks at the last map.")
    ] = None
    shallow: Annotated[
        ShallowConfig | None,
        Field(description="A shallow stream whose features join the network's before the head."),
    ] = None
    columns: Annotated[
        tuple[Part, ...],
        Field(
            description="Columns of train and test whose values join the features: `age`, or "
            "{name: site, kind: category}; kind: auto, number or category."
        ),
    ] = ()


class InputConfig(Section):
    """What the network is fed."""

    size: Annotated[int, Field(ge=8, le=4096, description="Side of the input, in pixels.")] = 224
    zoom: Annotated[
        float, Field(ge=1, le=4, description="Cached size over input size; room for crops.")
    ] = 1.15
    fit: Annotated[
        Literal["stretch", "pad", "shorter_side"],
        Field(description="How an image of another shape becomes square."),
    ] = "stretch"
    channels: Annotated[int, Field(ge=1, le=64, description="Input channels.")] = 3
    steps: Annotated[
        tuple[Part, ...], Field(description="Steps before resizing: crop_border, ben, grey.")
    ] = ()
    store: Annotated[
        Literal["auto", "raw", "jpeg", "none"],
        Field(description="How the cache keeps images; auto: raw if the disk allows."),
    ] = "auto"


class StageConfig(Section):
    """One stage of a staged schedule."""

    epochs: Annotated[int, Field(ge=1, description="Epochs of this stage.")]
    trainable: Annotated[
        Literal["head", "all"] | dict[Literal["last"], int],
        Field(description="head, all, or {last: n} blocks and the head."),
    ] = "all"
    start_lr: Annotated[float, Field(ge=0, description="Rate at the first step.")]
    end_lr: Annotated[float, Field(ge=0, description="Rate at the last step.")]
    shape: Annotated[
        Literal["linear", "cosine", "constant"], Field(description="Course between the two.")
    ] = "linear"


class ScheduleConfig(Section):
    """The course of the learning rate."""

    preset: Annotated[
        Literal["cosine", "staged"],
        Field(description="cosine: warm-up, then cosine; staged: head, warm-up, hold, cool-down."),
    ] = "cosine"
    warmup: Annotated[int, Field(ge=0, description="Epochs of warm-up.")] = 0
    head: Annotated[int, Field(ge=0, description="Epochs that train the head only (staged).")] = 0
    hold: Annotated[int, Field(ge=0, description="Epochs at the peak rate (staged).")] = 0
    stages: Annotated[
        tuple[StageConfig, ...], Field(description="Own stages; replaces the preset and epochs.")
    ] = ()


class TrainConfig(Section):
    """How one unit is trained."""

    epochs: Annotated[
        int, Field(ge=0, description="Passes over the training rows; 0: the solved head alone.")
    ] = 10
    batch: Annotated[int, Field(ge=1, description="Images per optimiser step.")] = 32
    accumulate: Annotated[
        int, Field(ge=1, description="Parts a batch is cut into, to save memory.")
    ] = 1
    lr: Annotated[float, Field(gt=0, description="Peak learning rate.")] = 3e-4
    min_lr: Annotated[float, Field(ge=0, description="Last learning rate.")] = 0.0
    schedule: Annotated[ScheduleConfig, Field(description="Course of the rate.")] = ScheduleConfig()
    trainable: Annotated[
        Literal["head", "all"] | dict[Literal["last"], int],
        Field(description="What trains outside head stages: head, all, or {last: n} blocks."),
    ] = "all"
    norm: Annotated[
        Literal["train", "frozen"],
        Field(description="Whether batch-norm statistics follow the training images."),
    ] = "train"
    optimizer: Annotated[Part, Field(description="Any optimiser of timm by name.")] = "adamw"
    weight_decay: Annotated[float, Field(ge=0, description="Decay of weights.")] = 0.01
    clip: Annotated[float | None, Field(gt=0, description="Largest gradient norm.")] = None
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Field(description="auto: bf16 on a GPU that has it, else fp32."),
    ] = "auto"
    layout: Annotated[
        Literal["auto", "channels_last", "channels_first"],
        Field(
            description="How images and weights lie in memory; auto: the faster one in a short "
            "trial, which is kept in the cache and recorded in the unit."
        ),
    ] = "auto"
    ema: Annotated[
        float | None, Field(gt=0, lt=1, description="Decay of the moving average of weights.")
    ] = None
    average_last: Annotated[
        int, Field(ge=0, description="Final weights: mean over this many last epochs; 0: last.")
    ] = 0
    head_start: Annotated[
        bool,
        Field(description="Start a pretrained network's head from the solution on its features."),
    ] = True
    stop: Annotated[
        Literal["fixed", "inner", "cross", "validation"],
        Field(
            description="fixed: the whole schedule; inner: best epoch on a slice of the training "
            "rows; cross: epoch from the other folds' curves; validation: best on the held-out "
            "fold itself, marked optimistic."
        ),
    ] = "fixed"
    on_nonfinite: Annotated[
        Literal["stop", "skip"],
        Field(description="Loss not finite: stop the unit or skip the batch; ids are recorded."),
    ] = "stop"
    workers: Annotated[int, Field(ge=0, le=64, description="Threads that prepare batches.")] = 1
    checkpoint_every: Annotated[int, Field(ge=1, description="Epochs between checkpoints.")] = 1
    limit: Annotated[
        Duration | None, Field(description="Longest training time of the run, such as `40m`.")
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.ema is not None and self.average_last:
            raise ValueError("ema and average_last are two ways to average; choose one")
        if self.stop != "fixed" and self.average_last:
            raise ValueError("average_last averages the last epochs and needs stop: fixed")
        return self


class Recipe(Section):
    """The whole of a recipe file."""

    model: Annotated[ModelConfig, Field(description="The network.")]
    input: Annotated[InputConfig, Field(description="What the network is fed.")] = InputConfig()
    formulation: Annotated[
        str | None, Field(description="How the task is put to the network; null: its default.")
    ] = None
    loss: Annotated[
        Part | None, Field(description="Loss by name; null: the formulation's own.")
    ] = None
    auxiliary: Annotated[
        tuple[AuxiliaryConfig, ...],
        Field(description="Further label columns of train, each learned by a head of its own."),
    ] = ()
    augment: Annotated[
        tuple[Part, ...], Field(description="Augmentations per sample, in order.")
    ] = ()
    mix: Annotated[Part | None, Field(description="mixup or cutmix, per batch.")] = None
    imbalance: Annotated[
        Literal["none", "sampler", "weights"],
        Field(description="Rare classes: drawn more often, weighed more, or left as they are."),
    ] = "none"
    freeze: Annotated[
        Literal["none", "backbone"],
        Field(description="backbone: features are computed once, only the head trains."),
    ] = "none"
    train: Annotated[TrainConfig, Field(description="How a unit is trained.")] = TrainConfig()
    views: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="Views averaged at inference: identity, hflip, vflip."),
    ] = ("identity",)
    folds: Annotated[
        Literal["all"] | Annotated[tuple[Annotated[int, Ge(0)], ...], AfterValidator(distinct)],
        Field(description="Folds to hold out in turn."),
    ] = "all"
    refit: Annotated[
        Literal["none", "all"],
        Field(description="all: one more model on all rows scores the test rows."),
    ] = "none"
