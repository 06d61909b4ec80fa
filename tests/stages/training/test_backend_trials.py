"""Test rows are scored by the backend that a kept trial speaks for, near to what PyTorch gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.stages.training.choices import reuse
from foldwise.stages.training.jobs import try_backends
from foldwise.stages.training.unit import Unit
from foldwise.stages.training.work import score_test
from tests.stages.small_units import ready, units, work

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Unit:
    found = units(ready(tmp_path_factory.mktemp("backends")))[0]
    work(found)
    return found


def tried(unit: Unit, num_images: int) -> dict[str, object]:
    home, run = str(unit.problem.home.path), str(unit.run.path)
    return try_backends(home, run, unit.fold, unit.seed, 1, unit.epochs, str(num_images))


def test_few_images_are_left_to_pytorch_and_the_trial_is_kept(unit: Unit) -> None:
    found = tried(unit, 10)
    assert found["choice"] == "eager"
    assert found["of_eager"] == 1
    kept = Path(str(found["trial"]))
    assert kept.parent == unit.problem.home.cache / "trials"
    before = kept.stat().st_mtime_ns
    tried(unit, 20)
    assert kept.stat().st_mtime_ns == before
    eager = predictions_file.read(unit.folder.test)
    score_test(unit, reuse(unit, 1), answers=True)
    assert (predictions_file.read(unit.folder.test).scores == eager.scores).all()


def test_rows_are_scored_by_what_a_kept_trial_speaks_for(unit: Unit) -> None:
    eager = predictions_file.read(unit.folder.test).scores
    kept = Path(str(tried(unit, 10)["trial"]))
    trial = json.loads(kept.read_text())
    for candidate in trial["candidates"]:
        if candidate["backend"] == "onnxruntime":
            candidate |= {"seconds": trial["candidates"][0]["seconds"] / 2, "reason": ""}
            candidate["is_untried"] = False
    kept.write_text(json.dumps(trial))
    assert tried(unit, 10)["choice"] == "onnxruntime"
    assert tried(unit, 10)["of_eager"] == pytest.approx(0.5)
    notes = score_test(unit, reuse(unit, 1), answers=True)
    assert "scored by onnxruntime" in notes
    assert "gives way" not in notes
    found = predictions_file.read(unit.folder.test).scores
    assert 0 <= np.abs(found - eager).max() < 1e-4
