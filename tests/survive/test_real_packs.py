"""Packs of blends trained on real data hold what they promise, as a stranger would find them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.init import init
from foldwise.stages.pack import pack_answer
from foldwise.stages.prove import prove
from foldwise.stages.run import run

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["fundus-grade", "street-frames"])
def test_the_proof_of_a_blend_is_green(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--full") or not (DATA / name).is_dir():
        pytest.skip("with --full and the data sets beside the checkout")
    home = Home(tmp_path / name)
    init(home.path, data=DATA / name, display=Display(quiet=True))
    run(home, stop_at=time.monotonic() + 480, display=Display(quiet=True))
    assert pack_answer(home, "blend", on="kaggle", limit="1h", display=Display()) is not None
    found = prove(home, "answer", display=Display())
    assert found.holds, [check for check in found.checks if check.passed is False]
