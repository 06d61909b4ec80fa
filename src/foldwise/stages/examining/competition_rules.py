"""Rules on `competition.yaml` against its tables: columns, classes, metric, dates."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from foldwise.config.masks import MasksConfig
from foldwise.data.fold_order import is_order
from foldwise.errors import ConfigError, DataError
from foldwise.metrics import METRICS, bind
from foldwise.parts import name_of
from foldwise.stages.examining.cases import Ground
from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.stages.submitting.mask_shape import mask_shape
from foldwise.tables import Table, is_number

_MAX_NAMED = 5


def unreachable_column(ground: Ground) -> Iterator[Fault]:
    """A column is named that its table does not have."""
    columns, images = ground.competition.columns, ground.competition.images
    image = [] if images.column is None or images.kind == "folder" else ["images.column"]
    image += [f"images.columns.{i}" for i in range(len(images.columns))]
    order = ["columns.order"] if columns.order is not None else []
    groups = [f"columns.group.{i}" for i in range(len(columns.group))]
    targets = [f"columns.target.{i}" for i in range(len(columns.target))]
    masks = ground.competition.masks
    wanted = {
        "train": ["columns.id", *targets, *groups, *order, *image],
        "test": ["columns.id", *image],
        # Ids of masks may be of a class, too, and stand in a column of another name.
        "sample_submission": ["columns.id"] if masks is None else [],
    }
    for part, keys in wanted.items():
        table = ground.tables.get(part)
        if table is None or (part == "train" and images.kind == "class_folder"):
            continue
        for key in keys:
            yield from _missing(table, key, _value(ground, key))
    sample = ground.tables.get("sample_submission")
    for column in ground.competition.submission.columns if sample is not None else ():
        assert sample is not None
        yield from _missing(sample, "submission.columns", column)
    if masks is not None:
        yield from _unreachable_masks(ground, masks)


def group_values(ground: Ground) -> Iterator[Fault]:
    """A group column holds one value, or another one in every row."""
    for index, name in enumerate(ground.competition.columns.group):
        table = ground.tables.get("train")
        if table is None or name not in table.frame.columns:
            continue
        num, rows = table.frame[name].nunique(), len(table)
        if num == 1 and rows > 1:
            yield error(
                f"columns.group.{index}",
                f"column {name!r} holds one value in all {rows} rows: no fold could be held out",
                "take it out",
            )
        elif num == rows and len(ground.competition.columns.group) == 1:
            yield warning(
                f"columns.group.{index}",
                f"column {name!r} differs in all {rows} rows, so it groups nothing",
                "take it out, or name the column that rows share",
            )


def order_values(ground: Ground) -> Iterator[Fault]:
    """The order column holds something else than numbers or ISO dates."""
    name, table = ground.competition.columns.order, ground.tables.get("train")
    if name is None or table is None or name not in table.frame.columns:
        return
    bad = [row for row, cell in enumerate(table.frame[name]) if not is_order(cell)]
    if bad:
        yield error(
            "columns.order",
            f"{table.at(bad[0])}: column {name!r} holds {table.frame[name].iloc[bad[0]]!r}, "
            f"and {len(bad)} such cells in all; an order is a number or "
            "an ISO date",
            "name a column of numbers or dates, or take it out",
        )


def empty_class(ground: Ground) -> Iterator[Fault]:
    """A class has no train row."""
    counts = ground.counts
    if counts is None:
        return
    classes = ground.competition.classes
    absent = [name for name, count in zip(classes, counts, strict=True) if not count]
    if absent:
        yield warning(
            "classes",
            f"{_named(absent)}: no train row, so it cannot be learned",
            "take it out, or keep it if the submission needs its column",
        )


def class_order(ground: Ground) -> Iterator[Fault]:
    """Grades do not rise, a class is listed twice, or the sample submission says otherwise."""
    classes, task = ground.competition.classes, ground.task
    if len(set(classes)) < len(classes):
        twice = sorted({name for name in classes if classes.count(name) > 1})
        yield error("classes", f"{_named(twice)} is listed twice", "list each class once")
    # One score for many classes: they are grades on one scale.
    is_scale = len(classes) > 1 and len(task.columns(classes, ("",))) == 1
    if is_scale and all(is_number(name) for name in classes):
        values = [float(name) for name in classes]
        if values != sorted(values):
            yield error(
                "classes",
                f"grades do not rise: {', '.join(classes)}",
                "list the grades from the lowest to the highest",
            )
    yield from _against_sample(ground)


def metric(ground: Ground) -> Iterator[Fault]:
    """A metric is unknown or cannot score this task."""
    specs = {"metric": ground.competition.metric}
    specs |= {f"more_metrics.{i}": s for i, s in enumerate(ground.competition.more_metrics)}
    for key, spec in specs.items():
        try:
            found = bind(METRICS, spec, code=ground.home.code)
        except ConfigError as problem:
            yield error(key, "; ".join(problem.problems), problem.remedy)
            continue
        if found.tasks and ground.task.name not in found.tasks:
            yield error(
                key,
                f"{name_of(spec)} cannot score task {ground.task.name}",
                f"metrics for it: {', '.join(ground.task.metrics)}",
            )


def deadline(ground: Ground) -> Iterator[Fault]:
    """The deadline has passed."""
    end = ground.competition.deadline
    if end is not None and end < datetime.now(UTC):
        yield warning(
            "deadline", f"{end.isoformat()} is over", "correct it, or take it out to practise"
        )


def _against_sample(ground: Ground) -> Iterator[Fault]:
    sample, competition = ground.tables.get("sample_submission"), ground.competition
    if sample is None or competition.submission.gives != "scores":
        return
    columns = [name for name in sample.frame.columns if name != competition.columns.id]
    held = [competition.submission.columns.get(name, name) for name in columns]
    known = ground.task.columns(competition.classes, competition.columns.target)
    strange = [column for column, name in zip(columns, held, strict=True) if name not in known]
    if strange:
        yield error(
            "classes",
            f"{sample.path.name} asks for {_named(strange)}, which is no class",
            "correct classes, or say in submission.columns what the column holds",
        )
    elif unasked := [name for name in known if name not in held]:
        yield warning(
            "classes",
            f"{sample.path.name} has no column for {_named(unasked)}",
            "take it out of classes, or say in submission.columns which column holds it",
        )
    elif held != list(known):
        yield warning(
            "classes",
            f"{', '.join(known)} stand in another order in {sample.path.name}: {', '.join(held)}",
            "use its order: scores are matched by name here, but not by every notebook",
        )


def _unreachable_masks(ground: Ground, masks: MasksConfig) -> Iterator[Fault]:
    """Columns of masks that train lacks, and a sample submission that is none of masks."""
    train = ground.tables.get("train")
    for name in masks.table_columns if train is not None else ():
        assert train is not None
        yield from _missing(train, "masks", name)
    is_table = ground.competition.submission.form == "table"
    if is_table and ground.tables.get("sample_submission") is not None:
        try:
            mask_shape(ground.home, ground.competition)
        except (ConfigError, DataError) as problem:
            told = "; ".join(problem.problems)
            yield error("tables.sample_submission", told, problem.remedy)


def _missing(table: Table, key: str, name: str) -> Iterator[Fault]:
    if name not in table.frame.columns:
        near = difflib.get_close_matches(name, table.frame.columns, n=1)
        yield error(
            key,
            f"{table.path.name} has no column {name!r}"
            + (f"; did you mean {near[0]!r}?" if near else ""),
            f"it has {', '.join(table.frame.columns)}",
        )


def _value(ground: Ground, key: str) -> str:
    section, name, *place = key.split(".")
    value = getattr(getattr(ground.competition, section), name)
    return str(value[int(place[0])] if place else value)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


#: Rules that need the tables alone; samples are collected only where these find no error.
TABLE_RULES: dict[str, Callable[[Ground], Iterator[Fault]]] = {
    "unreachable-column": unreachable_column,
    "group-values": group_values,
    "order-values": order_values,
    "class-order": class_order,
    "metric": metric,
    "deadline": deadline,
}

LABEL_RULES: dict[str, Callable[[Ground], Iterator[Fault]]] = {"empty-class": empty_class}

RULES = {**TABLE_RULES, **LABEL_RULES}
