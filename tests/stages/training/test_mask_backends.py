"""Test rows of masks are scored by the backend that a kept trial speaks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.stages.training.choices import reuse
from foldwise.stages.training.jobs import try_backends
from foldwise.stages.training.unit import Unit
from foldwise.stages.training.work import score_test
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units
from tests.stages.small_units import work

pytest.importorskip("onnxruntime")

NATIVE = {"input": {"size": 16, "fit": "native"}, "augment": ["mask_crop"]}


def scored(folder: Path, recipe: dict[str, Any], speaks_for: str) -> tuple[Unit, str, list[Any]]:
    """A unit whose test rows were scored again after a trial, what it says, and its first maps."""
    unit = masks_units(masks_ready(folder, recipe))[0]
    work(unit)
    before = [levels.astype(int) for levels in predictions_file.read(unit.folder.test).scores]
    home, run = str(unit.problem.home.path), str(unit.run.path)
    found = try_backends(home, run, unit.fold, unit.seed, 1, unit.epochs, "10")
    kept = Path(str(found["trial"]))
    trial = json.loads(kept.read_text())
    for candidate in trial["candidates"]:
        if candidate["backend"] == speaks_for:
            candidate |= {"seconds": trial["candidates"][0]["seconds"] / 2, "reason": ""}
            candidate["is_untried"] = False
    kept.write_text(json.dumps(trial))
    return unit, score_test(unit, reuse(unit, 1), answers=True), before


def test_maps_are_made_by_what_a_kept_trial_speaks_for(tmp_path: Path) -> None:
    unit, notes, before = scored(tmp_path, SMALL_MASKS, "onnxruntime")
    assert "scored by onnxruntime" in notes
    assert "gives way" not in notes
    after = predictions_file.read(unit.folder.test).scores
    # A probability that is 1e-4 off may fall on the next of 256 levels.
    away = [np.abs(old - new).max() for old, new in zip(before, after, strict=True)]
    assert max(away) <= 1
    assert np.mean([(old != new).mean() for old, new in zip(before, after, strict=True)]) < 0.01


def test_images_of_their_own_sizes_are_left_to_pytorch(tmp_path: Path) -> None:
    unit, notes, before = scored(tmp_path, {**SMALL_MASKS, **NATIVE}, "onnxruntime")
    assert "scored by" not in notes
    after = predictions_file.read(unit.folder.test).scores
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
