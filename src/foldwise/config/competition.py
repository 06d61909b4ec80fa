"""`competition.yaml`: what is asked, where the data lie, what the rules allow."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from foldwise.config.clock import IN_ZONE, ClockConfig
from foldwise.config.duration import Duration
from foldwise.config.masks import MasksConfig
from foldwise.config.over_time import OverTimeConfig
from foldwise.config.platform import Platform
from foldwise.config.section import Name, Part, Section, distinct


class Tables(Section):
    """The tables, relative to the data folder."""

    train: Annotated[str, Field(description="Table with the labels, or a folder per class.")]
    test: Annotated[str | None, Field(description="Table of the test samples.")] = None
    sample_submission: Annotated[
        str | None, Field(description="The organiser's example of a submission.")
    ] = None


class Images(Section):
    """Where a sample's image is found."""

    kind: Annotated[
        Literal["path", "folder", "class_folder", "array"],
        Field(
            description="path: a column holds the path; folder: id + extension in a folder; "
            "class_folder: one folder per class; array: a row of an npy or npz file."
        ),
    ] = "path"
    column: Annotated[
        str | None, Field(description="Column with the path or the row in the array.")
    ] = None
    train: Annotated[str, Field(description="Folder of the train images, or `file.npz:array`.")] = (
        "."
    )
    test: Annotated[str, Field(description="Folder of the test images, or `file.npz:array`.")] = "."
    extension: Annotated[
        str,
        Field(
            description="Added to the id or path, such as `.png`; `.*`: what the one file of the "
            "name has."
        ),
    ] = ""
    columns: Annotated[
        tuple[str, ...],
        Field(
            description="Columns of a sample's images, in the place of `column`, where it has "
            "several: `[left, right]`."
        ),
        AfterValidator(distinct),
    ] = ()
    extensions: Annotated[
        tuple[str, ...],
        Field(
            description="Endings of a sample's images, in the place of `extension`, where several "
            "files bear its name: `[_red.png, _green.png]`."
        ),
        AfterValidator(distinct),
    ] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What tells the images of a sample apart; empty where it has one."""
        return self.columns or self.extensions

    @property
    def each(self) -> tuple[Images, ...]:
        """Where each image of a sample is found, one after the other."""
        keys = [{"column": name, "columns": ()} for name in self.columns]
        keys += [{"extension": ending, "extensions": ()} for ending in self.extensions]
        return tuple(self.model_copy(update=each) for each in keys) or (self,)

    @property
    def file_columns(self) -> tuple[str, ...]:
        """Columns with paths or rows."""
        return self.columns or (() if self.column is None else (self.column,))

    @model_validator(mode="after")
    def _can_be_found(self) -> Images:
        if self.kind == "path" and not self.file_columns:
            raise ValueError("kind path needs the column with the paths: column: NAME")
        if self.names:
            self._check_several()
        return self

    def _check_several(self) -> None:
        key = "columns" if self.columns else "extensions"
        kinds = ("path", "array") if self.columns else ("path", "folder")
        if self.columns and self.extensions:
            raise ValueError("columns and extensions: one of the two says which images there are")
        if len(self.names) == 1:
            raise ValueError(f"{key}: names one image; write {key[:-1]}: {self.names[0]}")
        if self.columns and self.column is not None:
            raise ValueError("column and columns: take one out; columns stands in its place")
        if self.extensions and self.extension:
            raise ValueError("extension and extensions: take one out")
        if self.kind not in kinds:
            raise ValueError(f"{key}: goes with kind {' or '.join(kinds)}, found {self.kind}")


class Decoding(Section):
    """What one image may cost before it counts as damaged."""

    cpu_s: Annotated[
        float, Field(gt=0, description="Processor seconds to read, decode and resize it.")
    ] = 2.0
    wall_s: Annotated[
        float, Field(gt=0, description="Seconds by the clock, for a disk that hangs.")
    ] = 30.0
    memory_mib: Annotated[
        int, Field(ge=16, description="MiB of memory; limited on Linux only.")
    ] = 1024
    max_megapixels: Annotated[
        float, Field(gt=0, description="Width times height, in million pixels.")
    ] = 100.0


class Columns(Section):
    """What the columns of the tables mean."""

    id: Annotated[str, Field(description="Column that names a sample.")]
    train_prefix: Annotated[
        str,
        Field(description="Put before the ids of train where test has the same ones: `train/`."),
    ] = ""
    target: Annotated[
        tuple[str, ...],
        Field(description="Label column; several 0/1 columns for multilabel; none for masks."),
    ] = ()
    separator: Annotated[
        str | None, Field(description="Splits several labels in one cell (multilabel).")
    ] = None
    group: Annotated[
        tuple[str, ...],
        Field(
            description="Rows with an equal value in any of these stay in one fold (track, "
            "patient...); an empty cell is no group."
        ),
    ] = ()
    order: Annotated[
        str | None,
        Field(
            description="Rises with time inside a group; for time_blocks one clock for all rows: "
            "numbers or ISO dates."
        ),
    ] = None


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


class ExternalColumns(Section):
    """What the columns of an external table mean, where they are called otherwise than in train."""

    id: Annotated[str | None, Field(description="Column that names a row; null: as in train.")] = (
        None
    )
    target: Annotated[
        tuple[str, ...],
        Field(description="Label columns, in the order of columns.target; empty: as in train."),
    ] = ()


class ExternalConfig(Section):
    """A set of labelled images from elsewhere, which recipes may train on and nothing else."""

    data: Annotated[str, Field(description="Its folder, relative to this file.")]
    table: Annotated[
        str, Field(description="Table with its labels, or a folder per class, in that folder.")
    ]
    images: Annotated[
        Images | None,
        Field(description="Where its images are, as `train` of images; null: as those of train."),
    ] = None
    columns: Annotated[
        ExternalColumns, Field(description="What its columns mean, where they differ from train.")
    ] = ExternalColumns()
    labels: Annotated[
        dict[str, str | None],
        Field(description="Its label → one of ours, or null to leave such rows out."),
    ] = {}

    @model_validator(mode="after")
    def _has_no_test(self) -> ExternalConfig:
        if self.images is not None and self.images.test != Images.model_fields["test"].default:
            raise ValueError("images.test: external data have no test rows; use images.train")
        return self


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
    def _can_be_handed_in_as_images(self) -> Competition:
        if self.submission.form == "images" and (self.masks is None or not self.masks.exclusive):
            raise ValueError(
                "submission.form: images hold one class a pixel, and only exclusive masks are so: "
                "set masks.exclusive, or form: table"
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
