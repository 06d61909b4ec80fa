import os
import signal
from pathlib import Path

import pytest

from foldwise.stages.training import course
from foldwise.stages.training.interrupting import interruptible
from tests.stages.small_units import ready, units, with_train, work


def test_a_unit_stopped_by_the_keyboard_saves_and_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    never = with_train(epochs=3, checkpoint={"every": "1h", "share": 1e-9})
    whole = units(ready(tmp_path / "whole", never))[0]
    work(whole)
    unit = units(ready(tmp_path / "stopped", never))[0]
    seen = []

    def report(*arguments: object) -> None:
        seen.append(arguments)
        if len(seen) == 4:  # The first step of the second epoch.
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(course, "_report", report)
    with pytest.raises(KeyboardInterrupt):
        work(unit)
    monkeypatch.undo()
    states = [path.name for path in sorted(unit.folder.checkpoint.glob("*.json"))]
    assert states[-1] == "epoch-0001-step-000001.json"
    work(unit)
    for name in ("weights.safetensors", "valid.parquet", "history.csv"):
        assert (unit.folder.path / name).read_bytes() == (whole.folder.path / name).read_bytes()


def test_the_handler_before_it_is_put_back(tmp_path: Path):
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as interruption:
        assert not interruption.is_asked
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.is_asked
    assert signal.getsignal(signal.SIGINT) is before
