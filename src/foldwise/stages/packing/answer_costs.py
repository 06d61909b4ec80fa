"""What making answers of scores takes: nothing of numbers, a look at every pixel of maps."""

from __future__ import annotations

import numpy as np

from foldwise import device as machine
from foldwise.maps.maps import Maps
from foldwise.stages.scoring.held_out import HeldOut

#: Samples that are timed, spread over all.
_NUM = 24


def answer_seconds(held: HeldOut, num_units: int) -> float:
    """Seconds for each sample to read what units say of it and to decide, on this machine.

    Args:
        held: out-of-fold rows of what is to be handed in, of which each one has been seen by one
            unit of each run below.
        num_units: whose mean test samples get in the end.
    """
    if not isinstance(held.scores, Maps) or not len(held):
        return 0.0
    rows = np.unique(np.linspace(0, len(held) - 1, _NUM).astype(int))
    maps, each = held.scores[rows], 1.0 / len(rows)
    for _ in range(2):  # First all is read from the disk, and compiled.
        begun = machine.monotonic()
        held.decision.answers(maps)
        decided = machine.monotonic()
        for _ in maps:
            pass
        read_s = machine.monotonic() - decided
    return each * (decided - begun + (num_units - 1) * read_s)
