"""How often each image with masks is drawn: by what is in it, and by what was seen there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from foldwise.data.draws import Share


@dataclass(frozen=True)
class MaskStanding:
    """What is known of the rows to draw from when an epoch begins.

    Attributes:
        present: (N, C) bool, which classes are in each row.
        peaks: (N,) float64 in [0, 1], what `peaks` gave when the row was last trained on; NaN: not
            seen yet.
    """

    present: np.ndarray
    peaks: np.ndarray


#: What is known → (N,) chance of each row to be drawn, mean 1; None: each row once.
MaskSampler = Callable[[MaskStanding], np.ndarray | None]


def defects(standing: MaskStanding, *, share: Share = 0.5) -> np.ndarray | None:
    """A share of the draws goes to rows in which there is something, all classes alike.

    A class is drawn, then a row that has it: so a row of two classes has the chances of both. The
    rest of the draws go to clean rows alike.

    Args:
        standing: what is known.
        share: of the draws.
    """
    return _shared(standing, share, np.ones(len(standing.present)))


def hard_negatives(
    standing: MaskStanding,
    *,
    share: Share = 0.5,
    floor: Share = 0.25,
    power: Annotated[float, Field(gt=0, le=4)] = 1.0,
) -> np.ndarray | None:
    """As `defects`; clean rows by how sure the network was to see something in them.

    Args:
        standing: what is known.
        share: of the draws that goes to rows in which there is something.
        floor: share of the draws of clean rows that goes to all of them alike, so that none is
            forgotten and what was seen in it does not grow old.
        power: of the peak; above 1 the hardest rows get more.

    Source: Shrivastava, Gupta and Girshick (2016), "Training region-based object detectors with
    online hard example mining", CVPR; here of whole images, from epoch to epoch.
    """
    is_clean = ~standing.present.any(axis=1)
    peaks = standing.peaks
    seen = is_clean & ~np.isnan(peaks)
    hardness = np.ones(len(peaks))
    if seen.any() and peaks[seen].any():
        # One that was not seen yet counts as an ordinary one.
        hardness[is_clean] = peaks[seen].mean()
        hardness[seen] = peaks[seen]
        hardness **= power
        hardness = floor + (1 - floor) * hardness / hardness[is_clean].mean()
    return _shared(standing, share, hardness)


def peaks(probs: torch.Tensor, *, share: float = 1e-3) -> torch.Tensor:
    """How sure a network is to see something: the mean of the highest probabilities.

    Args:
        probs: (N, C, H, W) in [0, 1].
        share: of the pixels that are looked at, those of the class that is surest.

    Returns:
        (N,) float.
    """
    flat = probs.detach().flatten(2)
    num = max(1, round(share * flat.shape[2]))
    return flat.topk(num, dim=2).values.float().mean(dim=2).amax(dim=1)


def _shared(standing: MaskStanding, share: float, clean: np.ndarray) -> np.ndarray | None:
    """Chances where clean rows have those given, among themselves."""
    present = standing.present
    is_clean = ~present.any(axis=1)
    if is_clean.all():
        return None
    sizes = present.sum(axis=0)
    filled = (present[:, sizes > 0] / sizes[sizes > 0]).sum(axis=1)
    found = share * filled / filled.sum()
    if is_clean.any():
        found[is_clean] = (1 - share) * clean[is_clean] / clean[is_clean].sum()
    return np.asarray(found / found.mean())


MASK_SAMPLERS: dict[str, Callable[..., np.ndarray | None]] = {
    "defects": defects,
    "hard_negatives": hard_negatives,
}
#: Those that draw by what the network saw.
BY_PEAK = frozenset({"hard_negatives"})
