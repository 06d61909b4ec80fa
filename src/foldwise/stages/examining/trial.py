"""The job behind `doctor`: binds a recipe's parts, learns one batch by heart, times a step."""

from __future__ import annotations

import gc
import json
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch

from foldwise import device as machine
from foldwise import seeding
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.data.batches import Batch, eval_batches
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit_step import NonFiniteLossError
from foldwise.engine.mask_feeding import plain_mask_batch
from foldwise.engine.memory import in_parts, step_memory
from foldwise.home import Home
from foldwise.models.mask_network import MaskNetwork
from foldwise.models.network import Network
from foldwise.optim.schedule import Stage, Trainable
from foldwise.parts import name_of
from foldwise.stages.examining.binding import bind_parts
from foldwise.stages.examining.overfit import learn_by_heart
from foldwise.stages.examining.picture import write_picture
from foldwise.stages.examining.trial_facts import Overfit, TrialFacts, Tried
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.training.memory import check_cut
from foldwise.stages.training.trial import TrainTrial, infer_trial, train_trial
from foldwise.tasks.problem import Problem, open_problem

_FEW, _MANY = 16, 32
#: Of masks, whose every pixel is an example: so many pixels, but four images at least.
_MASK_PIXELS, _FEWEST_MASKS = _FEW * 96**2, 4
#: Up to this side 32 images make a batch that is learned in a second or two.
_SMALL_PX = 96
_STEPS_TIMED, _SECONDS_TIMED, _INFER_BATCHES = 8, 5.0, 2
_USUAL_LR = 1e-3


def try_recipe(home: str, recipe: str, name: str, picture: str, is_sound: int) -> Tried:
    """Everything about a recipe that takes torch to know.

    Args:
        home: the competition's folder; images are prepared.
        recipe: resolved, as JSON.
        name: of the recipe.
        picture: PNG to write.
        is_sound: 0: only bind its parts, since its settings are wrong already; 1: try it.
    """
    problem = open_problem(Home(Path(home)))
    resolved = from_values(json.loads(recipe), Recipe, source=f"recipe {name}")
    assembly = Assembly(problem, resolved)
    failures = bind_parts(assembly)
    if failures or not is_sound:
        return Tried(tuple(failures))
    write_picture(assembly, Path(picture))
    return Tried(facts=_measure(assembly), picture=picture)


