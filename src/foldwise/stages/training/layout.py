"""Decides how a recipe's network lies in memory, once for all its units on this machine."""

from __future__ import annotations

import platform

import torch

from foldwise import device as machine
from foldwise.config.writing import fingerprint
from foldwise.data.batches import num_steps
from foldwise.engine.assemble import Assembly
from foldwise.engine.layout import faster_layout, layout_seconds
from foldwise.engine.precision import autocast_dtype
from foldwise.models.network import Layout, Network
from foldwise.publish import locked, publish_json
from foldwise.rundir import read_json

#: A trial takes as long as 8 steps; with fewer steps to come it is not worth its time.
_FEWEST_STEPS = 320


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
    """
    recipe = assembly.recipe
    if recipe.train.layout != "auto":
        return recipe.train.layout
    stages = assembly.stages(epochs)
    steps = num_steps(len(assembly.problem.train), recipe.train.batch)
    if recipe.freeze == "backbone" or sum(stage.epochs for stage in stages) * steps < _FEWEST_STEPS:
        return network.layout
    path = assembly.problem.home.layout_trial(_key(assembly, device))
    with locked(path.with_suffix(".lock"), doing="timing two layouts", wait_s=600):
        stored = read_json(path)
        if stored is None:
            stored = _tried(assembly, network, device)
            publish_json(path, stored)
    found: Layout = stored["layout"]
    return found


def _tried(assembly: Assembly, network: Network, device: torch.device) -> dict[str, object]:
    recipe = assembly.recipe
    size, channels = recipe.input.size, network.num_channels
    part = -(-recipe.train.batch // recipe.train.accumulate)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (part, size, size, channels), generator=generator)
    stage = max(assembly.stages(), key=lambda stage: (stage.trainable != "head", stage.epochs))
    seconds = layout_seconds(
        network,
        images.to(torch.uint8).permute(0, 3, 1, 2),
        trainable=stage.trainable,
        device=device,
        autocast=autocast_dtype(recipe.train.precision, device),
    )
    return {"layout": faster_layout(seconds), "seconds": seconds}


def _key(assembly: Assembly, device: torch.device) -> str:
    """What the trial's outcome depends on."""
    recipe, train = assembly.recipe, assembly.recipe.train
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    model = recipe.model
    added: list[object] = [model.pool, model.branch, model.shallow]
    if assembly.image_sets.num_images > 1:
        added += [model.siamese, assembly.image_sets.num_images]
    return fingerprint(
        [
            *([repr(added)] if any(part is not None for part in added) else []),
            *(recipe.model.name, recipe.model.options, recipe.input.size, recipe.input.channels),
            *(train.batch, train.accumulate, train.precision, train.trainable),
            *(device.type, where, machine.num_cores(), torch.get_num_threads(), torch.__version__),
        ]
    )
