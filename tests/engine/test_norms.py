"""Batch-norm statistics taken anew, against torch's own."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from foldwise.engine.fit import fit
from foldwise.engine.fit_state import FitState
from foldwise.engine.norms import followed_norms, update_norms
from foldwise.errors import ConfigError
from foldwise.models.building import build
from foldwise.models.freezing import set_trainable
from foldwise.models.network import Network
from foldwise.optim.schedule import Stage
from tests.engine.test_fit import make_plan, make_state


def small(name: str = "small_cnn", **options) -> Network:
    torch.manual_seed(0)
    return build(name=name, num_outputs=3, size=8, options=options)


def trained(**changes) -> FitState:
    state = make_state(mean=True)
    list(fit(state, make_plan(**changes)))
    state.network.load_state_dict(state.weights())
    return state


def test_statistics_are_those_that_torch_takes_from_the_last_epoch():
    plan = make_plan()
    state, other = trained(), trained()
    before = state.network[2].running_mean.clone()
    update_norms(state, plan)
    other.network[5].p = 0.0
    update_bn([batch.images for batch in plan.batches(2, 0)], other.network)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(state.network[2], name), getattr(other.network[2], name))
    assert not torch.allclose(before, state.network[2].running_mean)
    assert state.network[2].momentum == 0.1
    assert not any(module.training for module in state.network.modules())


def test_weights_stay_and_doing_it_again_gives_the_same_bits():
    plan = make_plan(accumulate=2)
    state = trained()
    weights = [p.detach().clone() for p in state.network.parameters()]
    found = []
    for _ in range(2):
        update_norms(state, plan)
        found.append({k: v.clone() for k, v in state.network.named_buffers()})
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name
    for before, after in zip(weights, state.network.parameters(), strict=True):
        assert torch.equal(before, after)


def test_parts_of_a_batch_are_normalised_as_in_training():
    state, other = trained(), trained()
    update_norms(state, make_plan(accumulate=2))
    parts = [part for batch in make_plan().batches(2, 0) for part in batch.images.chunk(2)]
    other.network[5].p = 0.0
    update_bn(parts, other.network)
    torch.testing.assert_close(state.network[2].running_var, other.network[2].running_var)


def test_frozen_layers_keep_the_statistics_they_came_with():
    state = make_state()
    state.network = network = small(widths=(8, 8))
    stages = (Stage(1, {"last": 1}, 0.0, 0.0, "constant"),)
    before = {name: value.clone() for name, value in network.named_buffers()}
    update_norms(state, make_plan(stages=stages))
    changed = {k for k, v in network.named_buffers() if not torch.equal(v, before[k])}
    set_trainable(network, {"last": 1})
    modules = dict(network.named_modules())
    expected = {
        name
        for name in before
        if "running" in name or "tracked" in name
        if any(p.requires_grad for p in modules[name.rpartition(".")[0]].parameters())
    }
    assert changed == expected
    assert 0 < len(expected) < len([name for name in before if "running_mean" in name]) * 3


@pytest.mark.parametrize(
    ("network", "trainable"),
    [(small(), "head"), (nn.Linear(2, 2), "all"), (nn.BatchNorm1d(2, affine=True), "none")],
)
def test_a_network_without_statistics_to_take_is_refused(network, trainable):
    if isinstance(network, nn.BatchNorm1d):
        network.requires_grad_(False)
    with pytest.raises(ConfigError, match="no layer that trains is a batch norm"):
        followed_norms(network, trainable)
