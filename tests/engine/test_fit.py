import json
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from foldwise.data.batches import Batch, epoch_order, num_steps
from foldwise.engine.compiling import training_outputs
from foldwise.engine.fit import EpochEnd, Step, fit
from foldwise.engine.fit_plan import FitPlan
from foldwise.engine.fit_state import FitState
from foldwise.engine.fit_step import NonFiniteLossError
from foldwise.losses import LOSSES
from foldwise.optim.averaging import Ema, WeightMean
from foldwise.optim.lookahead import Lookahead
from foldwise.optim.optimizers import build_optimizer
from foldwise.optim.presets import warmup_cosine
from foldwise.optim.schedule import Stage

ROWS = 24


def images() -> torch.Tensor:
    return torch.randint(0, 256, (ROWS, 3, 8, 8), generator=torch.manual_seed(3)).byte()


def make_plan(**changes) -> FitPlan:
    pixels, target = images(), torch.arange(ROWS) % 3

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        for rows in np.array_split(epoch_order(ROWS, 11 + epoch), num_steps(ROWS, 8))[first:]:
            yield Batch(pixels[rows], rows)

    plan = {
        "stages": warmup_cosine(epochs=3, warmup=1, lr=1e-2, min_lr=0.0),
        "num_steps": 3,
        "batches": batches,
        "target": target,
        "loss": LOSSES["cross_entropy"],
        "seed": 1,
        "fold": 0,
    }
    return FitPlan(**{**plan, **changes})


def make_state(
    *, ema: bool = False, mean: bool = False, lookahead: bool = False, name: str = "adamw"
) -> FitState:
    torch.manual_seed(0)
    module = nn.Sequential(
        _Scale(), nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(8 * 36, 3),
    )  # fmt: skip
    optimizer = build_optimizer(module, name=name, lr=1e-2, weight_decay=0.01)
    accelerator = Accelerator(cpu=True)
    prepared, optimizer = accelerator.prepare(module, optimizer)
    network = accelerator.unwrap_model(prepared)
    return FitState(
        network,
        optimizer,
        accelerator,
        training_outputs(network),
        ema=Ema(module, 0.9) if ema else None,
        mean=WeightMean(module, 2) if mean else None,
        lookahead=Lookahead(module, k=2, alpha=0.5) if lookahead else None,
    )


