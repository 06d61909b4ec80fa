"""`masks` of `competition.yaml`: where the masks of the train samples stand, and what they mean."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from foldwise.config.section import Section, distinct

#: What a pattern of file names may hold.
_FIELDS = {"id", "stem", "class"}


class MasksConfig(Section):
    """Where the masks of the train samples stand, and what they mean."""

    kind: Annotated[
        Literal["runs", "index", "files", "coco"],
        Field(
            description="runs: cells of `start length` pairs; index: an image a sample, class "
            "numbers its pixels; files: an image a sample and class, what is not black set; coco: "
            "annotations in a JSON file."
        ),
    ]
    column: Annotated[
        str | None, Field(description="Column with the runs, or with the path of the mask image.")
    ] = None
    columns: Annotated[
        dict[str, str],
        Field(description="Class → its column, in the place of `column`, where each has its own."),
    ] = {}
    class_column: Annotated[
        str | None, Field(description="Column that says which class a row's mask is of.")
    ] = None
    in_id: Annotated[
        bool, Field(description="Ids end in the class that a row is of: `0002cc93b.jpg_1`.")
    ] = False
    several_rows: Annotated[
        bool,
        Field(description="Samples may have several rows of one class, whose masks are united."),
    ] = False
    without_rows: Annotated[
        bool,
        Field(description="Images of the train folder that no row names are samples, all clean."),
    ] = False
    pattern: Annotated[
        str | None,
        Field(
            description="Names of the mask images, in the place of `column`: `masks/{id}.png`; "
            "{stem}: the id without its ending; {class}: what the class is called."
        ),
    ] = None
    values: Annotated[
        dict[str, str],
        Field(
            description="What the class is called in cells, ids, file names or pixels → the class; "
            "empty: as the classes themselves, or for index images their numbers from 0."
        ),
    ] = {}
    clean: Annotated[
        tuple[str, ...],
        Field(description="Cells of `class_column` that name no class."),
        AfterValidator(distinct),
    ] = ()
    ignored: Annotated[
        tuple[int, ...],
        Field(description="Pixel values of index images that do not count."),
        AfterValidator(distinct),
    ] = ()
    order: Annotated[
        Literal["columns", "rows"],
        Field(description="Whether runs count pixels down the columns or along the rows."),
    ] = "columns"
    first: Annotated[
        Literal[1, 0], Field(description="The number of the first pixel of an image, in runs.")
    ] = 1
    empty: Annotated[str, Field(description="Another cell that says that a mask is empty.")] = ""
    file: Annotated[
        str | None, Field(description="COCO's JSON file, relative to the data folder.")
    ] = None
    exclusive: Annotated[
        bool, Field(description="Whether every pixel is of one class, so that masks never overlap.")
    ] = False

    @model_validator(mode="after")
    def _says_where(self) -> MasksConfig:
        if self.kind == "coco":
            if self.file is None:
                raise ValueError("kind coco needs the JSON file: file: NAME")
            self._check_coco()
            return self
        places = (self.column is not None, bool(self.columns), self.pattern is not None)
        if sum(places) != 1:
            raise ValueError(
                f"kind {self.kind} needs column, columns by class, or pattern; one of them"
            )
        if self.pattern is not None:
            self._check_pattern(self.pattern)
        if self.kind == "index" and self.columns:
            raise ValueError("columns: an index image holds all classes; name it by column")
        if self.kind == "index" and not self.exclusive:
            raise ValueError("exclusive: an index image gives each pixel one class; set it to true")
        return self

    @model_validator(mode="after")
    def _agrees(self) -> MasksConfig:
        if self.ignored and self.kind != "index":
            raise ValueError(f"ignored: goes with kind index, found {self.kind}")
        if never := [value for value in self.ignored if not 0 <= value <= 255]:
            raise ValueError(f"ignored: pixels have values from 0 to 255, found {never[0]}")
        says = (self.class_column is not None, self.in_id, bool(self.columns))
        if sum(says) > 1:
            raise ValueError("class_column, in_id and columns: one of them says the class")
        if self.without_rows and not (self.has_rows_by_class and self.kind == "runs"):
            raise ValueError("without_rows: goes with runs of which a sample may have several rows")
        if self.clean and self.class_column is None:
            raise ValueError("clean: goes with class_column")
        return self

    def _check_coco(self) -> None:
        keys = ("column", "columns", "class_column", "in_id", "pattern", "several_rows")
        given = [key for key in keys if getattr(self, key)]
        if given:
            raise ValueError(f"{given[0]}: goes with masks of a table, found kind coco")

    def _check_pattern(self, pattern: str) -> None:
        if self.kind == "runs":
            raise ValueError("pattern: names images, found kind runs")
        try:
            fields = {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
        except ValueError as error:
            raise ValueError(f"pattern: {error}") from None
        if fields - _FIELDS or not fields & {"id", "stem"}:
            raise ValueError(
                "pattern: wanted {id} or {stem} in it, and {class} where each class has an image, "
                f"found {pattern}"
            )
        if self.kind == "index" and "class" in fields:
            raise ValueError("pattern: an index image holds all classes; take {class} out")

    @property
    def has_rows_by_class(self) -> bool:
        """Whether a sample may have several rows."""
        return self.class_column is not None or self.in_id or self.several_rows

    @property
    def table_columns(self) -> tuple[str, ...]:
        """Columns of the train table that say something of masks."""
        named = (self.column, self.class_column, *self.columns.values())
        return tuple(name for name in named if name is not None)

    def file_of(self, name: str, value: str = "") -> str:
        """The mask image of a sample, and of a class by what it is called, by `pattern`."""
        assert self.pattern is not None
        stem = name.rpartition(".")[0] or name
        return self.pattern.format(id=name, stem=stem, **{"class": value})
