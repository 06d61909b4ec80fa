"""A time limit on one run: its units are shortened to fit before they start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from foldwise.json_files import read_json
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.forecast import epochs_within, measure, num_epochs
from foldwise.stages.scheduling.standing import UnitsOf, standing
from foldwise.stages.training.unit import Unit


def shortened(wanted: Sequence[Unit], every: UnitsOf, seconds: float, show: Display) -> list[Unit]:
    """Units of one run, at the length that the time allows by forecast.

    Where units of the run are done, in full or at a length that was chosen before, the others
    get the same. So do they where one is begun at such a length: by other rates, or a second less,
    it would begin anew.

    Args:
        wanted: units at full length.
        every: makes all units of the run, these among them.
        seconds: that training may take.
        show: where it is said.
    """
    first = wanted[0]
    recorded = (read_json(first.run.record) or {}).get("epochs")
    state = standing(every, recorded, keeps_short=True)
    epochs = state.epochs
    if not (state.is_settled or (epochs is not None and state.is_begun)):
        rates, _ = measure(first.problem.home, {first.run.name: first.recipe}, seconds=seconds)
        if first.run.name not in rates:
            return list(wanted)  # Its trial failed: training fails as well, and says why.
        within = epochs_within(wanted, rates[first.run.name], seconds)
        epochs = None if within >= num_epochs(first.recipe) else within
    if epochs is not None:
        show.warn(
            f"{first.run.name} is trained for {epochs} of {num_epochs(first.recipe)} epochs, to "
            f"end in {duration(seconds)}"
        )
    return [replace(unit, epochs=epochs) for unit in wanted]
