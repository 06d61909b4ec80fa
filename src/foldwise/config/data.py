"""Where the data of `competition.yaml` lie: tables, images, columns, and external data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from foldwise.config.section import Section, distinct


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
