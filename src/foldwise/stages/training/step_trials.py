"""How a recipe's network computes: decided by trials, once for all its units on this machine."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

import torch

from foldwise import device as machine
from foldwise.config.network import ModelConfig
from foldwise.config.writing import fingerprint
from foldwise.data.batches import num_steps
from foldwise.engine.assemble import Assembly
from foldwise.engine.compiling import CompileTrial, compile_trial, obstacle
from foldwise.engine.layout import faster_layout, layout_seconds
from foldwise.engine.memory import in_parts
from foldwise.engine.precision import autocast_dtype
from foldwise.errors import ConfigError
from foldwise.json_files import read_json
from foldwise.models.freezing import Trainable
from foldwise.models.network import Layout, Network
from foldwise.publish import locked, publish_json
from foldwise.stages.scheduling.phases import phases

T = TypeVar("T")

#: A trial takes as long as 8 steps at least; with fewer steps to come it is not worth its time.
_FEWEST_STEPS = 320
#: Seconds of a training from which a trial of compiling, which takes a minute, is worth its time.
_LEAST_TRAINING_S = 600


def decide_layout(
    assembly: Assembly, network: Network, device: torch.device, *, epochs: int | None = None
) -> Layout:
    """The recipe's layout; `auto` is the faster one in a trial that all units of it share.

    The trial's outcome is kept in the cache, so that the units of a run, and runs made again,
    compute alike.

    Args:
        assembly: of the recipe.
        network: with its starting weights; left as it is.
        device: where it will train.
        epochs: of the shortened schedule, or None.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    recipe = assembly.recipe
    if recipe.train.layout != "auto":
        return recipe.train.layout
    if not _is_long(assembly, epochs):
        return network.layout
    path = assembly.problem.home.step_trial("layout", _key(assembly, device))
    with locked(path.with_suffix(".lock"), doing="timing two layouts", wait_s=600):
        stored = read_json(path)
        if stored is None:
            seconds = _tried(
                assembly,
                network,
                lambda images: layout_seconds(
                    network,
                    images,
                    trainable=_trainable(assembly),
                    device=device,
                    autocast=autocast_dtype(recipe.train.precision, device),
                ),
            )
            stored = {"layout": faster_layout(seconds), "seconds": seconds}
            publish_json(path, stored)
    found: Layout = stored["layout"]
    return found


def decide_compiled(
    assembly: Assembly, network: Network, device: torch.device, *, epochs: int | None = None
) -> bool:
    """Whether steps are compiled; `auto` is what is over earlier, by a trial that is kept, too.

    Args:
        assembly: of the recipe.
        network: with its starting weights, laid out; left as it is.
        device: where it will train.
        epochs: of the shortened schedule, or None.

    Raises:
        ConfigError: the recipe wants it, and this machine has no compiler.
        RunError: memory runs out with one image at a time.
    """
    recipe, wanted = assembly.recipe, assembly.recipe.train.compile
    if wanted != "auto":
        if wanted and (missing := obstacle(device)):
            raise ConfigError(
                f"train.compile: true, but {missing}",
                remedy="install one (on Debian: apt install g++), or set train.compile: auto",
            )
        return wanted
    if not _is_long(assembly, epochs):
        return False
    passes = _num_steps(assembly, epochs) * recipe.train.accumulate  # What is timed is a part's.

    def is_worth_it(pass_s: float) -> bool:
        return pass_s * passes >= _LEAST_TRAINING_S

    path = assembly.problem.home.step_trial("compile", _key(assembly, device, network.layout))
    with locked(path.with_suffix(".lock"), doing="timing compiled steps", wait_s=900):
        stored = read_json(path)
        trial = None if stored is None else CompileTrial(**stored)
        if trial is None or (trial.is_too_short and is_worth_it(trial.plain)):
            trial = _tried(
                assembly,
                network,
                lambda images: compile_trial(
                    network,
                    images,
                    trainable=_trainable(assembly),
                    device=device,
                    autocast=autocast_dtype(recipe.train.precision, device),
                    worth=is_worth_it,
                ),
            )
            publish_json(path, asdict(trial))
    return trial.pays(num_steps=passes, num_graphs=_num_graphs(assembly, epochs))


def _is_long(assembly: Assembly, epochs: int | None) -> bool:
    """Whether a whole network trains for so many steps that a trial may be worth its time."""
    return assembly.recipe.freeze == "none" and _num_steps(assembly, epochs) >= _FEWEST_STEPS


def _num_steps(assembly: Assembly, epochs: int | None) -> int:
    """Steps of a training on all train rows, which is the same for all units of a recipe."""
    steps = num_steps(len(assembly.problem.train), assembly.recipe.train.batch)
    return steps * sum(stage.epochs for stage in assembly.stages(epochs))


def _num_graphs(assembly: Assembly, epochs: int | None) -> int:
    """Graphs that a training compiles: batches of an epoch have two lengths, one apart."""
    return 2 * len({phase.kind.key for phase in phases(assembly.recipe, epochs)})


def _tried(assembly: Assembly, network: Network, trial: Callable[[torch.Tensor], T]) -> T:
    """A trial of images that are noise, as many as a part of a batch that fits into memory."""
    train, size = assembly.recipe.train, assembly.recipe.input.size

    def attempt(parts: int) -> T:
        shape = (-(-train.batch // parts), size, size, network.num_channels)
        images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))
        return trial(images.to(torch.uint8).permute(0, 3, 1, 2))

    return in_parts(attempt, batch=train.batch, parts=train.accumulate)


def _trainable(assembly: Assembly) -> Trainable:
    """What trains in the longest stage, of those in which more than the head does."""
    stages = assembly.stages()
    return max(stages, key=lambda stage: (stage.trainable != "head", stage.epochs)).trainable


def _of_masks(model: ModelConfig) -> list[object]:
    return [] if model.decoder is None else [model.decoder, model.presence]


def _key(assembly: Assembly, device: torch.device, layout: Layout | None = None) -> str:
    """What a trial's outcome depends on."""
    recipe, train = assembly.recipe, assembly.recipe.train
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    model = recipe.model
    added: list[object] = [model.pool, model.branch, model.shallow, *_of_masks(model)]
    if assembly.feed.image_sets.num_images > 1:
        added += [model.siamese, assembly.feed.image_sets.num_images]
    return fingerprint(
        [
            *([repr(added)] if any(part is not None for part in added) else []),
            *([] if layout is None else [layout]),
            *(recipe.model.name, recipe.model.options, recipe.input.size, recipe.input.channels),
            *(train.batch, train.accumulate, train.precision, train.trainable),
            *(device.type, where, machine.num_cores(), torch.get_num_threads(), torch.__version__),
        ]
    )
