"""How often each row is drawn: by its class or by its last loss, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from foldwise.data.draws import Share


@dataclass(frozen=True)
class Standing:
    """What is known of the rows to draw from when an epoch begins.

    Attributes:
        classes: (N,) int64, the class of each row; None where rows have not one class each.
        progress: 0 in the first epoch of the schedule, 1 in the last.
        losses: (N,) float64, last loss of each row; NaN: not seen yet.
    """

    classes: np.ndarray | None
    progress: float
    losses: np.ndarray


#: What is known → (N,) chance of each row to be drawn, mean 1; None: each row once.
Sampler = Callable[[Standing], np.ndarray | None]


def balanced(standing: Standing) -> np.ndarray:
    """Every class equally often: a row's chance is 1 / (rows of its class)."""
    return _mean_1(1.0 / _class_sizes(standing))


def square_root(standing: Standing) -> np.ndarray:
    """Classes by the square root of their rows: half way between natural and balanced.

    Source: Mahajan et al. (2018), "Exploring the limits of weakly supervised pretraining", ECCV;
    compared in Kang et al. (2020).
    """
    return _mean_1(_class_sizes(standing) ** -0.5)


def progressive(standing: Standing) -> np.ndarray | None:
    """From natural shares in the first epoch to balanced ones in the last, in a straight line.

    Source: Kang et al. (2020), "Decoupling representation and classifier for long-tailed
    recognition", ICLR, equation 3.
    """
    if standing.progress == 0:
        return None
    sizes = _class_sizes(standing)
    num_classes = np.sum(1.0 / sizes)
    shares = (1 - standing.progress) / len(sizes) + standing.progress / (num_classes * sizes)
    return _mean_1(shares)


def hard(
    standing: Standing,
    *,
    floor: Share = 0.25,
    power: Annotated[float, Field(gt=0, le=4)] = 1.0,
) -> np.ndarray | None:
    """Rows by their last loss; every row once until all have been seen.

    Args:
        standing: what is known.
        floor: share of the draws that goes to all rows alike, so that none is forgotten and its
            loss does not grow old.
        power: of the loss; above 1 the hardest rows get more.

    Source: Loshchilov and Hutter (2016), "Online batch selection for faster training of neural
    networks", ICLR workshop; here in proportion to the loss instead of its rank.
    """
    if np.isnan(standing.losses).all():
        return None
    # A row whose batch was skipped has no loss yet: it counts as an ordinary one.
    losses = np.where(np.isnan(standing.losses), np.nanmean(standing.losses), standing.losses)
    weights = np.asarray(np.clip(losses, 0.0, None) ** power)
    if not weights.any():
        return None
    return np.asarray(floor + (1 - floor) * _mean_1(weights))


class RowLosses:
    """The last training loss of each row, and as it was when the epoch began.

    Args:
        num: rows.
    """

    def __init__(self, num: int) -> None:
        self._last = np.full(num, np.nan)
        self._before = self._last.copy()
        self._epoch = -1

    def at_start(self, epoch: int) -> np.ndarray:
        """(N,) losses that the epoch is drawn by; the same however far into it one asks."""
        if epoch != self._epoch:
            self._before, self._epoch = self._last.copy(), epoch
        return self._before

    def update(self, rows: np.ndarray, losses: torch.Tensor) -> None:
        """Take in the losses of a batch; of a row that is in it twice the later one counts."""
        self._last[rows] = losses.detach().double().cpu().numpy()

    def state(self) -> dict[str, torch.Tensor]:
        """Everything needed to go on, as flat named tensors."""
        return {
            "last": torch.from_numpy(self._last.copy()),
            "before": torch.from_numpy(self._before.copy()),
            "epoch": torch.tensor(self._epoch),
        }

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` gave."""
        self._last = state["last"].numpy().copy()
        self._before = state["before"].numpy().copy()
        self._epoch = int(state["epoch"])


def _class_sizes(standing: Standing) -> np.ndarray:
    """(N,) float64, the number of rows that are of a row's class."""
    assert standing.classes is not None
    sizes = np.bincount(standing.classes)[standing.classes]
    return np.asarray(sizes, dtype=np.float64)


def _mean_1(weights: np.ndarray) -> np.ndarray:
    return np.asarray(weights / weights.mean())


SAMPLERS: dict[str, Callable[..., np.ndarray | None]] = {
    "balanced": balanced,
    "square_root": square_root,
    "progressive": progressive,
    "hard": hard,
}
#: Those that draw by loss, by class, and with the same class shares in every epoch.
BY_LOSS = frozenset({"hard"})
BY_CLASS = frozenset({"balanced", "square_root", "progressive"})
STEADY = frozenset({"balanced", "square_root"})
