"""Short trials of a recipe on this machine: images per second in training and inference."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from foldwise import device as machine
from foldwise.data.batches import Source, eval_batches, num_steps
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import Step, fit
from foldwise.engine.fitting import fit_plan, fit_state, image_batches
from foldwise.engine.infer import tell_halved
from foldwise.engine.map_scoring import image_sizes, score_maps, usual_batch
from foldwise.engine.memory import in_parts, step_memory
from foldwise.engine.precision import autocast_dtype
from foldwise.maps.files import write_maps
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


@dataclass(frozen=True)
class InferTrial:
    """What a few batches of inference took.

    Attributes:
        rate: images per second of the plain pass; reading is in it unless it is in `image_s`.
        image_s: seconds that an image takes beside its passes, whatever their number: of masks
            reading it, bringing its maps to their size and writing them.
    """

    rate: float
    image_s: float = 0.0

    @property
    def whole(self) -> float:
        """Images per second with all that an image takes."""
        return 1.0 / (1.0 / self.rate + self.image_s)


def infer_rate(assembly: Assembly, network: Network, *, num_batches: int) -> float:
    """Images per second of reading and the plain forward pass, of masks their maps written.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    return infer_trial(assembly, network, num_batches=num_batches).whole


def infer_trial(assembly: Assembly, network: Network, *, num_batches: int) -> InferTrial:
    """What a few batches of inference take, after one to warm up.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    if assembly.gives_maps:
        return _map_trial(assembly, network, num_batches)
    source = assembly.feed.source(assembly.problem.train)
    rate = in_parts(
        lambda parts: _infer_rate(network, source, -(-_BATCH // parts), num_batches), batch=_BATCH
    )
    return InferTrial(rate)


def _map_trial(assembly: Assembly, network: Network, num_batches: int) -> InferTrial:
    """The same where each image is answered by maps, which are written and dropped."""
    device, batch = machine.pick(), usual_batch(assembly)
    # Images of their own size come one by one, whatever number of tiles they are seen in.
    is_native = assembly.recipe.input.fit == "native"
    at_once = 1 if is_native else batch
    train = assembly.problem.train
    num = min((1 + num_batches) * at_once, len(train))
    samples = train.take(_timed_rows(assembly, num))
    marks: list[float] = []
    spans: list[float] = []

    def marked(maps: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for levels in maps:
            yield levels
            marks.append(time.monotonic())  # It is written by now.

    def halved(batch: int, problem: str) -> None:
        nonlocal at_once
        tell_halved(batch, problem)
        spans.clear()
        at_once = 1 if is_native else batch

    def keep(maps: Iterator[np.ndarray]) -> None:
        marks.clear()
        named = zip(samples.ids, marked(maps), strict=True)
        write_maps(Path(folder) / "maps.arrow", assembly.problem.num_classes, named)

    with tempfile.TemporaryDirectory(dir=assembly.problem.home.cache) as folder:
        score_maps(
            assembly,
            network.to(device).eval(),
            samples,
            keep,
            views=views_of(["identity"]),
            batch=batch,
            device=device,
            autocast=autocast_dtype(assembly.recipe.train.precision, device),
            halved=halved,
            timed=spans.append,
        )
    # The first warms up; the last is filled up, so each takes as long. Where all images are of one
    # batch, whose maps come at once, what is written last tells of all.
    timed = spans[1:]
    first = at_once if timed else num - 1
    pass_s = float(np.mean(timed or spans)) / at_once
    beside_s = marks[-1] - marks[first - 1] - sum(timed) if first else 0.0
    return InferTrial(1.0 / max(pass_s, 1e-6), max(beside_s, 0.0) / max(num - first, 1))


def _timed_rows(assembly: Assembly, num: int) -> np.ndarray:
    """Rows to time, the first to warm up; of images of their own size some of each."""
    train = assembly.problem.train
    if assembly.recipe.input.fit != "native" or num < 2:
        return np.arange(num)
    by_area = np.argsort(image_sizes(train).prod(axis=1), kind="stable")
    places = (np.arange(num - 1) + 0.5) * len(train) / (num - 1)
    rows = by_area[places.astype(np.int64)]
    return np.concatenate([rows[-1:], rows])


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
