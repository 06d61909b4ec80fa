"""How many units run side by side, and what each of them is given."""

from __future__ import annotations

from foldwise import device as machine
from foldwise.config.recipe import Recipe
from foldwise.tasks.task import Task


def side_by_side(parallel: int | None) -> tuple[int, int]:
    """(units at a time, compute threads of each).

    Args:
        parallel: units wanted at a time; None: by GPUs or cores.
    """
    cores = machine.num_cores()
    at_once = parallel or machine.num_gpus() or min(cores, 4)
    return at_once, max(1, cores // at_once)


def needs_features(recipe: Recipe, task: Task) -> bool:
    """Whether the recipe's head is solved on features of its frozen backbone; of masks none is."""
    if task.kind == "map":
        return False
    is_pretrained = recipe.model.pretrained is not False
    return recipe.freeze == "backbone" or (is_pretrained and recipe.train.head_start)