class _Scale(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float() / 255


def test_an_epoch_gives_its_steps_and_its_end():
    events = list(fit(make_state(), make_plan()))
    assert [type(event) for event in events[:4]] == [Step, Step, Step, EpochEnd]
    assert len([e for e in events if isinstance(e, EpochEnd)]) == 3
    assert events[-1].loss < events[3].loss


def test_an_epoch_tells_the_mean_of_each_term_of_its_loss():
    events = fit(make_state(), make_plan(loss=LOSSES["expectation"]))
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert len(ends) == 3
    for end in ends:
        assert list(end.terms) == ["cross_entropy", "squared_error"]
        assert sum(end.terms.values()) == pytest.approx(end.loss, rel=1e-5)
    assert [e.terms for e in fit(make_state(), make_plan()) if isinstance(e, EpochEnd)] == [{}] * 3


def test_a_target_that_comes_with_a_batch_is_what_is_learned():
    plan, target = make_plan(), torch.arange(ROWS) % 3

    def carrying(epoch: int, first: int) -> Iterator[Batch]:
        for batch in plan.batches(epoch, first):
            yield replace(batch, target=target[torch.from_numpy(batch.rows)])

    state, other = make_state(), make_state()
    list(fit(state, plan))
    list(fit(other, replace(plan, batches=carrying, target=torch.zeros(0))))
    for name, value in state.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name


def test_the_rate_follows_the_schedule():
    found = [e.lr for e in fit(make_state(), make_plan()) if isinstance(e, Step)]
    assert found[:3] == pytest.approx([0.0, 0.005, 0.01])
    assert found[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("average", ["none", "ema", "mean", "lookahead"])
@pytest.mark.parametrize("stop_after", [1, 2, 4, 5, 6, 8, 11])
def test_going_on_from_a_checkpoint_gives_the_same_bits(stop_after, average):
    """After so many events, of which every fourth is the end of an epoch."""
    options = {name: name == average for name in ("ema", "mean", "lookahead")}
    whole = make_state(**options)
    events = list(fit(whole, make_plan(loss=LOSSES["expectation"])))
    first = make_state(**options)
    seen = list(islice(fit(first, make_plan(loss=LOSSES["expectation"])), stop_after))
    saved = first.checkpoint({"note": 1})
    tensors = {name: value.clone() for name, value in saved.tensors.items()}
    second = make_state(**options)
    extra = second.restore(replace(saved, tensors=tensors, meta=json.loads(json.dumps(saved.meta))))
    seen += fit(second, make_plan(loss=LOSSES["expectation"]))
    assert seen == events
    assert extra == {"note": 1}
    assert second.weights().keys() == whole.weights().keys()
    for name, value in whole.weights().items():
        assert torch.equal(value, second.weights()[name]), name


def test_accumulation_gives_the_gradient_of_the_whole_batch():
    losses = []
    for parts in (1, 2, 4):
        state = make_state(name="sgd")  # Adam would blow up the rounding of zero gradients.
        state.network[5].p = 0.0  # The parts of a batch would be dropped out otherwise.
        list(fit(state, make_plan(accumulate=parts, norm="frozen")))
        losses.append(torch.cat([p.detach().flatten() for p in state.network.parameters()]))
    assert torch.allclose(losses[0], losses[1], atol=1e-4)
    assert torch.allclose(losses[0], losses[2], atol=1e-4)


def test_row_weights_of_zero_are_rows_that_do_not_count():
    plan = make_plan(row_weights=torch.zeros(ROWS))
    state = make_state()
    steps = [event for event in fit(state, plan) if isinstance(event, Step)]
    assert {event.loss for event in steps} == {0.0}


@pytest.mark.parametrize("at", range(9))
def test_a_loss_that_is_not_finite_names_its_rows_or_is_skipped(at):
    calls = [0]

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        losses = LOSSES["cross_entropy"](logits, target)
        return losses * float("nan") if calls[0] == at + 1 else losses

    order = [
        rows
        for epoch in range(3)
        for rows in np.array_split(epoch_order(ROWS, 11 + epoch), num_steps(ROWS, 8))
    ]
    with pytest.raises(NonFiniteLossError) as caught:
        list(fit(make_state(), make_plan(loss=loss)))
    assert caught.value.rows.tolist() == order[at].tolist()
    calls[0] = 0
    state = make_state()
    list(fit(state, make_plan(loss=loss, on_nonfinite="skip")))
    assert state.skipped == order[at].tolist()
    assert all(torch.isfinite(p).all() for p in state.network.parameters())


def test_a_skipped_batch_leaves_no_trace_and_counts_for_nothing():
    def spoiled(epoch: int, first: int) -> Iterator[Batch]:
        for step, batch in enumerate(make_plan().batches(epoch, first)):
            yield replace(batch, images=batch.images * float("nan")) if step == 1 else batch

    state = make_state()
    events = list(fit(state, replace(make_plan(on_nonfinite="skip"), batches=spoiled)))
    assert len(state.skipped) > 0
    assert all(torch.isfinite(b.float()).all() for b in state.network.buffers())
    assert all(torch.isfinite(p).all() for p in state.network.parameters())
    # The mean is of the batches that were trained on.
    losses = [e for e in events if isinstance(e, Step) and e.epoch == 0]
    kept = [(e.loss, e.num_images) for e in losses if not math.isnan(e.loss)]
    assert len(kept) == len(losses) - 1
    end = next(e for e in events if isinstance(e, EpochEnd))
    assert end.loss == pytest.approx(sum(a * b for a, b in kept) / sum(b for _, b in kept))


def test_a_frozen_norm_keeps_its_statistics():
    state = make_state()
    before = state.network[2].running_mean.clone()
    list(fit(state, make_plan(norm="frozen")))
    assert torch.equal(before, state.network[2].running_mean)


def test_stages_follow_each_other():
    stages = (Stage(1, "all", 0.0, 0.0), Stage(2, "all", 1e-2, 1e-2, "constant"))
    state = make_state()
    before = [p.detach().clone() for p in state.network.parameters()]
    for event in fit(state, make_plan(stages=stages)):
        if isinstance(event, EpochEnd) and event.epoch == 0:
            assert all(
                torch.equal(a, b) for a, b in zip(before, state.network.parameters(), strict=True)
            )


def test_shifted_logits_train_as_a_loss_that_adds_the_shift():
    shift = torch.tensor([0.5, -1.0, 0.0])

    def shifted(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return LOSSES["cross_entropy"](logits + shift, target)

    found = []
    for changes in ({"logit_shift": shift}, {"loss": shifted}, {}):
        list(fit(state := make_state(), make_plan(**changes)))
        found.append(state.weights()["6.weight"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_loss_of_the_whole_batch_is_given_the_row_weights():
    seen = []

    def loss(
        logits: torch.Tensor, target: torch.Tensor, row_weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        seen.append(row_weights)
        return LOSSES["soft_kappa"](logits, target, row_weights)

    weights = torch.linspace(0.5, 1.5, ROWS)
    list(fit(make_state(), make_plan(loss=loss, row_weights=weights)))
    first = epoch_order(ROWS, 11)[:8]
    assert torch.equal(seen[0], weights[first])
