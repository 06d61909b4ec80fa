"""Reads a competition as far as it can be read, and finds what is wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from foldwise import samples as samples_file
from foldwise.collecting import collect
from foldwise.config.loading import origins
from foldwise.config.plan import Plan
from foldwise.config.reading import shown
from foldwise.data.folds_file import read_folds
from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.masks.of_samples import read_masks
from foldwise.samples import Samples
from foldwise.stages.examining import over_time
from foldwise.stages.examining.cases import Ground
from foldwise.stages.examining.competition_rules import LABEL_RULES, TABLE_RULES
from foldwise.stages.examining.finding import Finding, apply_rules, from_error
from foldwise.stages.recipes import Places
from foldwise.tables import Table, read_table
from foldwise.tasks.asked import data_folder, load_competition, read_target

#: Rules whose findings say that the rows cannot be read, so that nobody is told twice.
_UNREADABLE = {"data", "unreachable-column"}


def open_ground(home: Home, plan: Plan | None, found: list[Finding]) -> Ground | None:
    """The competition, its tables, rows, labels and folds.

    Args:
        home: the competition's folder.
        plan: if it could be read.
        found: findings are added.

    Returns:
        What could be read; None if `competition.yaml` itself could not.
    """
    try:
        competition, task = load_competition(home)
        places = Places(shown(home.competition), origins(home.competition))
    except FoldwiseError as problem:
        found += from_error(problem, "config")
        return None
    ground = Ground(home, competition, task, {}, plan=plan)
    ground = replace(ground, tables=dict(_tables(ground, found)))
    found += apply_rules(TABLE_RULES, ground, places=places)
    if _UNREADABLE & {finding.rule for finding in found}:
        return ground
    try:
        rows = collect(competition, data_folder(home, competition))
        train = rows.part("train")
        ground = replace(ground, train=train, side_px=_side_px(home))
        ground = replace(ground, target=_target(ground, train))
    except FoldwiseError as problem:
        found += from_error(
            problem, "labels" if ground.train is not None else "data", where=places.file
        )
        return ground
    ground = replace(ground, folds=_folds(home, train))
    found += apply_rules({**LABEL_RULES, **over_time.RULES}, ground, places=places)
    return ground


def _tables(ground: Ground, found: list[Finding]) -> Iterator[tuple[str, Table]]:
    data = data_folder(ground.home, ground.competition)
    for part in ("train", "test", "sample_submission"):
        name = getattr(ground.competition.tables, part)
        if name is None or (data / name).is_dir():
            continue
        try:
            yield part, read_table(data / name)
        except FoldwiseError as problem:
            found += from_error(problem, "data", where=shown(ground.home.competition))


def _target(ground: Ground, train: Samples) -> np.ndarray | None:
    """Labels of the train rows; of masks which classes are in each, once `prepare` kept them."""
    if ground.task.kind != "map":
        return read_target(ground.competition, ground.task, train)
    if not ground.home.masks.exists():
        return None
    names, masks = read_masks(ground.home.masks)
    places = pd.Index(names).get_indexer(pd.Index(train.ids))
    # Damaged images have no masks; rows that have come since are prepared later.
    return np.asarray(np.where(places[:, None] >= 0, masks.present[places], 0))


def _side_px(home: Home) -> float | None:
    """Median shorter side of the images; None before `prepare`."""
    if not home.samples.exists():
        return None
    frame = samples_file.read(home.samples).whole().frame
    return float(frame[["width", "height"]].min(axis=1).median())


def _folds(home: Home, train: Samples) -> np.ndarray | None:
    """Folds of the train rows; None before `split`, or if rows have come since."""
    if not home.folds.exists():
        return None
    known = read_folds(home.folds)
    if not all(name in known for name in train.ids):
        return None
    return np.array([known[name] for name in train.ids], dtype=np.int64)
