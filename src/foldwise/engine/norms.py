"""Batch-norm statistics taken anew, by a pass of finished weights over the training images."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from foldwise.engine.fit_plan import FitPlan
from foldwise.engine.fit_state import FitState
from foldwise.errors import ConfigError
from foldwise.models.freezing import set_trainable, train_mode
from foldwise.models.network import Network
from foldwise.optim.schedule import Trainable


def followed_norms(network: nn.Module, trainable: Trainable) -> list[_BatchNorm]:
    """The batch norms whose statistics follow the training images; the network is in eval mode.

    Those of frozen layers keep the statistics they came with.

    Args:
        network: its modes and what trains in it are set.
        trainable: what trains at the end.

    Raises:
        ConfigError: there are none, so that nothing could be taken anew.
    """
    if isinstance(network, Network):
        set_trainable(network, trainable)
    train_mode(network)
    found = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training]
    network.eval()
    norms = [norm for norm in found if norm.track_running_stats]
    if not norms:
        raise ConfigError(
            "train.norm_update: no layer that trains is a batch norm with statistics of its own",
            remedy="take norm_update out",
        )
    return norms


@torch.no_grad()
def update_norms(state: FitState, plan: FitPlan) -> None:
    """Take the statistics that follow the training images anew, with the weights as they stand.

    They are the plain mean over the batches of the last epoch, drawn and augmented as there but
    not mixed, and cut into the same parts. Nothing is dropped out, as at inference.

    Args:
        state: its network is left in eval mode.
        plan: the network was trained by.

    Source: Izmailov et al. (2018), "Averaging weights leads to wider optima and better
    generalization", UAI; Wu and Johnson (2021), "Rethinking 'Batch' in BatchNorm", for weights
    that are no average.
    """
    norms = followed_norms(state.network, plan.stages[-1].trainable)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # The plain mean of all batches.
        norm.train()
    try:
        for batch in plan.batches(plan.num_epochs - 1, 0):
            inputs = batch.inputs(state.accelerator.device)
            for part in zip(*(each.chunk(plan.accumulate) for each in inputs), strict=True):
                with state.accelerator.autocast():
                    state.network(*part)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
