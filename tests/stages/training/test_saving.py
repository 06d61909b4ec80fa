"""States are saved within long epochs, and not so often that it would cost."""

import pytest
import torch

from foldwise import device as machine
from foldwise.config.training import CheckpointConfig
from foldwise.engine.checkpoint import Checkpoint, save
from foldwise.rundir import UnitDir
from foldwise.stages.training import saving
from foldwise.stages.training.saving import Saver

STATE = Checkpoint(0, {"w": torch.zeros(2)}, {}, 5)


class Clock:
    """Stands still but for what a save takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost: float) -> None:
        self.now = 100.0
        monkeypatch.setattr(machine, "monotonic", lambda: self.now)

        def slow(folder, state):
            save(folder, state)
            self.now += cost

        monkeypatch.setattr(saving.checkpoint, "save", slow)


def test_within_an_epoch_the_time_counts_and_at_its_end_not(monkeypatch, tmp_path):
    clock = Clock(monkeypatch, cost=0.0)
    saver = Saver(UnitDir(tmp_path), CheckpointConfig(every="10min"))
    clock.now += 599
    assert not saver.is_due(at_end=False)
    assert saver.is_due(at_end=True)
    clock.now += 1
    assert saver.is_due(at_end=False)
    saver.save(STATE)
    assert not saver.is_due(at_end=False)
    names = sorted(path.name for path in UnitDir(tmp_path).checkpoint.iterdir())
    assert names == ["epoch-0000-step-000005.json", "epoch-0000-step-000005.safetensors"]


def test_saving_takes_no_more_than_its_share_of_the_time(monkeypatch, tmp_path):
    clock = Clock(monkeypatch, cost=3.0)
    saver = Saver(UnitDir(tmp_path), CheckpointConfig(share=0.02))
    for _ in range(1000):  # Epochs of a second.
        clock.now += 1
        if saver.is_due(at_end=True):
            saver.save(STATE)
    num_saved = (clock.now - 1100) / 3
    assert num_saved >= 6
    assert 3 * num_saved <= 0.02 * 1000 + 3