def spread_rows(problem: Problem, num: int) -> np.ndarray:
    """(n,) positions of train rows, every class or value in turn."""
    order = seeding.permutation(seeding.key("doctor"), len(problem.train))
    _, kind = np.unique(problem.one_hot[order], axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    turn = np.zeros(len(kind), dtype=np.int64)
    for value in range(int(kind.max()) + 1):
        turn[kind == value] = np.arange((kind == value).sum())
    return np.asarray(order[np.argsort(turn, kind="stable")][:num])


def plain_batch(assembly: Assembly, rows: np.ndarray) -> Batch:
    """Images of train rows as they are, at `input.size`, and their masks if there are any."""
    if assembly.gives_maps:
        return plain_mask_batch(assembly, rows)
    source = assembly.feed.source(assembly.problem.train.take(rows))
    return next(eval_batches(source, batch=len(rows), workers=0))


def _measure(assembly: Assembly) -> TrialFacts:
    device = machine.pick()
    rows = spread_rows(assembly.problem, _num_learned(assembly))
    batch = plain_batch(assembly, rows)
    images = batch.images
    torch.manual_seed(seeding.key("weights", 0, -1))
    started = time.monotonic()
    network = assembly.network()
    start_s = time.monotonic() - started
    network.to(device).eval()
    with torch.inference_mode():
        pixels = network.normalize(images.to(device))
    features, outputs = in_parts(partial(_passed, network, batch.inputs(device)), batch=len(images))
    attempts: tuple[Overfit, ...] = ()
    if trains := assembly.recipe.freeze == "none" and bool(assembly.stages()):
        attempts = _attempts(assembly, batch, rows, device)
    infer = infer_trial(assembly, network, num_batches=_INFER_BATCHES)
    train = _train_trial(assembly, network)
    return TrialFacts(
        num_images=len(rows),
        chance=_chance(assembly) if trains else None,
        attempts=attempts,
        outputs_finite=bool(torch.isfinite(outputs).all()),
        features_differ=None if features is None else bool(features.std(dim=0).any()),
        pixel_mean=tuple(pixels.mean(dim=(0, 2, 3)).tolist()),
        pixel_std=tuple(pixels.std(dim=(0, 2, 3)).tolist()),
        normalises=_normalising_layer(assembly, network),
        rates=Rates(start_s, infer.rate, train.rates, infer.image_s),
        num_test=len(assembly.problem.test),
        memory=_memory(device),
        capacity=_capacity(device),
        parts=train.parts if train.parts > assembly.recipe.train.accumulate else None,
        device=device.type,
        filled=_filled(assembly, network),
    )


def _num_learned(assembly: Assembly) -> int:
    """Images of the batch that is learned by heart: fewer large ones, so that steps are many."""
    size = assembly.recipe.input.size
    if assembly.gives_maps:
        return max(_FEWEST_MASKS, min(_FEW, _MASK_PIXELS // size**2))
    return _MANY if size <= _SMALL_PX else _FEW


def _filled(assembly: Assembly, network: Network) -> dict[str, tuple[int, int]]:
    """Sides that a network of masks fills up, as it computes them."""
    if not isinstance(network, MaskNetwork):
        return {}
    given = assembly.recipe.input
    sides = {"input.size": given.size}
    if given.tile is not None:
        sides["input.tile.size"] = given.tile.size
    return {key: (side, network.filled_side(side)) for key, side in sides.items()}


def _passed(
    network: Network, inputs: tuple[torch.Tensor, ...], parts: int
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Features, where the network has them, and outputs of images."""
    features, outputs = [], []
    with torch.inference_mode(), step_memory():
        for part in zip(*(each.chunk(parts) for each in inputs), strict=True):
            if network.has_features:
                features.append(network.features(*part))
                outputs.append(network.head(features[-1]))
            else:
                outputs.append(network(*part))
    return torch.cat(features) if features else None, torch.cat(outputs)


def _attempts(
    assembly: Assembly, batch: Batch, rows: np.ndarray, device: torch.device
) -> tuple[Overfit, ...]:
    """At the recipe's rate; if that fails at a usual one, to tell a bad rate from the rest."""
    stage = _main_stage(assembly)
    attempts: list[Overfit] = []
    for rate in dict.fromkeys((stage.peak_lr, _USUAL_LR)):
        attempts.append(_attempt(assembly, batch, rows, stage.trainable, rate, device))
        if attempts[-1].is_learned or attempts[-1].is_open:
            break
    return tuple(attempts)


def _attempt(
    assembly: Assembly,
    batch: Batch,
    rows: np.ndarray,
    trainable: Trainable,
    lr: float,
    device: torch.device,
) -> Overfit:
    return in_parts(
        lambda parts: learn_by_heart(
            assembly,
            batch.images,
            rows,
            trainable=trainable,
            lr=lr,
            device=device,
            parts=parts,
            target=batch.target,
        ),
        batch=len(rows),
        cut=partial(check_cut, assembly),
    )


def _main_stage(assembly: Assembly) -> Stage:
    return max(assembly.stages(), key=lambda stage: (stage.trainable != "head", stage.epochs))


def _chance(assembly: Assembly) -> float | None:
    """Log C where a fresh softmax should start with equal chances."""
    loss = assembly.recipe.loss or assembly.formulation.loss
    is_plain = not isinstance(loss, tuple) and name_of(loss) == "cross_entropy"
    if assembly.weights is not None or not is_plain:
        return None
    return math.log(assembly.problem.num_classes)


def _train_trial(assembly: Assembly, network: Network) -> TrainTrial:
    """Of steps as in training, the peak of memory beginning with them; none if not finite."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        return train_trial(assembly, network, seconds=_SECONDS_TIMED, max_steps=_STEPS_TIMED)
    except NonFiniteLossError:
        return TrainTrial({}, assembly.recipe.train.accumulate)  # Learning by heart has told why.


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return int(psutil.Process().memory_info().rss)


def _capacity(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)


def _normalising_layer(assembly: Assembly, network: Network) -> str:
    """A part of an own network that looks as if it normalised images once more."""
    if ":" not in assembly.recipe.model.name:
        return ""
    sizes = {1, assembly.recipe.input.channels}
    for name, buffer in network.backbone.named_buffers():
        word = name.rpartition(".")[2].lower()
        is_statistic = ("mean" in word or "std" in word) and not word.startswith("running_")
        if is_statistic and buffer.numel() in sizes:
            return str(name)
    for name, module in network.backbone.named_modules():
        if type(module).__name__ == "Normalize":
            return str(name)
    return ""
