"""`recipes/<name>.yaml`: how one model is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import AfterValidator, Field, model_validator

from foldwise.config.duration import Duration
from foldwise.config.section import Name, Part, Section, distinct


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


class ColumnConfig(Section):
    """A column of the tables beside the features."""

    name: Annotated[str, Field(description="Column of train and of test.")]
    kind: Annotated[
        Literal["auto", "number", "category"],
        Field(description="auto: a number where all cells in train are, else a category."),
    ] = "auto"


#: What a second-level recipe has in a network's place; no network is called so.
NO_NETWORK = ModelConfig(name="none")
_SECOND_LEVEL_KEYS = (
    "features",
    "head",
    "columns",
    "formulation",
    "imbalance",
    "folds",
    "refit",
)


class Recipe(Section):
    """The whole of a recipe file: a network or, with `features`, a second-level model."""

    model: Annotated[
        ModelConfig, Field(description="The network; needed unless there are features.")
    ] = NO_NETWORK
    features: Annotated[
        Name | tuple[Name, ...],
        Field(
            description="Runs whose networks' features, side by side, a second-level model is "
            "fitted on; such a recipe takes head, columns, formulation, imbalance, folds and "
            "refit, and no key of a network."
        ),
    ] = ()
    head: Annotated[
        Part | None, Field(description="What is fitted on the features: svr, logistic, boosting...")
    ] = None
    columns: Annotated[
        tuple[str | ColumnConfig, ...],
        Field(description="Columns of train and test that go with the features."),
    ] = ()
    input: Annotated[InputConfig, Field(description="What the network is fed.")] = InputConfig()
    formulation: Annotated[
        str | None, Field(description="How the task is put to the network; null: its default.")
    ] = None
    loss: Annotated[
        Part | None, Field(description="Loss by name; null: the formulation's own.")
    ] = None
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

    @property
    def sources(self) -> tuple[str, ...]:
        """Runs whose features a second-level model is fitted on; empty: it is a network."""
        return (self.features,) if isinstance(self.features, str) else self.features

    @property
    def is_second_level(self) -> bool:
        """Whether a head is fitted on features of other runs, and no network is trained."""
        return bool(self.sources)

    @property
    def table_columns(self) -> tuple[ColumnConfig, ...]:
        """The columns that go with the features."""
        return tuple(
            ColumnConfig(name=column) if isinstance(column, str) else column
            for column in self.columns
        )

    @model_validator(mode="after")
    def _of_one_kind(self) -> Recipe:
        if self.is_second_level:
            self._check_second_level()
        elif self.model == NO_NETWORK:
            raise ValueError(
                f"model: missing; wanted keys ({', '.join(ModelConfig.model_fields)}), or "
                "features: RUN and head: NAME for a second-level recipe"
            )
        elif self.head is not None or self.columns:
            given = "head" if self.head is not None else "columns"
            raise ValueError(
                f"{given} goes with features: RUN only; take out {given}, or take out model and "
                "name the run whose features it reads"
            )
        return self

    def _check_second_level(self) -> None:
        unused = [
            name
            for name, field in type(self).model_fields.items()
            if name not in _SECOND_LEVEL_KEYS and getattr(self, name) != field.default
        ]
        if unused:
            raise ValueError(
                f"{', '.join(unused)}: a second-level recipe (features: ...) has no network that "
                f"this could change; take it out, what counts is {', '.join(_SECOND_LEVEL_KEYS)}"
            )
        if self.head is None:
            raise ValueError(
                "head: missing; a second-level recipe (features: ...) needs one, such as logistic"
            )
        if self.imbalance == "sampler":
            raise ValueError(
                "imbalance: sampler draws batches, which a second-level recipe has not; use weights"
            )
        distinct(self.sources)
        distinct(tuple(column.name for column in self.table_columns))
