"""How the units of a recipe are trained: `train`."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, MinLen
from pydantic import Field, model_validator

from foldwise.config.duration import Duration
from foldwise.config.section import Part, Section
from foldwise.parts import name_of, options_of

#: `{last: 2}`: the last two blocks and the head.
LastBlocks = Annotated[dict[Literal["last"], Annotated[int, Ge(1)]], MinLen(1)]


class StageConfig(Section):
    """One stage of a staged schedule."""

    epochs: Annotated[int, Field(ge=1, description="Epochs of this stage.")]
    trainable: Annotated[
        Literal["head", "head_norms", "all"] | LastBlocks,
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
        if self.stages and name != "cosine":
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
            description="How rows are drawn: balanced, square_root, progressive or hard; for masks "
            "defects or hard_negatives; null: each once an epoch."
        ),
    ] = None
    trainable: Annotated[
        Literal["head", "all"] | LastBlocks,
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
    compile: Annotated[
        Literal["auto"] | bool,
        Field(
            description="Compile the training step; auto: where a training of ten minutes or more "
            "is over earlier with it, by a trial that is kept and recorded like the layout's."
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

    @property
    def num_epochs(self) -> int:
        """Epochs of the whole schedule."""
        stages = self.schedule.stages
        return sum(stage.epochs for stage in stages) if stages else self.epochs

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
