"""`recipes/<name>.yaml`: how one model is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import AfterValidator, Field, model_validator

from foldwise.config.duration import Duration
from foldwise.config.section import Name, Part, Section, distinct
from foldwise.config.weighted import WeightedParts
from foldwise.parts import name_of, options_of


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
        Literal["head", "head_norms", "all"] | dict[Literal["last"], int],
        Field(description="head, head_norms (and norm layers), all, or {last: n} blocks and head."),
    ] = "all"
    start_lr: Annotated[float, Field(ge=0, description="Rate at the first step.")]
    end_lr: Annotated[float, Field(ge=0, description="Rate at the last step.")]
    shape: Annotated[
        Literal["linear", "cosine", "constant"], Field(description="Course between the two.")
    ] = "linear"
    size: Annotated[
        int | None,
        Field(ge=8, le=4096, description="Side of the training images; null: input.size."),
    ] = None
    augment: Annotated[
        bool, Field(description="false: whole images as at inference, without augment and mix.")
    ] = True


class ScheduleConfig(Section):
    """The course of the learning rate."""

    preset: Annotated[
        Part,
        Field(
            description="cosine: warm-up, then cosine; staged: head, warm-up, hold, cool-down; "
            "one_cycle, cosine_restarts or polynomial, with their options."
        ),
    ] = "cosine"
    warmup: Annotated[int, Field(ge=0, description="Epochs of warm-up.")] = 0
    head: Annotated[int, Field(ge=0, description="Epochs that train the head only (staged).")] = 0
    hold: Annotated[int, Field(ge=0, description="Epochs at the peak rate (staged).")] = 0
    stages: Annotated[
        tuple[StageConfig, ...], Field(description="Own stages; replaces the preset and epochs.")
    ] = ()

    @model_validator(mode="after")
    def _consistent(self) -> ScheduleConfig:
        name = name_of(self.preset)
        if self.stages and name not in ("cosine", "staged"):
            raise ValueError(f"preset {name} and stages are two schedules; take one of them out")
        if (self.head or self.hold) and name not in ("cosine", "staged"):
            raise ValueError(
                f"preset {name} has no head or hold; use preset: staged, or take them out"
            )
        if name == "staged" and options_of(self.preset):
            raise ValueError(
                "the options of preset staged are keys of their own: train.schedule.head, hold "
                "and warmup"
            )
        return self


class LookaheadConfig(Section):
    """Slow weights that follow those the optimiser moves."""

    k: Annotated[int, Field(ge=1, description="Steps between two moves of the slow weights.")] = 5
    alpha: Annotated[
        float, Field(gt=0, lt=1, description="Share of the way they go to the fast weights.")
    ] = 0.5


class CheckpointConfig(Section):
    """When the state of a training is saved, at the end of epochs and within them."""

    every: Annotated[
        Duration, Field(description="Within an epoch, after so long a time without one.")
    ] = "10min"
    share: Annotated[
        float,
        Field(
            gt=0, le=1, description="Largest share of the time that saving takes; else it waits."
        ),
    ] = 0.02


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
    sizes: Annotated[
        tuple[Annotated[int, Field(ge=8, le=4096)], ...],
        Field(
            description="Sides of the training images in equal parts of the epochs, in order; "
            "empty: input.size throughout."
        ),
    ] = ()
    sampler: Annotated[
        Part | None,
        Field(
            description="How rows are drawn: balanced, square_root, progressive or hard; null: "
            "each once an epoch."
        ),
    ] = None
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
    norm_update: Annotated[
        bool,
        Field(
            description="Take batch-norm statistics anew at the end, with the final weights and "
            "one pass over the training images."
        ),
    ] = False
    sharpness: Annotated[
        Part | None,
        Field(description="sam or asam: steps by the gradient at the worst point nearby."),
    ] = None
    lookahead: Annotated[
        LookaheadConfig | None,
        Field(description="Slow weights, k steps forward and one back; null: none."),
    ] = None
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
    checkpoint: Annotated[
        CheckpointConfig, Field(description="When a state to go on from is saved.")
    ] = CheckpointConfig()
    limit: Annotated[
        Duration | None, Field(description="Longest training time of the run, such as `40m`.")
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.ema is not None and self.average_last:
            raise ValueError("ema and average_last are two ways to average; choose one")
        if self.stop != "fixed" and self.average_last:
            raise ValueError("average_last averages the last epochs and needs stop: fixed")
        if self.sizes and any(stage.size for stage in self.schedule.stages):
            raise ValueError("sizes and the size of schedule.stages are two plans; choose one")
        return self

    @model_validator(mode="after")
    def _optimisation_fits(self) -> TrainConfig:
        name, options = name_of(self.optimizer), options_of(self.optimizer)
        if self.sharpness is not None and self.precision == "fp16":
            raise ValueError(
                "sharpness takes two gradients a step, and fp16 scales gradients for one; "
                "use precision: bf16 or fp32, or take sharpness out"
            )
        if self.sharpness is not None and (name.startswith("fused") or options.get("fused")):
            raise ValueError(
                f"sharpness moves weights between two gradients and is held to work with plain "
                f"steps only, and optimizer {name} fuses its own; take fused out, or sharpness"
            )
        if self.norm_update and self.norm == "frozen":
            raise ValueError(
                "norm_update takes batch-norm statistics anew, which norm: frozen keeps; "
                "take one of the two out"
            )
        if self.norm_update and self.stop != "fixed":
            raise ValueError(
                f"norm_update changes the network after its last epoch, which stop: {self.stop} "
                "has scored before; use stop: fixed, or take norm_update out"
            )
        stages = self.schedule.stages
        trained = [stage.trainable for stage in stages] if stages else [self.trainable]
        if "layer_decay" in options and set(map(str, trained)) == {"head"}:
            raise ValueError(
                "layer_decay sets the rates of the backbone's layers, and only the head trains; "
                "take it out of optimizer, or train more than the head"
            )
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
        Part | WeightedParts | None,
        Field(
            description="Loss by name; null: the formulation's own. A list is their sum, each "
            "with its `weight`: [cross_entropy, {name: squared_emd, weight: 0.3}]."
        ),
    ] = None
    auxiliary: Annotated[
        tuple[AuxiliaryConfig, ...],
        Field(description="Further label columns of train, each learned by a head of its own."),
    ] = ()
    augment: Annotated[
        tuple[Part, ...], Field(description="Augmentations per sample, in order.")
    ] = ()
    mix: Annotated[Part | None, Field(description="mixup, cutmix or either, per batch.")] = None
    imbalance: Annotated[
        Part,
        Field(
            description="Rare classes: none, sampler (drawn more often), weights, "
            "effective_number (weighed more) or logit_adjustment."
        ),
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

    @model_validator(mode="after")
    def _sampler_fits(self) -> Recipe:
        sampler = self.train.sampler
        if sampler is None:
            return self
        if self.imbalance != "none":
            raise ValueError(
                f"imbalance: {self.imbalance} and train.sampler are two ways to balance, of which "
                "only one can be corrected; choose one"
            )
        if name_of(sampler) == "hard" and self.mix is not None:
            raise ValueError(
                "train.sampler: hard needs the loss of each row, and mix makes one of two rows; "
                "take one of them out"
            )
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> Recipe:
        largest = max(self.other_sizes, default=0)
        if largest > self.input.size:
            raise ValueError(
                f"training images of {largest} px are larger than input.size {self.input.size}, "
                "at which images are stored and scored; raise input.size"
            )
        return self

    @property
    def other_sizes(self) -> frozenset[int]:
        """Sides at which epochs train that are not `input.size`, in pixels."""
        own = [stage.size for stage in self.train.schedule.stages if stage.size]
        return frozenset([*self.train.sizes, *own]) - {self.input.size}

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
        if self.imbalance not in ("none", "weights"):
            raise ValueError(
                f"imbalance: {name_of(self.imbalance)} goes with batches and logits, which a "
                "second-level recipe has not; use weights"
            )
        distinct(self.sources)
        distinct(tuple(column.name for column in self.table_columns))
