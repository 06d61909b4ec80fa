"""The job behind `doctor --costs`: steps of a recipe at one batch and size, in its own process."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from foldwise import device as machine
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.data.batches import Batch
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import Step, fit
from foldwise.engine.fitting import fit_plan, fit_state
from foldwise.engine.mask_feeding import noise_masks
from foldwise.home import Home
from foldwise.optim.schedule import Stage
from foldwise.stages.examining.costs import Cost
from foldwise.tasks.problem import open_problem

#: Steps that are timed: so many for quick ones, fewer for slow ones, but two at least.
_MOST_STEPS, _ENOUGH_STEPS, _ENOUGH_S, _SECONDS = 40, 5, 1.5, 6.0


def cost_of_step(home: str, recipe: str, batch: int, size: int) -> Cost:
    """What a step of an uncut batch costs; noise stands for images, so reading is not in it.

    Args:
        home: the competition's folder.
        recipe: resolved, as JSON.
        batch: images.
        size: of their sides, pixels.
    """
    problem = open_problem(Home(Path(home)))
    resolved = from_values(json.loads(recipe), Recipe, source="recipe")
    return tried_cost(Assembly(problem, resolved), batch, size)


def tried_cost(
    assembly: Assembly, batch: int, size: int, *, clock: Callable[[], float] = time.monotonic
) -> Cost:
    """The same in this process, whose memory so far counts as well.

    Args:
        assembly: of the recipe.
        batch: images.
        size: of their sides, pixels.
        clock: seconds; the process's CPU time where others keep the machine busy.
    """
    assembly, device = _resized(assembly, batch, size), machine.pick()
    problem = assembly.problem
    machine.keep_freed_memory()
    torch.manual_seed(0)
    network = assembly.network()
    longest = max(assembly.stages(), key=lambda stage: (stage.trainable != "head", stage.epochs))
    rows = np.arange(len(problem.train))
    shown = np.resize(rows, batch)
    images = torch.randint(0, 256, (batch, size, size, network.num_channels))
    columns = assembly.feed.column_values(problem.train)
    noise = Batch(
        images.to(torch.uint8).permute(0, 3, 1, 2),
        shown,
        None if columns is None else torch.from_numpy(columns[shown]).float(),
        noise_masks(assembly, batch, size) if assembly.gives_maps else None,
    )

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        for _ in range(first, 1 + _MOST_STEPS):
            yield noise

    plan = fit_plan(
        assembly,
        rows,
        device,
        batches=batches,
        stages=(Stage(1, longest.trainable, 0.0, 0.0, "constant"),),
        seed=0,
        fold=-1,
    )
    plan = replace(plan, num_steps=1 + _MOST_STEPS, on_nonfinite="skip")
    marks: list[float] = []
    for event in fit(fit_state(assembly, network, device), plan):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if isinstance(event, Step):
            marks.append(clock())
        if len(marks) > 2 and marks[-1] - marks[0] > _limit_s(len(marks) - 1):
            break
    seconds = float(np.median(np.diff(marks)))
    return Cost(batch, size, _most_memory(device), seconds, device.type)


def _limit_s(num_steps: int) -> float:
    """Seconds after which so many timed steps are enough."""
    return _ENOUGH_S if num_steps >= _ENOUGH_STEPS else _SECONDS


def _resized(assembly: Assembly, batch: int, size: int) -> Assembly:
    recipe = assembly.recipe
    changed = {
        "input": recipe.input.model_copy(update={"size": size}),
        "train": recipe.train.model_copy(update={"batch": batch, "accumulate": 1}),
    }
    return Assembly(assembly.problem, recipe.model_copy(update=changed))


def _most_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
