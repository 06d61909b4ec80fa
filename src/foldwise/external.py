"""External data: rows of tables from elsewhere, under ids of their own and our labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise.collecting import collect
from foldwise.config.competition import Competition
from foldwise.config.data import ExternalConfig, Tables
from foldwise.config.loading import origins
from foldwise.errors import ConfigError, DataError, FoldwiseError, RulesError
from foldwise.samples import Samples

#: What the ids of external rows begin with, and the name of the set after it.
_PREFIX = "external"
#: Where a folder per class has its labels.
_CLASS_CELL = "label"


def check_rules(path: Path, competition: Competition) -> None:
    """Refuse external data that the rules forbid.

    Args:
        path: of `competition.yaml`.
        competition: what it says.

    Raises:
        RulesError: there is some; names file and line.
    """
    if competition.external and competition.rules.external_data == "forbidden":
        where = origins(path)
        raise RulesError(
            f"{where.get('external', path)}: external: {', '.join(competition.external)}: the "
            f"rules forbid it ({where['rules.external_data']}: external_data: forbidden)",
            remedy="take external out; if the organiser allows it, set rules.external_data: "
            "allowed",
        )


def collect_external(competition: Competition, folder: Path, own: Samples) -> Samples:
    """The rows of all external data, their image files found but not opened.

    Args:
        competition: that declares them.
        folder: of the competition, which their folders are relative to.
        own: rows of train and test, whose columns are kept.

    Returns:
        Rows of split `external`, files and tables relative to the competition's data folder, the
        labels as ours in our columns. Other cells are kept where train or test has the column.

    Raises:
        ConfigError: the label columns are not as many as ours, or labels cannot be mapped.
        DataError: a table, column or image is missing, or an id is one of train or test.
    """
    parts = [own.frame.iloc[:0]]
    for name, config in competition.external.items():
        try:
            parts.append(_rows(competition, name, config, folder, own))
        except FoldwiseError as problem:
            said = [f"external.{name}: {text}" for text in problem.problems]
            raise type(problem)(*said, remedy=problem.remedy) from None
    found = Samples(pd.concat(parts, ignore_index=True).fillna(""))
    taken = sorted(set(found.ids) & set(own.ids))
    if taken:
        raise DataError(
            f"{len(taken)} ids of train or test are those of external rows, such as {taken[0]}",
            remedy=f"ids that begin with {_PREFIX}/ are kept for external data: set "
            "columns.train_prefix in competition.yaml",
        )
    return found


def external_set(samples: Samples, name: str) -> np.ndarray:
    """(n,) int64 positions of one set's rows among all external rows."""
    prefix = f"{_PREFIX}/{name}/"
    return np.flatnonzero([str(row).startswith(prefix) for row in samples.ids])


def _rows(
    competition: Competition, name: str, config: ExternalConfig, folder: Path, own: Samples
) -> pd.DataFrame:
    source = (folder / config.data).resolve()
    images = config.images or competition.images
    ours = competition.columns.target
    is_class_folder = images.kind == "class_folder"
    theirs = config.columns.target or ((_CLASS_CELL,) if is_class_folder else ours)
    _check(config, ours, theirs)
    columns = competition.columns.model_copy(
        update={
            "id": config.columns.id or competition.columns.id,
            "target": theirs,
            "group": (),
            "train_prefix": f"{_PREFIX}/{name}/",
        }
    )
    view = competition.model_copy(
        update={"tables": Tables(train=config.table), "images": images, "columns": columns}
    )
    frame = collect(view, source).frame.assign(split=_PREFIX)
    data = (folder / competition.data).resolve()
    for column in ("file", "table"):
        frame[column] = [_relative(source / path, data) for path in frame[column]]
    labels = {
        f"cell:{our}": frame[f"cell:{their}"] for our, their in zip(ours, theirs, strict=True)
    }
    frame = frame.assign(**labels)
    if config.labels:
        cell = f"cell:{ours[0]}"
        mapped = _mapped(frame[cell], config.labels, columns.separator)
        frame = frame.assign(**{cell: pd.Series(mapped, frame.index, dtype=object)})
        frame = frame[[ours is not None for ours in mapped]]
    if frame.empty:
        raise DataError("labels: no row is left", remedy="map some label to one of ours")
    known = set(own.frame.columns)
    return frame[[column for column in frame.columns if column in known]]


def _check(config: ExternalConfig, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    if len(theirs) != len(ours):
        raise ConfigError(
            f"columns.target: found {len(theirs)} columns, train has {len(ours)}",
            remedy=f"name one for each of {', '.join(ours)}",
        )
    if config.labels and len(ours) > 1:
        raise ConfigError(
            f"labels: there are {len(ours)} label columns of 0 and 1, whose names are the labels",
            remedy="take labels out, and order columns.target as in train",
        )


def _relative(path: Path, data: Path) -> str:
    return Path(os.path.relpath(path, data)).as_posix()


def _mapped(
    cells: pd.Series, labels: Mapping[str, str | None], separator: str | None
) -> list[str | None]:
    """Our label of each cell; None: the row is left out. Of several labels in a cell, each."""

    def mapped(cell: str) -> str | None:
        parts = cell.split(separator) if separator else [cell]
        found = [ours for part in parts if (ours := labels.get(part, part)) is not None]
        return (separator or "").join(found) if found else None

    return [mapped(str(cell)) for cell in cells]
