"""A run's answers in single views: one folder a unit, one file of held-out predictions a view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from foldwise import predictions as predictions_file
from foldwise.config.writing import fingerprint
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.stages.training.unit import Unit
from foldwise.views import View

#: Raised whenever a view of the same name shows another image than before.
_VERSION = 1


@dataclass(frozen=True)
class UnitViews:
    """What a unit's folder holds.

    Attributes:
        made_from: hash of weights and rows.
        num_rows: held-out rows.
        read_s: seconds that reading the images added to a pass.
        seconds: view → seconds of all rows, reading aside; its file is there.
        refused: view → why the network cannot be shown it.
    """

    made_from: str
    num_rows: int
    read_s: float
    seconds: Mapping[str, float]
    refused: Mapping[str, str]


def read_views(unit: Unit) -> UnitViews:
    """What there is of a done unit's network and rows as they are now; empty if of others."""
    made_from = views_print(unit)
    stored = read_json(_record(unit))
    if stored is not None and stored["made_from"] == made_from:
        return UnitViews(**stored)
    return UnitViews(made_from, len(unit.valid_rows), 0.0, {}, {})


def views_print(unit: Unit) -> str:
    """Hash of what a done unit's answers are made from."""
    record = read_json(unit.folder.record)
    return fingerprint([_VERSION, record["weights_sha256"], record["inputs"]])


def missing_views(unit: Unit, views: Sequence[View]) -> list[View]:
    """Those that neither were answered nor refused."""
    there = read_views(unit)
    return [view for view in views if view.name not in {**there.seconds, **there.refused}]


def write_views(unit: Unit, views: Mapping[View, Predictions], found: UnitViews) -> None:
    """Publish a unit's answers in views that it had not answered, and then that they are there.

    Args:
        unit: done.
        views: view → held-out predictions.
        found: what was found of these views; what is stored of others stays.
    """
    before = read_views(unit)
    if not before.seconds:  # What is there is of other weights or rows, and must not count.
        _record(unit).unlink(missing_ok=True)
    for view, predictions in views.items():
        predictions_file.write(view_path(unit, view), predictions)
    both = UnitViews(
        found.made_from,
        found.num_rows,
        found.read_s,
        {**before.seconds, **found.seconds},
        {**before.refused, **found.refused},
    )
    publish_json(_record(unit), asdict(both))


def read_predictions(unit: Unit, view: View) -> Predictions:
    """A unit's held-out predictions by one view.

    Raises:
        DataError: the file is absent or damaged.
    """
    return predictions_file.read(view_path(unit, view))


def view_path(unit: Unit, view: View) -> Path:
    """The file of a unit's held-out predictions by one view."""
    return unit.run.unit_views(unit.folder.name) / f"{view.stem}.parquet"


def lock_of(unit: Unit) -> Path:
    """Guards a unit's folder."""
    return unit.run.unit_views(unit.folder.name) / ".lock"


def _record(unit: Unit) -> Path:
    return unit.run.unit_views(unit.folder.name) / "measured.json"
