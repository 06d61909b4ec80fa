"""Training that changes nothing is fed the pixels that are scored, however the cache keeps them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from foldwise.data.batches import eval_batches
from foldwise.engine.assemble import Assembly
from foldwise.engine.fitting import image_batches
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe, network_inputs
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home

UNCHANGED = {
    "nothing": [],
    "crop": [{"name": "crop", "scale": [1, 1], "ratio": [1, 1]}],
    "flip": [{"name": "hflip", "p": 0}],
    "flip and crop": [
        {"name": "hflip", "p": 0},
        {"name": "crop", "scale": [1, 1], "ratio": [1, 1]},
    ],
}


@pytest.mark.parametrize("store", ["raw", "none"])
@pytest.mark.parametrize("augment", UNCHANGED.values(), ids=UNCHANGED)
def test_training_and_scoring_are_fed_the_same_pixels(
    tmp_path: Path, store: str, augment: list[object]
) -> None:
    fed = {"size": 20, "zoom": 1.4, "store": store}
    home = make_home(tmp_path, recipes={"a": {**SMALL, "augment": augment, "input": fed}})
    recipe = load_recipe(home, "a")
    prepare(home, inputs=network_inputs([recipe]))
    assembly = Assembly(open_problem(home), recipe)
    train = assembly.problem.train
    rows = np.arange(len(train))
    (scored,) = eval_batches(
        assembly.feed.source(assembly.problem.train), batch=len(rows), workers=0
    )
    for batch in image_batches(assembly, rows, seed=0, fold=-1)(0, 0):
        assert torch.equal(batch.images, scored.images[batch.rows])
