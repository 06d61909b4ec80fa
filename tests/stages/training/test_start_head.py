"""The head that training starts from has not seen the rows that choose the epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise.stages.training import start_head
from foldwise.stages.training.course import rows_of
from tests.builders import SMALL
from tests.stages.small_units import pretrained, ready, units, work


@pytest.mark.parametrize("stop", ["fixed", "inner"])
@pytest.mark.parametrize("frozen", [False, True])
def test_rows_that_choose_the_epoch_are_left_out_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: str, frozen: bool
) -> None:
    model = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
    recipe: dict[str, Any] = {**SMALL, "model": model, "train": {**SMALL["train"], "stop": stop}}
    if frozen:
        recipe |= {"freeze": "backbone", "augment": []}
    unit = units(ready(tmp_path / "home", recipe))[0]
    solved = []
    solve = start_head.solve

    def counted(features: np.ndarray, *given: Any, **named: Any) -> Any:
        solved.append(len(features) // (len(unit.recipe.views) or 1))
        return solve(features, *given, **named)

    monkeypatch.setattr(start_head, "solve", counted)
    work(unit)
    fitted, choosing = rows_of(unit)
    every = len(unit.train_rows)
    assert solved == ([every] if stop == "fixed" else [every, len(fitted)])
    if stop == "inner":
        assert len(fitted) + len(choosing) == every
