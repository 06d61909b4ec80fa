"""Figures kept in the repository, since the folder that runs are made in may be lost.

A file for each pack, and one for the gallery. What is measured again, as deep or deeper, replaces
what is there; without the files all is measured anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studies import Depth, Study

from foldwise.json_files import read_json
from foldwise.publish import publish_json


@dataclass(frozen=True)
class Row:
    """A trick over its reference.

    Attributes:
        num_seeds: paired.
        num_folds: that each seed is trained on.
        better_by: mean difference of one-seed scores.
        ends: of the 95 % interval of that, low and high; None: there is none.
        verdict: of `foldwise compare`; None: it was screened only.
        time: its processor time per unit over its reference's; None: not known.
    """

    num_seeds: int
    num_folds: int
    better_by: float
    ends: Sequence[float] | None
    verdict: str | None
    time: float | None

    def reaches(self, depth: Depth, study: Study) -> bool:
        """Whether it was measured that far."""
        num_folds = study.num_folds if depth.folds is None else len(depth.folds)
        return self.num_seeds >= len(depth.seeds) and self.num_folds >= num_folds


@dataclass(frozen=True)
class Base:
    """The base recipe's score.

    Attributes:
        num_seeds: that it is a mean of.
        num_folds: that each seed is trained on.
        metric: its label.
        score: mean of one-seed scores.
        spread: of them over seeds.
        num_rows: held out.
        seconds: of the processor, a unit; None: not known.
    """

    num_seeds: int
    num_folds: int
    metric: str
    score: float
    spread: float
    num_rows: int
    seconds: float | None


@dataclass(frozen=True)
class Figures:
    """What is known of a pack: its base, None if nothing was measured, and rows by trick."""

    base: Base | None
    rows: dict[str, Row]

    def over(self, older: Figures) -> Figures:
        """Laid over what was known before: where both tell of the same, the deeper one stays."""
        rows = dict(older.rows)
        rows |= {name: row for name, row in self.rows.items() if _is_deep(row, rows.get(name))}
        is_deep = self.base is not None and _is_deep(self.base, older.base)
        return Figures(self.base if is_deep else older.base, rows)


@dataclass(frozen=True)
class GalleryScore:
    """What a recipe of the gallery scored.

    Attributes:
        metric: its label.
        score: of one seed.
        ends: of its interval over rows, low and high; None: there is none.
        got: how, cross-fitted for one.
        num_folds: that were held out.
        seconds: of the processor, all folds; None: not known.
    """

    metric: str
    score: float
    ends: Sequence[float] | None
    got: str
    num_folds: int
    seconds: float | None


def read_figures(folder: Path, pack: str) -> Figures:
    """Those of a pack that are kept."""
    facts = _read(folder, pack)
    base = facts.get("base")
    rows = {name: Row(**row) for name, row in facts.get("rows", {}).items()}
    return Figures(None if base is None else Base(**base), rows)


def keep_figures(folder: Path, study: Study, figures: Figures) -> None:
    """Store them, rows in the order of work; of a trick that is no more there is none."""
    rows = figures.rows
    kept = {trick.name: asdict(rows[trick.name]) for trick in study.tricks if trick.name in rows}
    base = None if figures.base is None else asdict(figures.base)
    publish_json(folder / f"{study.pack}.json", {"base": base, "rows": kept})


def read_gallery(folder: Path) -> dict[str, GalleryScore]:
    """The gallery's, by recipe."""
    return {name: GalleryScore(**facts) for name, facts in _read(folder, "gallery").items()}


def keep_gallery(folder: Path, scores: dict[str, GalleryScore]) -> None:
    """Store them."""
    publish_json(folder / "gallery.json", {name: asdict(each) for name, each in scores.items()})


def _read(folder: Path, name: str) -> dict[str, Any]:
    return read_json(folder / f"{name}.json") or {}


def _is_deep(newer: Row | Base, older: Row | Base | None) -> bool:
    return older is None or (
        newer.num_seeds >= older.num_seeds and newer.num_folds >= older.num_folds
    )
