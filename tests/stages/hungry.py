"""A network whose memory runs out with more than some images, and a unit that trains it."""

from pathlib import Path
from typing import Any

from foldwise.stages.training.unit import Unit
from tests.builders import SMALL
from tests.stages.small_units import ready, units

FULL = "CUDA out of memory. Tried to allocate 2 GiB"
HUNGRY = """
import torch
from torch import nn

class Hungry(nn.Module):
    def __init__(self, num_outputs, channels, most, after, message, most_scored):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, num_outputs))
        self.most, self.after, self.steps = most, after, 0
        self.message, self.most_scored = message, most_scored

    def forward(self, images):
        self.steps += self.training
        if not self.training and len(images) > self.most_scored:
            raise torch.OutOfMemoryError(self.message)
        if self.training and self.steps > self.after and len(images) > self.most:
            raise torch.OutOfMemoryError(self.message)
        return self.layers(images)

def network(*, num_outputs, channels, most, after, message, most_scored):
    return Hungry(num_outputs, channels, most, after, message, most_scored)
"""


def hungry(
    folder: Path,
    most: int,
    after: int = 0,
    message: str = FULL,
    loss: str | None = None,
    most_scored: int = 64,
    **train: Any,
) -> Unit:
    """A unit of it.

    Args:
        folder: of its competition, to be made.
        most: images of a step that fit into memory, once `after` steps were made.
        after: steps.
        message: of the error.
        loss: of an ordinal recipe; None: multiclass.
        most_scored: images that fit when they are scored.
        train: keys of the recipe.
    """
    options = {"most": most, "after": after, "message": message, "most_scored": most_scored}
    model = {"name": "hungry:network", "options": options}
    recipe = {**SMALL, "model": model, "loss": loss, "train": {**SMALL["train"], **train}}
    task = "multiclass" if loss is None else "ordinal"
    home = ready(folder, recipe, task=task)
    home.code.mkdir(exist_ok=True)
    (home.code / "hungry.py").write_text(HUNGRY)
    return units(home)[0]
