"""Short trials of a recipe on this machine: images per second in training and inference."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
import torch

from foldwise import device as machine
from foldwise.data.batches import Source, eval_batches, num_steps
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import Step, fit
from foldwise.engine.fitting import fit_plan, fit_state, image_batches
from foldwise.engine.map_scoring import score_maps, usual_batch
from foldwise.engine.memory import in_parts, step_memory
from foldwise.engine.precision import autocast_dtype
from foldwise.models.network import Network
from foldwise.optim.epochs import Epoch
from foldwise.stages.scheduling.phases import Phase, phases
from foldwise.stages.training.memory import check_cut
from foldwise.views import views_of

_BATCH = 32
#: One step says little; so many are timed, unless they take this many times as long as given.
_LEAST_STEPS, _LONGEST = 3, 3.0


@dataclass(frozen=True)
class TrainTrial:
    """What steps of training took.

    Attributes:
        rates: key of each kind of epoch → images per second; nothing where no whole network trains.
        parts: that batches were cut into to fit into memory, as training would cut them.
    """

    rates: dict[str, float]
    parts: int


def infer_rate(assembly: Assembly, network: Network, *, num_batches: int) -> float:
    """Images per second of reading and the plain forward pass, after one batch to warm up.

    Of masks the maps are made as well.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    if assembly.gives_maps:
        return _map_rate(assembly, network, num_batches)
    source = assembly.feed.source(assembly.problem.train)
    return in_parts(
        lambda parts: _infer_rate(network, source, -(-_BATCH // parts), num_batches), batch=_BATCH
    )


def _map_rate(assembly: Assembly, network: Network, num_batches: int) -> float:
    """The same where each image is answered by maps, which are dropped."""
    device, batch = machine.pick(), usual_batch(assembly)
    train = assembly.problem.train
    num = min((1 + num_batches) * batch, len(train))
    marks: list[float] = []

    def drop(maps: Iterator[np.ndarray]) -> None:
        marks.clear()
        for _ in maps:
            marks.append(time.monotonic())

    score_maps(
        assembly,
        network.to(device).eval(),
        train.take(np.arange(num)),
        drop,
        views=views_of(["identity"]),
        batch=batch,
        device=device,
        autocast=autocast_dtype(assembly.recipe.train.precision, device),
    )
    # All of a batch come at once; the first one warms up.
    first = min(batch, num - 1)
    return (num - first) / max(marks[-1] - marks[first - 1], 1e-6) if first else float(batch)


def _infer_rate(network: Network, source: Source, batch: int, num_batches: int) -> float:
    device = machine.pick()
    network.to(device).eval()
    items = eval_batches(source, batch=batch, workers=0)
    marks = []
    with torch.inference_mode(), step_memory():
        for item in islice(items, num_batches + 1):
            network(*item.inputs(device)).cpu()
            marks.append(time.monotonic())
    if len(marks) < 2:
        return float(batch)
    return batch * (len(marks) - 1) / max(marks[-1] - marks[0], 1e-6)


def train_trial(
    assembly: Assembly, network: Network, *, seconds: float, max_steps: int
) -> TrainTrial:
    """Time steps of training, of each kind of epoch, after one step to warm up.

    Where memory runs out, batches are cut into more parts, as in training.

    Args:
        assembly: of the recipe.
        network: trained in place.
        seconds: that all kinds may take; thrice that where it is too short for three steps each.
        max_steps: of each kind.

    Raises:
        RunError: one image at a time is too much, or the loss takes whole batches.
    """
    train = assembly.recipe.train
    if assembly.recipe.freeze != "none":
        return TrainTrial({}, train.accumulate)
    found = {phase.kind.key: phase for phase in phases(assembly.recipe)}

    def attempt(parts: int) -> TrainTrial:
        each_s = seconds / len(found)
        rates = {
            key: _train_rate(assembly, network, phase, each_s, max_steps, parts)
            for key, phase in found.items()
        }
        return TrainTrial(rates, parts)

    return in_parts(
        attempt,
        batch=min(train.batch, len(assembly.problem.train)),
        parts=train.accumulate,
        cut=partial(check_cut, assembly),
    )


def _train_rate(
    assembly: Assembly, network: Network, phase: Phase, seconds: float, max_steps: int, parts: int
) -> float:
    device, stage = machine.pick(), phase.stage
    rows = np.arange(len(assembly.problem.train))
    # One step warms up; small sets have few of them in an epoch.
    num_epochs = -(-(1 + max_steps) // num_steps(len(rows), assembly.recipe.train.batch))
    state = fit_state(assembly, network, device)
    plan = fit_plan(
        assembly,
        rows,
        device,
        batches=image_batches(
            assembly,
            rows,
            seed=0,
            fold=-1,
            epochs=[Epoch(phase.kind.size, stage.augment)] * num_epochs,
            device=device,
        ),
        stages=(replace(stage, epochs=num_epochs, end_lr=stage.start_lr, shape="constant"),),
        seed=0,
        fold=-1,
    )
    marks: list[float] = []
    images = 0
    for event in fit(state, replace(plan, accumulate=parts)):
        if not isinstance(event, Step):
            continue
        marks.append(time.monotonic())
        num_timed, taken = len(marks) - 1, marks[-1] - marks[0]
        images += event.num_images if num_timed else 0
        wanted = seconds if num_timed >= _LEAST_STEPS else _LONGEST * seconds
        if num_timed >= max_steps or (num_timed and taken > wanted):
            break
    return images / max(marks[-1] - marks[0], 1e-6)
