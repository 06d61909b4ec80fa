"""`competition.yaml`: what is asked, what is handed in, what the rules allow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from foldwise.config.clock import IN_ZONE, ClockConfig
from foldwise.config.data import Columns, Decoding, ExternalConfig, Images, Tables
from foldwise.config.duration import Duration
from foldwise.config.masks import MasksConfig
from foldwise.config.over_time import OverTimeConfig
from foldwise.config.platform import Platform
from foldwise.config.section import Name, Part, Section


class Submission(Section):
    """What a submission holds."""

    gives: Annotated[
        Literal["answers", "scores"],
        Field(description="answers: decided labels or values; scores: a number per class."),
    ] = "answers"
    by: Annotated[
        Literal["file", "notebook"],
        Field(
            description="What is handed in. file: the submission; notebook: one that writes it, "
            "which the organiser runs with the network off."
        ),
    ] = "file"
    form: Annotated[
        Literal["table", "images"],
        Field(
            description="What masks are handed in as. table: cells of runs; images: a zip of PNG "
            "files of the classes' pixel values, named like the samples."
        ),
    ] = "table"
    columns: Annotated[
        dict[str, str],
        Field(description="Column of the sample submission → class or target it holds."),
    ] = {}
    decision: Annotated[
        Literal["auto", "fixed", "fitted", "shares"],
        Field(
            description="From scores to answers. fixed: the formulation's cuts or thresholds; "
            "fitted: those best for the metric; shares: those that give each class its share; "
            "auto: fixed unless fitted wins cross-fitted."
        ),
    ] = "auto"
    fixed: Annotated[
        dict[str, Any],
        Field(
            description="Options of the fixed decision's last step, of which those stay that are "
            "not fitted: `{top_pixels: 500}` of masks, `{values: 0.3}` of several labels."
        ),
    ] = {}
    test_merge: Annotated[
        Literal["mean_score", "per_fold_decision"],
        Field(
            description="mean_score: the mean of the fold models' scores is decided; "
            "per_fold_decision: each fold model decides by itself, then they vote."
        ),
    ] = "mean_score"
    over_time: Annotated[
        OverTimeConfig | None,
        Field(
            description="Steps over time for rows in sequences (columns.group, columns.order). "
            "decision auto: used where they win cross-fitted; fitted, fixed: used."
        ),
    ] = None

    @model_validator(mode="after")
    def _decides_only_answers(self) -> Submission:
        if self.over_time is not None and self.decision == "shares":
            raise ValueError("over_time: goes with decision auto, fitted or fixed, not with shares")
        is_fitted = self.decision == "fitted" and self.over_time is None
        if self.gives == "scores" and (is_fitted or self.decision == "shares"):
            raise ValueError(f"decision: {self.decision} goes with gives: answers only")
        if self.gives == "scores" and self.test_merge == "per_fold_decision":
            raise ValueError("test_merge: per_fold_decision goes with gives: answers only")
        return self


class Rules(Section):
    """What the organiser allows."""

    pretrained: Annotated[
        Literal["allowed", "forbidden"], Field(description="Weights trained on other data.")
    ] = "allowed"
    external_data: Annotated[
        Literal["allowed", "forbidden"], Field(description="Images from elsewhere.")
    ] = "allowed"
    daily_submissions: Annotated[int | None, Field(ge=1, description="Uploads a day.")] = None
    final_picks: Annotated[int, Field(ge=1, description="Submissions that count at the end.")] = 2


def _shares(prior: str | dict[str, float]) -> str | dict[str, float]:
    if isinstance(prior, dict) and not any(prior.values()):
        raise ValueError("found no share above 0, wanted the share of each class in test")
    return prior


class Limits(Section):
    """Limits on what is handed in."""

    inference: Annotated[
        Duration | None, Field(description="Longest inference time of the pack, such as `9h`.")
    ] = None
    clock: Annotated[
        ClockConfig, Field(description="What lies between an upload and its score.")
    ] = ClockConfig()


class Competition(Section):
    """The whole of `competition.yaml`."""

    name: Annotated[str, Field(description="Name shown in the report.")]
    platform: Annotated[
        Platform | None,
        Field(description="Where it is held, for `submit --upload` and `push`: `kaggle:NAME`."),
    ] = None
    data: Annotated[str, Field(description="Folder with tables and images, relative to this file.")]
    tables: Annotated[Tables, Field(description="The tables.")]
    images: Annotated[Images, Field(description="Where the images are.")]
    columns: Annotated[Columns, Field(description="What the columns mean.")]
    external: Annotated[
        dict[Name, ExternalConfig],
        Field(description="Name → labelled images from elsewhere, for recipes to train on."),
    ] = {}
    masks: Annotated[
        MasksConfig | None, Field(description="Where the masks are, of a task that asks for such.")
    ] = None
    task: Annotated[
        str, Field(description="multiclass, multilabel, regression, ordinal or segmentation.")
    ]
    classes: Annotated[
        tuple[str, ...], Field(description="Class names or grades in order; empty for regression.")
    ] = ()
    metric: Annotated[Part, Field(description="The competition's metric.")]
    more_metrics: Annotated[
        tuple[Part, ...], Field(description="Further metrics shown beside it.")
    ] = ()
    submission: Annotated[Submission, Field(description="What a submission holds.")] = Submission()
    test_prior: Annotated[
        Literal["train", "balanced"] | dict[str, Annotated[float, Ge(0)]],
        Field(description="Class shares in test: as in train, balanced, or given per class."),
        AfterValidator(_shares),
    ] = "train"
    on_damaged: Annotated[
        Literal["stop", "skip"], Field(description="What a damaged image does to the run.")
    ] = "stop"
    decoding: Annotated[
        Decoding, Field(description="What one image may cost before it counts as damaged.")
    ] = Decoding()
    rules: Annotated[Rules, Field(description="What the organiser allows.")] = Rules()
    limits: Annotated[Limits, Field(description="Limits on what is handed in.")] = Limits()
    deadline: Annotated[
        AwareDatetime | None,
        Field(
            description="End of the competition, with its time zone: an offset, or a name as in "
            "`2026-03-31 23:59 Europe/Berlin`."
        ),
        IN_ZONE,
    ] = None
    undecided: Annotated[
        tuple[str, ...],
        Field(description="Guesses nobody confirmed; shown with every score until removed."),
    ] = ()

    @model_validator(mode="after")
    def _has_labels_or_masks(self) -> Competition:
        if self.masks is None and not self.columns.target:
            raise ValueError("columns.target: needed, the column or columns with the labels")
        if self.masks is not None and self.columns.target:
            raise ValueError(
                "columns.target: masks says where masks are; a label column beside them may be an "
                "auxiliary label of a recipe"
            )
        return self

    @model_validator(mode="after")
    def _counts_its_classes(self) -> Competition:
        masks = self.masks
        if masks is None or masks.kind != "index":
            return self
        named = masks.values or {str(place): name for place, name in enumerate(self.classes)}
        hidden = [f"{named[str(v)]} ({v})" for v in masks.ignored if str(v) in named]
        if hidden:
            raise ValueError(
                f"masks.ignored: pixels of {', '.join(hidden)} would not count, and it is one of "
                "classes; take one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _can_be_handed_in_as_images(self) -> Competition:
        if self.submission.form == "images" and (self.masks is None or not self.masks.exclusive):
            raise ValueError(
                "submission.form: images hold one class a pixel, and only exclusive masks are so: "
                "set masks.exclusive, or form: table"
            )
        return self

    @model_validator(mode="after")
    def _masks_have_no_votes(self) -> Competition:
        if self.masks is not None and self.submission.test_merge == "per_fold_decision":
            raise ValueError(
                "submission.test_merge: per_fold_decision is a vote, and masks are decided from "
                "the mean of the fold models' maps: use mean_score"
            )
        return self

    @model_validator(mode="after")
    def _external_rows_have_one_image(self) -> Competition:
        if self.external and self.images.names:
            raise ValueError(
                f"external: its rows have one image each, and those of train have "
                f"{len(self.images.names)} ({', '.join(self.images.names)}); take one out"
            )
        return self
