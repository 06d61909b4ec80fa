"""`plan.yaml`: which recipes on which folds and seeds, how to blend, what to submit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from foldwise.config.section import Part, Section


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
        Field(ge=0, description="Order units beside a validation block kept out of training."),
    ] = 0.0
    duplicates: Annotated[
        Literal["group", "ignore"],
        Field(description="group: the audit's duplicates share a fold."),
    ] = "group"
    seed: Annotated[int, Field(ge=0, description="Seed of the assignment.")] = 0


class BlendConfig(Section):
    """One blend of runs."""

    method: Annotated[Part, Field(description="mean, rank_mean, label_average or greedy.")] = "mean"
    members: Annotated[
        Literal["all"] | tuple[str, ...],
        Field(description="Runs or score files; all: every recipe of the plan."),
    ] = "all"


class Plan(Section):
    """The whole of `plan.yaml`."""

    recipes: Annotated[
        dict[str, dict[str, Any]],
        Field(min_length=1, description="Recipe → keys changed for this plan ({}: none)."),
    ]
    folds: Annotated[FoldsConfig, Field(description="How rows are put into folds.")] = FoldsConfig()
    seeds: Annotated[
        tuple[int, ...], Field(min_length=1, description="Seeds each recipe is trained with.")
    ] = (0,)
    blends: Annotated[
        dict[str, BlendConfig], Field(description="Blend's name → how it is made.")
    ] = {}
    submit: Annotated[
        str, Field(description="Run to submit; best: best-founded, then highest score.")
    ] = "best"
    parallel: Annotated[
        int | Literal["auto"],
        Field(description="Units trained side by side; auto: by GPUs or cores."),
    ] = "auto"
