"""What units take on another machine, as an answer of a pack has measured it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from foldwise.errors import ConfigError
from foldwise.json_files import read_json
from foldwise.stages.packing.costs import Measured


@dataclass(frozen=True)
class Elsewhere:
    """How long units of a pack took on a machine.

    Attributes:
        machine: what it is.
        num_images: test samples that were answered.
        start_s: seconds before the first unit.
        units: `run/unit` → seconds; of units side by side, each its share.
        num_views: run → in how many views an image was passed.
    """

    machine: str
    num_images: int
    start_s: float
    units: Mapping[str, float]
    num_views: Mapping[str, float]

    def brought(self, here: Measured) -> Measured:
        """What was measured here, in times of that machine.

        Runs that were not measured there are taken to differ as the others do.
        """
        measured = {
            name: [seconds for unit, seconds in self.units.items() if unit.split("/")[0] == name]
            for name in self.num_views
            if name in here.runs
        }
        factors = {
            name: sum(seconds) / self._forecast(name, here, len(seconds))
            for name, seconds in measured.items()
            if seconds
        }
        if not factors:
            raise ConfigError(
                f"{self.machine}: nothing of this run was measured there",
                remedy="take the answer.json of a pack of the same run, or say --slower",
            )
        others = median(factors.values())
        runs = {name: run.times(factors.get(name, others)) for name, run in here.runs.items()}
        start_s = max(self.start_s, others * here.start_s)
        return Measured(start_s, here.num_images, runs, others * here.hand_in_s)

    def _forecast(self, name: str, here: Measured, num_units: int) -> float:
        """Seconds of as many of a run's units here, for as many images."""
        run = here.runs[name]
        as_many = replace(run, view_s=run.view_s * self.num_images / max(here.num_images, 1))
        num_views = self.num_views[name]
        return as_many.first(num_views) + (num_units - 1) * as_many.more(num_views)


def read_elsewhere(path: Path) -> Elsewhere:
    """What the `answer.json` that a pack has left says of its machine.

    Raises:
        ConfigError: it is none, or no unit was done.
    """
    found = read_json(path)
    measured = found.get("measured") if isinstance(found, dict) else None
    if not measured or not measured["units"]:
        raise ConfigError(
            f"{path}: no answer.json of a pack that has answered",
            remedy="run the pack there once, and take the answer.json beside its submission",
        )
    return Elsewhere(**measured)
