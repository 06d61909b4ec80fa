"""How long views take to measure, and which of them there is time and disk for."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from foldwise.errors import BudgetError
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.training.unit import Unit
from foldwise.stages.viewing.candidates import Candidates
from foldwise.stages.viewing.files import missing_views
from foldwise.views import View

#: A short trial says too little; and each unit starts a process and loads its weights.
_MARGIN, _UNIT_S = 1.3, 4.0
#: Of the free disk, what maps of views may take.
_MAX_SHARE = 0.8


@dataclass(frozen=True)
class Cost:
    """Seconds that measuring takes, with a margin.

    Attributes:
        views: view → seconds of all units that have not answered it.
        start: of these units' processes.
    """

    views: dict[str, float]
    start: float

    @classmethod
    def of(cls, units: Sequence[Unit], candidates: Candidates, rate: float) -> Cost:
        """By the images per second that one network takes as they are."""
        side = units[0].recipe.input.size
        num_rows = {
            view.name: sum(len(u.valid_rows) for u in units if missing_views(u, [view]))
            for view in candidates.views
        }
        waiting = [unit for unit in units if missing_views(unit, candidates.views)]
        lanes = max(1, min(side_by_side(None)[0], len(waiting)))
        seconds = {
            view.name: _MARGIN * num_rows[view.name] * view.cost((side, side)) / (rate * lanes)
            for view in candidates.views
        }
        return cls(seconds, _UNIT_S * math.ceil(len(waiting) / lanes))

    @property
    def total(self) -> float:
        """Of all views; 0 if all are measured."""
        return sum(self.views.values()) + self.start


def affordable(candidates: Candidates, cost: Cost, left: float) -> Candidates:
    """The candidates that can be measured in time, those that come first before others.

    Args:
        candidates: in the order of their worth.
        cost: of them.
        left: seconds that there are.

    Raises:
        BudgetError: there is no time for any beside those that others are compared with.
    """
    if cost.total <= left:
        return candidates
    needed = cost.start + sum(cost.views[name] for name in candidates.must)
    spent, late, more = needed, [], 0
    for view in candidates.views:
        seconds = cost.views[view.name]
        if view.name in candidates.must:
            continue
        if seconds and spent + seconds > left:
            late.append(view.name)
        else:
            spent, more = spent + seconds, more + 1
    if needed > left or not more:
        raise BudgetError(
            f"the image as it is and the recipe's own views take about {duration(needed)}, and at "
            f"least one more has to be measured within {duration(left)}",
            remedy="give more time; what is measured once is kept",
        )
    return candidates.without(dict.fromkeys(late, "there is no time for it within the limit"))


def check_disk(units: Sequence[Unit], views: Sequence[View]) -> None:
    """Check that there is disk for the maps of views, each as large as the unit's own.

    Args:
        units: done.
        views: to be measured.

    Raises:
        BudgetError: there is not.
    """
    need = sum(_map_bytes(unit) * len(missing_views(unit, views)) for unit in units)
    free = shutil.disk_usage(units[0].run.path).free
    if need > _MAX_SHARE * free:
        raise BudgetError(
            f"the maps of {len(views)} views take about {need / 1e9:.2g} GB, {free / 1e9:.2g} GB "
            f"are free, and they may take {_MAX_SHARE:.0%} of it",
            remedy="name fewer views by --candidates, or free some disk",
        )


def _map_bytes(unit: Unit) -> int:
    """Of the unit's own held-out maps; 0: its predictions are numbers, which take little."""
    maps = unit.folder.valid.with_suffix(".arrow")
    return maps.stat().st_size if maps.exists() else 0
