"""Compiled steps: the same training, whatever was compiled before, and only where it pays."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from foldwise.engine import compiling as module
from foldwise.engine.compiling import CompileTrial, compile_trial, training_outputs
from foldwise.engine.fit import EpochEnd, fit
from foldwise.models.building import build
from tests.engine.test_fit import make_plan, make_state

CPU = torch.device("cpu")


def trained(*, compiled: bool, stop_after: int | None = None):
    """The state after an epoch count, and the mean loss of each epoch."""
    state = make_state(name="sgd")
    state.outputs = training_outputs(state.network, compiled=compiled)
    losses = []
    for event in fit(state, make_plan()):
        if isinstance(event, EpochEnd):
            losses.append(event.loss)
            if len(losses) == stop_after:
                break
    return state, losses


@pytest.fixture
def compiles():
    if module.obstacle(CPU):
        pytest.skip("no C++ compiler")
    yield
    torch.compiler.reset()


def weights(state) -> torch.Tensor:
    return nn.utils.parameters_to_vector(state.network.parameters()).detach()


@pytest.mark.usefixtures("compiles")
def test_a_compiled_training_is_the_plain_one_and_goes_on_to_the_same_bits():
    plain, plain_losses = trained(compiled=False)
    whole, losses = trained(compiled=True)
    # Dropout draws alike: only the order of sums differs.
    assert losses == pytest.approx(plain_losses, rel=1e-3)
    torch.testing.assert_close(weights(whole), weights(plain), rtol=1e-2, atol=1e-3)

    begun, _ = trained(compiled=True, stop_after=1)
    checkpoint = begun.checkpoint({})
    torch.compiler.reset()  # As after a kill: nothing is compiled.
    other = make_state(name="sgd")
    other.outputs = training_outputs(other.network, compiled=True)
    other.restore(checkpoint)
    assert other.epoch == 1
    assert list(fit(other, make_plan()))
    assert torch.equal(weights(other), weights(whole))


def images() -> torch.Tensor:
    return torch.randint(0, 256, (4, 3, 16, 16), generator=torch.manual_seed(3)).byte()


def test_a_training_too_short_is_not_compiled(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda *_, **__: pytest.fail("compiled"))
    network = build(name="small_cnn", num_outputs=3, size=16)
    found = compile_trial(network, images(), device=CPU, worth=lambda plain: False)
    assert found.plain > 0
    assert (found.compiled, found.is_too_short) == (None, True)
    assert not found.pays(num_steps=10**9, num_graphs=1)


@pytest.mark.parametrize("what", ["compiler", "code"])
def test_what_cannot_be_compiled_is_trained_as_it_is_and_says_why(monkeypatch, what):
    def refuse(*_, **__):
        raise NotImplementedError("no such operation\nin line 3")

    if what == "compiler":
        monkeypatch.setattr(module.shutil, "which", lambda name: None)
    else:
        monkeypatch.setattr(module, "compile_function", lambda *_, **__: refuse)
        monkeypatch.setattr(module, "obstacle", lambda device: "")
    network = build(name="small_cnn", num_outputs=3, size=16)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = compile_trial(network, images(), device=CPU)
    reasons = {
        "compiler": "there is no C++ compiler here",
        "code": "NotImplementedError: no such operation",
    }
    assert found.compiled is None
    assert found.reason == reasons[what]
    assert not found.pays(num_steps=10**9, num_graphs=1)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_compiling_pays_where_it_saves_more_than_it_takes_and_more_than_noise():
    trial = CompileTrial(1.0, 0.9, compiling=10.0)
    assert not trial.pays(num_steps=100, num_graphs=1)
    assert trial.pays(num_steps=101, num_graphs=1)
    assert not trial.pays(num_steps=101, num_graphs=2)
    assert not replace(trial, compiled=0.98).pays(num_steps=10**9, num_graphs=1)
