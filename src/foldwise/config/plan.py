"""`plan.yaml`: which recipes on which folds and seeds, how to blend, what to submit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import AfterValidator, Field, model_validator

from foldwise.config.duration import Duration
from foldwise.config.section import Name, Part, Section, distinct


class FoldsConfig(Section):
    """How rows are put into folds."""

    count: Annotated[int, Field(ge=2, le=100, description="Number of folds.")] = 5
    scheme: Annotated[
        Literal[
            "auto",
            "stratified",
            "group",
            "stratified_group",
            "multilabel_stratified",
            "time_blocks",
            "column",
        ],
        Field(description="auto: stratified, with groups where there are any."),
    ] = "auto"
    column: Annotated[str | None, Field(description="Column with the fold (scheme: column).")] = (
        None
    )
    gap: Annotated[
        float,
        Field(
            ge=0,
            description="Order units (of dates: days) beside a validation block kept out of "
            "training.",
        ),
    ] = 0.0
    duplicates: Annotated[
        Literal["group", "ignore"],
        Field(description="group: the audit's duplicates share a fold."),
    ] = "group"
    seed: Annotated[int, Field(ge=0, description="Seed of the assignment.")] = 0

    @model_validator(mode="after")
    def _consistent(self) -> FoldsConfig:
        if self.scheme == "column" and self.column is None:
            raise ValueError("scheme: column needs column: the name of the column with the fold")
        if self.scheme != "column" and self.column is not None:
            raise ValueError(f"column goes with scheme: column only, found scheme: {self.scheme}")
        if self.scheme != "time_blocks" and self.gap:
            raise ValueError(f"gap goes with scheme: time_blocks only, found scheme: {self.scheme}")
        return self


class BlendConfig(Section):
    """One blend of runs."""

    method: Annotated[Part, Field(description="A way to blend, by name.")] = "mean"
    members: Annotated[
        Literal["all"] | tuple[str, ...],
        Field(description="Runs or score files; all: every recipe of the plan."),
    ] = "all"
    gate: Annotated[
        str | None,
        Field(
            description="Of masks: run of target presence, whose scores say whether a class is "
            "answered in an image at all; the blend may then have one member."
        ),
    ] = None


class MachineConfig(Section):
    """What a machine costs, and how long it may be used."""

    price: Annotated[
        float, Field(ge=0, description="Money per hour, in the currency you think in.")
    ] = 0.0
    quota: Annotated[
        Duration | None, Field(description="Longest use in a period, such as `30h`; null: any.")
    ] = None
    per: Annotated[
        Literal["day", "week", "month"], Field(description="The period of the quota, by UTC.")
    ] = "week"
    week_begins: Annotated[
        Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
        Field(description="When a weekly quota is renewed."),
    ] = "monday"
    counts: Annotated[
        Literal["gpu", "all"], Field(description="gpu: only hours with a GPU use up the quota.")
    ] = "gpu"


class Plan(Section):
    """The whole of `plan.yaml`."""

    recipes: Annotated[
        dict[Name, dict[str, Any]],
        Field(min_length=1, description="Recipe → keys changed for this plan ({}: none)."),
    ]
    folds: Annotated[FoldsConfig, Field(description="How rows are put into folds.")] = FoldsConfig()
    seeds: Annotated[
        tuple[Annotated[int, Ge(0)], ...],
        Field(min_length=1, description="Seeds each recipe is trained with."),
        AfterValidator(distinct),
    ] = (0,)
    blends: Annotated[
        dict[Name, BlendConfig], Field(description="Blend's name → how it is made.")
    ] = {}
    submit: Annotated[
        str, Field(description="Run to submit; best: best-founded, then highest score.")
    ] = "best"
    parallel: Annotated[
        Annotated[int, Ge(1)] | Literal["auto"],
        Field(description="Units trained side by side; auto: by GPUs or cores."),
    ] = "auto"
    machines: Annotated[
        dict[str, MachineConfig],
        Field(
            description="Machine → its price and quota, for `foldwise costs`: kaggle, colab, or a "
            "computer's own name."
        ),
    ] = {}
