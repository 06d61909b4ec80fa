"""Steps of two passes: worked by hand on a quadratic, whatever the batch is cut into."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from foldwise.data.batches import Batch
from foldwise.data.mix import mixup
from foldwise.engine.compiling import training_outputs
from foldwise.engine.fit import EpochEnd, fit
from foldwise.engine.fit_plan import FitPlan
from foldwise.engine.fit_state import FitState
from foldwise.engine.fit_step import NonFiniteLossError
from foldwise.losses import LOSSES
from foldwise.optim.averaging import Ema
from foldwise.optim.schedule import Stage
from foldwise.optim.sharpness import asam, sam
from tests.engine.test_fit import ROWS, make_plan, make_state


class _Point(nn.Module):
    """A network that is its weight, whatever it sees."""

    def __init__(self, weight: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight.expand(len(images), -1)


def quadratic(weight: list[float], curvature: list[list[float]], *, ema: bool = False, **changes):
    """A step of SGD, rate 0.1, on the mean over rows of sum(curvature * weight²) / 2."""
    network = _Point(weight)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    state = FitState(
        network,
        optimizer,
        Accelerator(cpu=True),
        training_outputs(network),
        ema=Ema(network, 0.9) if ema else None,
    )
    num = len(curvature)
    plan = FitPlan(
        stages=(Stage(1, "all", 0.1, 0.1, "constant"),),
        num_steps=1,
        batches=lambda epoch, first: iter(
            [Batch(torch.zeros(num, 3, 1, 1).byte(), np.arange(num))]
        ),
        target=torch.tensor(curvature),
        loss=lambda logits, target: (target * logits.square()).sum(dim=1) / 2,
        **changes,
    )
    events = list(fit(state, plan))
    return state, events


# Mean curvature (1, 4); rows so unlike that the parts' own gradients lead elsewhere.
ROWS_OF_TWO = [[0.0, 2.0], [2.0, 6.0]]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_sam_steps_by_the_gradient_at_the_worst_point_of_the_whole_batch(accumulate):
    # g = (3, 4), of length 5; e = (0.3, 0.4); the gradient at (3.3, 1.4) is (3.3, 5.6).
    state, events = quadratic(
        [3.0, 1.0], ROWS_OF_TWO, sharpness=partial(sam, rho=0.5), accumulate=accumulate
    )
    torch.testing.assert_close(state.network.weight.detach(), torch.tensor([[2.67, 0.44]]))
    assert events[0].loss == pytest.approx((9 + 4) / 2)  # of the weights, not of the worst point


@pytest.mark.parametrize("accumulate", [1, 2])
def test_asam_steps_by_the_gradient_at_the_worst_point_of_the_whole_batch(accumulate):
    # g = (3, 2), T g = (3, 4), e = rho (3, 8) / 5 = (0.3, 0.8); the gradient there (3.9, 2.8).
    state, _ = quadratic(
        [1.0, 2.0], [[0.0, 2.0], [6.0, 0.0]],
        sharpness=partial(asam, rho=0.5, eta=0.0), accumulate=accumulate,
    )  # fmt: skip
    torch.testing.assert_close(state.network.weight.detach(), torch.tensor([[0.61, 1.72]]))


def test_the_second_gradient_is_clipped():
    # (3.3, 5.6) has length 6.5: a fifth of it is left.
    state, _ = quadratic([3.0, 1.0], ROWS_OF_TWO, sharpness=partial(sam, rho=0.5), clip=1.3)
    torch.testing.assert_close(state.network.weight.detach(), torch.tensor([[2.934, 0.888]]))


def test_row_weights_count_in_both_passes():
    # Curvature (0·½ + 2·1½) / 2 = 1.5 and (2·½ + 6·1½) / 2 = 5; g = (4.5, 5) at (3, 1).
    state, _ = quadratic(
        [3.0, 1.0], ROWS_OF_TWO,
        sharpness=partial(sam, rho=0.5), row_weights=torch.tensor([0.5, 1.5]),
    )  # fmt: skip
    gradient = np.array([4.5, 5.0])
    worst = np.array([3.0, 1.0]) + 0.5 * gradient / np.sqrt((gradient**2).sum())
    expected = np.array([3.0, 1.0]) - 0.1 * np.array([1.5, 5.0]) * worst
    np.testing.assert_allclose(state.network.weight.detach()[0], expected, rtol=1e-6)


def test_the_moving_average_takes_the_weights_after_the_step():
    state, _ = quadratic([3.0, 1.0], ROWS_OF_TWO, sharpness=partial(sam, rho=0.5), ema=True)
    expected = 0.1 * torch.tensor([[3.0, 1.0]]) + 0.9 * torch.tensor([[2.67, 0.44]])
    torch.testing.assert_close(state.weights()["weight"], expected)


def test_both_passes_drop_out_and_mix_the_same():
    """At a worst point that is no distance away, the steps are the plain ones."""
    found = []
    for sharpness in (None, partial(sam, rho=1e-12)):
        state = make_state(name="sgd")
        target = nn.functional.one_hot(torch.arange(ROWS) % 3).float()
        list(fit(state, make_plan(sharpness=sharpness, mix=mixup, target=target, accumulate=2)))
        found.append(state.network.state_dict())
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-5, atol=1e-6)


def test_a_batch_moves_batch_statistics_once_by_the_pass_at_the_weights():
    stages = (Stage(3, "all", 0.0, 0.0, "constant"),)
    plain, sharp = make_state(name="sgd"), make_state(name="sgd")
    list(fit(plain, make_plan(stages=stages)))
    list(fit(sharp, make_plan(stages=stages, sharpness=partial(sam, rho=5.0))))
    norms = plain.network[2], sharp.network[2]
    assert norms[1].num_batches_tracked == 9
    assert torch.equal(norms[0].running_mean, norms[1].running_mean)
    assert torch.equal(norms[0].running_var, norms[1].running_var)


def test_bf16_takes_the_step_of_fp32_as_near_as_it_can():
    found = []
    for precision in ("no", "bf16"):
        state = make_state(name="sgd")
        AcceleratorState._reset_state(True)  # There is one precision a process.
        state.accelerator = Accelerator(cpu=True, mixed_precision=precision)
        list(fit(state, make_plan(sharpness=partial(sam, rho=0.5))))
        assert all(p.dtype == torch.float32 for p in state.network.parameters())
        found.append(torch.cat([p.detach().flatten() for p in state.network.parameters()]))
        AcceleratorState._reset_state(True)
    start = torch.cat([p.detach().flatten() for p in make_state().network.parameters()])
    assert not torch.equal(found[0], found[1])
    assert (found[1] - found[0]).norm() < 0.05 * (found[0] - start).norm()


def test_it_finds_another_minimum_than_plain_steps():
    plain, sharp = make_state(), make_state()
    list(fit(plain, make_plan()))
    list(fit(sharp, make_plan(sharpness=partial(sam, rho=0.5))))
    assert not torch.allclose(plain.network[6].weight, sharp.network[6].weight, atol=1e-3)


def test_a_worst_point_that_is_not_finite_names_its_rows_or_is_skipped():
    calls = [0]

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        losses = LOSSES["cross_entropy"](logits, target)
        return losses * float("inf") if calls[0] == 2 else losses

    plan = make_plan(loss=loss, sharpness=sam)
    rows = next(plan.batches(0, 0)).rows.tolist()
    with pytest.raises(NonFiniteLossError) as caught:
        list(fit(make_state(), plan))
    assert caught.value.rows.tolist() == rows
    calls[0] = 0
    state = make_state()
    before = [p.detach().clone() for p in state.network.parameters()]
    next(iter(fit(state, make_plan(loss=loss, sharpness=sam, on_nonfinite="skip"))))
    assert state.skipped == rows
    for parameter, value in zip(state.network.parameters(), before, strict=True):
        assert torch.equal(parameter, value)


@pytest.mark.parametrize("stop_after", [1, 2])
def test_going_on_from_a_checkpoint_gives_the_same_bits(stop_after):
    plan = make_plan(sharpness=asam, accumulate=2, clip=0.5)
    whole = make_state(ema=True, lookahead=True)
    list(fit(whole, plan))
    first = make_state(ema=True, lookahead=True)
    events: Iterator = fit(first, plan)
    while not isinstance(event := next(events), EpochEnd) or event.epoch + 1 < stop_after:
        pass
    saved = first.checkpoint({})
    tensors = {name: value.clone() for name, value in saved.tensors.items()}
    second = make_state(ema=True, lookahead=True)
    second.restore(type(saved)(saved.epoch, tensors, saved.meta))
    list(fit(second, plan))
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    for name, value in whole.weights().items():
        assert torch.equal(value, second.weights()[name]), name
