"""`recipes/<name>.yaml`: how one model is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import AfterValidator, Field, model_validator

from foldwise.config.extra import ExternalUse, PseudoConfig, named_once
from foldwise.config.network import NO_NETWORK, InputConfig, ModelConfig
from foldwise.config.section import Name, Part, Section, distinct
from foldwise.config.training import TrainConfig
from foldwise.config.weighted import WeightedParts
from foldwise.parts import name_of


class AuxiliaryConfig(Section):
    """A further label that helps to learn the one asked for."""

    column: Annotated[str, Field(description="Column of the train table; test need not have it.")]
    task: Annotated[
        Literal["classes", "number"], Field(description="What the column holds, one for each row.")
    ]
    weight: Annotated[
        float, Field(gt=0, description="Weight of its loss beside the one of the label.")
    ] = 0.3


_SECOND_LEVEL_KEYS = (
    "features",
    "head",
    "columns",
    "target",
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
            "fitted on; such a recipe takes head, columns, target, formulation, imbalance, "
            "folds and refit, and no key of a network."
        ),
    ] = ()
    head: Annotated[
        Part | None, Field(description="What is fitted on the features: svr, logistic, boosting...")
    ] = None
    columns: Annotated[
        tuple[Part, ...],
        Field(
            description="Columns of train and test that go with the features: `age`, or "
            "{name: site, kind: category}; kind: auto, number or category."
        ),
    ] = ()
    input: Annotated[InputConfig, Field(description="What the network is fed.")] = InputConfig()
    target: Annotated[
        Literal["presence"] | None,
        Field(
            description="What is learned; null: what the competition asks for. presence, where "
            "it asks for masks: which classes are in an image, for a blend's gate."
        ),
    ] = None
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
    external: Annotated[
        tuple[Name | ExternalUse, ...],
        AfterValidator(named_once),
        Field(description="External data of competition.yaml to train on, never to score."),
    ] = ()
    pseudo: Annotated[
        PseudoConfig | None,
        Field(description="Test rows to train on, labelled by other runs; null: none."),
    ] = None
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
        tuple[Part, ...],
        Field(
            min_length=1,
            description="Views averaged at inference: names, with options, or products of names: "
            "[identity, {name: rotate, degrees: 5}, 'hflip*centre_crop'].",
        ),
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
        if name_of(self.imbalance) != "none":
            raise ValueError(
                f"imbalance: {name_of(self.imbalance)} and train.sampler are two ways to balance, "
                "of which only one can be corrected; choose one"
            )
        if name_of(sampler) == "hard" and self.mix is not None:
            raise ValueError(
                "train.sampler: hard needs the loss of each row, and mix makes one of two rows; "
                "take one of them out"
            )
        return self

    @model_validator(mode="after")
    def _frames_fit(self) -> Recipe:
        if self.external and self.input.frames is not None:
            raise ValueError(
                "input.frames takes neighbours of a row in its sequence, and external rows are of "
                "none; take one of the two out"
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
    def teachers(self) -> tuple[str, ...]:
        """Runs that label test rows for it."""
        return () if self.pseudo is None else self.pseudo.runs

    @property
    def external_weights(self) -> dict[str, float]:
        """External data to train on → the weight of its rows."""
        return {
            use if isinstance(use, str) else use.name: 1.0 if isinstance(use, str) else use.weight
            for use in self.external
        }

    @property
    def has_extra_rows(self) -> bool:
        """Whether it trains on rows that are not of the train table."""
        return bool(self.external) or self.pseudo is not None

    @property
    def is_second_level(self) -> bool:
        """Whether a head is fitted on features of other runs, and no network is trained."""
        return bool(self.sources)

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
        if name_of(self.imbalance) not in ("none", "weights"):
            raise ValueError(
                f"imbalance: {name_of(self.imbalance)} goes with batches and logits, which a "
                "second-level recipe has not; use weights"
            )
        distinct(self.sources)
        distinct(tuple(name_of(column) for column in self.columns))
