"""What changes while fitting, and how it is saved and put back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from foldwise.data.samplers import RowLosses
from foldwise.engine.checkpoint import Checkpoint, pack_optimizer, unpack_optimizer
from foldwise.engine.compiling import Outputs
from foldwise.optim.averaging import Ema, WeightMean
from foldwise.optim.lookahead import Lookahead


@dataclass
class Sums:
    """Over the images of an epoch so far: the loss, its terms, and how many they are."""

    loss: float = 0.0
    count: int = 0
    terms: dict[str, float] = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The mean of each term."""
        return {name: term / max(self.count, 1) for name, term in self.terms.items()}


@dataclass
class FitState:
    """What changes while fitting: saved after a step or an epoch, put back to go on.

    Attributes:
        network: trained in place.
        optimizer: over the network's parameters.
        accelerator: precision and device.
        outputs: how a step calls the network.
        ema: moving average of the weights, or None.
        mean: mean of the weights over the last epochs, or None.
        lookahead: slow weights, which the network's own are set back to, or None.
        row_losses: last loss of each row, for a sampler, or None.
        epoch: epochs done.
        step: steps done of the next epoch.
        sums: of that epoch.
        skipped: rows of batches that were skipped.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    outputs: Outputs
    ema: Ema | None = None
    mean: WeightMean | None = None
    lookahead: Lookahead | None = None
    row_losses: RowLosses | None = None
    epoch: int = 0
    step: int = 0
    sums: Sums = field(default_factory=Sums)
    skipped: list[int] = field(default_factory=list)

    def checkpoint(self, extra: dict[str, Any]) -> Checkpoint:
        """The state as tensors and JSON values; `extra` comes back as it is."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        slots, scalars = pack_optimizer(self.optimizer)
        meta: dict[str, Any] = {
            "optimizer": scalars,
            "sums": asdict(self.sums),
            "skipped": self.skipped,
            "extra": extra,
        }
        for name, kept in self._kept():
            tensors |= {f"{name}.{k}": v for k, v in kept.state().items()}
        if self.accelerator.scaler is not None:
            meta["scaler"] = self.accelerator.scaler.state_dict()
        return Checkpoint(self.epoch, tensors | slots, meta, self.step)

    def restore(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Go back to a checkpoint; returns its `extra`."""
        tensors, meta = checkpoint.tensors, checkpoint.meta
        self.network.load_state_dict(_under("network.", tensors))
        unpack_optimizer(self.optimizer, tensors, meta["optimizer"])
        for name, kept in self._kept():
            kept.load(_under(f"{name}.", tensors))
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(meta["scaler"])
        self.skipped = list(meta["skipped"])
        self.sums = Sums(**meta["sums"])
        self.epoch, self.step = checkpoint.epoch, checkpoint.step
        return dict(meta["extra"])

    def _kept(self) -> list[tuple[str, Ema | WeightMean | Lookahead | RowLosses]]:
        kept = (
            ("ema", self.ema),
            ("mean", self.mean),
            ("lookahead", self.lookahead),
            ("row_losses", self.row_losses),
        )
        return [(name, each) for name, each in kept if each is not None]

    def weights(self) -> dict[str, torch.Tensor]:
        """The weights that count: averaged where an average is kept, else the last."""
        if self.ema is not None:
            return self.ema.weights()
        if self.mean is not None and self.mean.count:
            return self.mean.weights()
        return {k: v.detach().clone() for k, v in self.network.state_dict().items()}


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
