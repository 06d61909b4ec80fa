"""What differs from eager, or cannot be made, gives way to it with a reason."""

import numpy as np
import pytest
import torch
from torch import nn

from foldwise.engine.backends import BACKENDS, TOLERANCE, checking, opened
from foldwise.engine.backends.checking import checked, difference, logits
from foldwise.engine.backends.making import Backend
from tests.engine.backends.networks import images, made, softmax


class Shifted(nn.Module):
    """A network whose first logit is off."""

    def __init__(self, network: nn.Module, by: float) -> None:
        super().__init__()
        self.network, self.by = network, by

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.network(*inputs).clone()
        found[:, 0] += self.by
        return found


@pytest.fixture
def other(monkeypatch):
    """Puts a backend of the name `other` into the table."""

    def put(make) -> None:
        monkeypatch.setitem(BACKENDS, "other", Backend(make))

    return put


def refusing(network, inputs, half):
    raise NotImplementedError("aten::novel is not known\nsecond line")


@pytest.mark.parametrize(("by", "is_taken"), [(1e-5, True), (1e-2, False), (np.nan, False)])
def test_a_backend_is_taken_where_its_predictions_are_eagers(other, by, is_taken):
    other(lambda network, inputs, half: Shifted(network, by))
    network, inputs = made("plain")
    found = checked(network, "other", inputs, activate=softmax)
    assert (found.forward is not None) == is_taken
    assert found.limit == TOLERANCE
    assert found.difference is not None
    if not is_taken:
        assert found.difference > TOLERANCE
        assert "and 1.0e-04 is allowed" in found.reason


def test_probabilities_near_0_and_1_hide_nothing(other):
    """What differs where all are sure would differ more where others are not."""
    other(lambda network, inputs, half: Shifted(network, 0.1))
    network, inputs = made("plain")
    with torch.no_grad():
        network.head.bias[1] += 30.0
    shifted = softmax(logits(Shifted(network, 0.1), inputs))
    assert difference(shifted, softmax(logits(network, inputs))) <= TOLERANCE
    assert checked(network, "other", inputs, activate=softmax).forward is None


def test_what_cannot_be_made_is_a_reason(other):
    other(refusing)
    network, inputs = made("plain")
    found = checked(network, "other", inputs, activate=softmax)
    assert found.forward is None
    assert found.reason == "NotImplementedError: aten::novel is not known"


def test_memory_that_runs_out_is_left_to_infer(other):
    def full(network, inputs, half):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    other(full)
    network, inputs = made("plain")
    with pytest.raises(torch.OutOfMemoryError):
        checked(network, "other", inputs, activate=softmax)


@pytest.mark.parametrize(
    "make", [refusing, lambda network, inputs, half: Shifted(network, 1.0)], ids=["none", "wrong"]
)
def test_eager_takes_its_place_and_that_is_told_once_for_a_shape(other, make):
    other(make)
    network, inputs = made("plain")
    told: list[str] = []
    with (
        opened(network, "other", activate=softmax, tell=told.append) as forward,
        torch.inference_mode(),
    ):
        for given in (inputs, inputs, (images(2),)):
            assert torch.equal(forward(*given), network(*given))
    assert len(told) == 2
    assert all(said.startswith("other gives way to eager: ") for said in told)


def test_a_pass_is_made_and_checked_for_every_shape_and_type(other):
    shapes: list[tuple[int, ...]] = []

    def for_one_shape(network, inputs, half):
        shapes.append(tuple(inputs[0].shape))
        return network

    other(for_one_shape)
    network, (pixels,) = made("plain")
    larger = nn.functional.interpolate(pixels.float(), 40)
    with opened(network, "other", activate=softmax, tell=pytest.fail) as forward:
        for given in (pixels, pixels, pixels[:2], larger, pixels):
            forward(given)
    assert shapes == [(4, 3, 32, 32), (2, 3, 32, 32), (4, 3, 40, 40)]


def test_half_precision_may_differ_as_eager_in_half_precision_does(other):
    network, inputs = made("plain")
    half = torch.bfloat16
    found, wanted = logits(network, inputs, half), logits(network, inputs)
    own = max(difference(found, wanted), difference(softmax(found), softmax(wanted)))
    assert own > TOLERANCE
    eager = checked(network, "eager", inputs, activate=softmax, half=half)
    assert eager.forward is network
    assert (eager.difference, eager.limit) == (own, own)
    other(lambda network, inputs, half: Shifted(network, 1.0))
    assert checked(network, "other", inputs, activate=softmax, half=half).forward is None
    with opened(network, "eager", activate=softmax, half=half) as forward:
        assert forward(*inputs).dtype is half


def test_a_difference_is_one_of_what_is_handed_in():
    probs = np.array([[0.5, 0.5], [0.9, 0.1]])
    assert difference(probs + np.array([0.0, 2e-4]), probs) == pytest.approx(2e-4)
    ages = np.array([[20.0], [4000.0]])
    assert difference(ages + 0.2, ages) == pytest.approx(5e-5)
    gap = np.array([[np.nan], [np.inf]])
    assert difference(gap, gap) == 0
    assert difference(gap, np.zeros_like(gap)) == np.inf
    assert difference(np.zeros_like(gap), gap) == np.inf
    assert difference(np.empty((0, 2)), np.empty((0, 2))) == 0


def test_a_backend_lets_go_of_what_its_passes_leave_behind(monkeypatch):
    released = []
    backend = Backend(lambda network, inputs, half: network, release=lambda: released.append(1))
    monkeypatch.setitem(checking.BACKENDS, "other", backend)
    network, inputs = made("plain")
    with opened(network, "other", activate=softmax) as forward:
        forward(*inputs)
        assert not released
    assert released == [1]
