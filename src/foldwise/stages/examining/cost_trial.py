"""The job behind `doctor --costs`: steps of a recipe at one batch and size, in its own process."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
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
from foldwise.optim.schedule import Stage
from foldwise.rundir import Home
from foldwise.stages.examining.costs import Cost
from foldwise.tasks.problem import open_problem

_MOST_STEPS, _SECONDS = 5, 6.0


def cost_of_step(home: str, recipe: str, batch: int, size: int) -> Cost:
    """What an optimiser step costs; noise stands for images, so reading them is not in it.

    Args:
        home: the competition's folder.
        recipe: resolved, as JSON.
        batch: images.
        size: of their sides, pixels.
    """
    problem = open_problem(Home(Path(home)))
    resolved = from_values(json.loads(recipe), Recipe, source="recipe")
    resolved = resolved.model_copy(
        update={
            "input": resolved.input.model_copy(update={"size": size}),
            "train": resolved.train.model_copy(update={"batch": batch}),
        }
    )
    assembly, device = Assembly(problem, resolved), machine.pick()
    machine.keep_freed_memory()
    torch.manual_seed(0)
    network = assembly.network()
    longest = max(assembly.stages(), key=lambda stage: (stage.trainable != "head", stage.epochs))
    rows = np.arange(len(problem.train))
    shown = np.resize(rows, batch)
    images = torch.randint(0, 256, (batch, size, size, network.num_channels))
    columns = assembly.column_values(problem.train)
    noise = Batch(
        images.to(torch.uint8).permute(0, 3, 1, 2),
        shown,
        None if columns is None else torch.from_numpy(columns[shown]).float(),
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
            marks.append(time.monotonic())
        if len(marks) > 2 and marks[-1] - marks[0] > _SECONDS:
            break
    seconds = float(np.median(np.diff(marks)))
    return Cost(batch, size, _most_memory(device), seconds, device.type)


def _most_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
