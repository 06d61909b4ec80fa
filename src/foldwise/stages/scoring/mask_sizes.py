"""Which parts of masks were found and which are false, by class and by size."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise.masks.hits import component_hits
from foldwise.masks.of_samples import Masks
from foldwise.metrics.mask_counts import uncounted

#: Each bin reaches to so many times the area of the one before: sides of 2, 4, 8, 16... pixels.
_FACTOR = 4
_MOST_BINS = 32
#: Samples whose parts are found together.
_AT_ONCE = 256


def parts_by_size(answers: Masks, target: Masks, classes: tuple[str, ...]) -> dict[str, Any]:
    """What hangs together in truths and in answers, counted by its area.

    A part of a truth is found where any of its pixels is answered; a part of an answer is false
    where none of its pixels is true. What hangs together includes what touches at a corner.

    Args:
        answers: of N samples and C classes.
        target: of the same samples.
        classes: C names.

    Returns:
        `bins`: least and most area of each, pixels, both counted; each reaches to 4 times the area
        of the one before. `by_class`: for each class `found`, `there` and `false`, a number for
        each bin.
    """
    # Found, there and false, by class and bin; no image has more pixels than the last one holds.
    counts = np.zeros((3, len(classes), _MOST_BINS), np.int64)
    for start in range(0, len(target), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        _count(answers[rows], target[rows], counts)
    shown = np.flatnonzero(counts.any(axis=(0, 1)))
    low, high = (int(shown[0]), int(shown[-1]) + 1) if len(shown) else (0, 0)
    found, there, false = counts[:, :, low:high].tolist()
    return {
        "bins": [[_FACTOR**n, _FACTOR ** (n + 1) - 1] for n in range(low, high)],
        "by_class": [
            {"class": name, "found": found[c], "there": there[c], "false": false[c]}
            for c, name in enumerate(classes)
        ],
    }


def _count(answers: Masks, target: Masks, counts: np.ndarray) -> None:
    """Add the parts of some samples to (3, C, B) counts."""
    ignored = target.ignored
    if ignored is not None:
        ignored = uncounted(ignored, target.runs, target.num_classes)
    true = component_hits(target.runs, answers.runs)
    answered = component_hits(answers.runs, target.runs, ignored)
    for place, hits, chosen in (
        (0, true, true.common > 0),
        (1, true, np.ones(len(true), np.bool_)),
        (2, answered, answered.common == 0),
    ):
        bins = np.floor(np.log2(hits.areas[chosen]) / np.log2(_FACTOR)).astype(np.int64)
        np.add.at(counts[place], (hits.owners[chosen] % target.num_classes, bins), 1)
