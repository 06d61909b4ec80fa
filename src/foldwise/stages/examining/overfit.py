"""Learning one batch by heart: what can train must be able to, whatever else is wrong."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from foldwise import seeding
from foldwise.config.recipe import Recipe
from foldwise.data.batches import Batch
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import Step, fit
from foldwise.engine.fit_step import NonFiniteLossError
from foldwise.engine.fitting import fit_plan, fit_state
from foldwise.losses.terms import Loss, total
from foldwise.models.freezing import set_trainable
from foldwise.models.network import Network
from foldwise.optim.schedule import Stage, Trainable
from foldwise.stages.examining.flow import FlowMeter
from foldwise.stages.examining.trial_facts import LEARNED_SHARE, Overfit

_STEPS, _SECONDS = 60, 6.0


def learn_by_heart(
    assembly: Assembly,
    images: torch.Tensor,
    rows: np.ndarray,
    *,
    trainable: Trainable,
    lr: float,
    device: torch.device,
    parts: int = 1,
    target: torch.Tensor | None = None,
) -> Overfit:
    """Train on one batch until it is learned, the steps are done or the time is up.

    Nothing that hinders learning by heart is on: no augmentation, mixing, dropout or balancing.

    Args:
        assembly: of the recipe.
        images: (n, C, S, S) uint8.
        rows: (n,) positions of the train rows they belong to.
        trainable: what trains.
        lr: constant rate.
        device: where to compute.
        parts: that the batch is cut into.
        target: (n, ...) what the loss takes, where the rows' labels do not say it: masks.

    Raises:
        StepMemoryError: memory ran out.
    """
    plain = Assembly(assembly.problem, _plain(assembly.recipe))
    torch.manual_seed(seeding.key("weights", 0, -1))
    network = plain.network()
    state = fit_state(plain, network, device)
    columns = plain.feed.column_values(plain.problem.train.take(rows))
    given = None if columns is None else torch.from_numpy(columns)
    batch = Batch(images, np.arange(len(rows)), given, target)
    plan = fit_plan(
        plain,
        rows,
        device,
        batches=lambda epoch, first: iter([batch]),
        stages=(Stage(_STEPS, trainable, lr, lr, "constant"),),
        seed=0,
        fold=-1,
    )
    # What is left of the sides, a penalty, has no rows to learn.
    plan = replace(plan, sides=(), accumulate=parts)
    num_outputs = plain.formulation.num_outputs(plain.problem.num_classes)
    wanted = plan.target if target is None else target.to(device)
    assert wanted is not None, "masks come with their images"
    blind = blind_loss(plan.loss, wanted, num_outputs)
    losses: list[float] = []
    seen: set[str] = set()
    set_trainable(network, trainable)
    meter = FlowMeter(network)
    started, problem, ran_out = time.monotonic(), "", False
    try:
        for event in fit(state, plan):
            if not isinstance(event, Step):
                continue
            losses.append(event.loss)
            seen |= _with_gradient(network)
            meter.take()
            ran_out = time.monotonic() - started > _SECONDS and len(losses) < _STEPS
            if event.loss < LEARNED_SHARE * blind or ran_out:
                break
    except NonFiniteLossError as error:
        problem = error.problems[0]
    dead = meter.gathered(_trained(network) - seen) if losses else []
    return Overfit(lr, tuple(losses), blind, tuple(dead), meter.flow(), problem, ran_out)


def blind_loss(loss: Loss, target: torch.Tensor, num_outputs: int) -> float:
    """The least mean loss that the same outputs for all rows, and all their pixels, can have.

    Args:
        loss: (N, O) logits, or (N, O, H, W), and target → (N,), or terms by name.
        target: as the loss takes it; of masks (N, O, H, W) or (N, H, W).
        num_outputs: O.

    >>> mse = lambda logits, target: (logits - target).square().mean(dim=1)
    >>> round(blind_loss(mse, torch.tensor([[1.0], [3.0]]), 1), 4)
    1.0
    """
    of_pixels = target.shape[-2:] if target.ndim > 2 else ()
    once = (1, num_outputs, *(1 for _ in of_pixels))
    logits = torch.zeros(once, device=target.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")

    def mean_loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = total(loss(logits.expand(len(target), -1, *of_pixels), target)).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(mean_loss)  # type: ignore[no-untyped-call]
    return float(mean_loss().detach())


def _plain(recipe: Recipe) -> Recipe:
    model = recipe.model.model_copy(
        update={
            "drop": 0.0,
            "drop_path": 0.0,
            "multi_sample_dropout": None,
            "branch": None,
            "presence": None,
        }
    )
    plain = {
        "ema": None,
        "average_last": 0,
        "accumulate": 1,
        "sharpness": None,
        "lookahead": None,
        "sampler": None,
        "on_nonfinite": "stop",  # A step that is skipped counts with a loss of 0.
    }
    train = recipe.train.model_copy(update=plain)
    return recipe.model_copy(
        update={
            "model": model,
            "train": train,
            "mix": None,
            "imbalance": "none",
            "auxiliary": (),
        }
    )


def _trained(network: Network) -> set[str]:
    return {name for name, weight in network.named_parameters() if weight.requires_grad}


def _with_gradient(network: Network) -> set[str]:
    """Weights that have a gradient which is not all zeros."""
    return {
        name
        for name, weight in network.named_parameters()
        if weight.grad is not None and bool(weight.grad.any())
    }
