from pathlib import Path

import pytest
import torch

from foldwise import publish
from foldwise.engine.checkpoint import (
    Checkpoint,
    load_newest,
    pack_optimizer,
    save,
    unpack_optimizer,
)
from foldwise.optim.optimizers import build_optimizer


def make(epoch: int) -> Checkpoint:
    return Checkpoint(
        epoch, {"network.w": torch.full((3,), float(epoch))}, {"extra": {"epoch": epoch}}
    )


def test_the_newest_of_two_kept_checkpoints_comes_back(tmp_path):
    for epoch in (1, 2, 3):
        save(tmp_path, make(epoch))
    found, notes = load_newest(tmp_path)
    assert found is not None
    assert found.epoch == 3
    assert found.meta == {"extra": {"epoch": 3}}
    assert torch.equal(found.tensors["network.w"], torch.full((3,), 3.0))
    assert notes == []
    assert sorted(p.stem for p in tmp_path.glob("*.json")) == [
        "epoch-0002-step-000000",
        "epoch-0003-step-000000",
    ]


def test_of_an_empty_folder_nothing_comes_back(tmp_path):
    assert load_newest(tmp_path) == (None, [])


def test_every_damaged_byte_of_the_newest_is_noticed_and_the_one_before_is_used(tmp_path):
    save(tmp_path, make(1))
    save(tmp_path, make(2))
    path = tmp_path / "epoch-0002-step-000000.safetensors"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found, notes = load_newest(tmp_path)
        assert found is not None
        assert found.epoch == 1
        assert "epoch-0002-step-000000 is damaged" in notes[0]


@pytest.mark.parametrize("kind", ["raise", "tear"])
def test_a_fault_in_any_phase_leaves_a_whole_checkpoint(tmp_path, monkeypatch, kind):
    """SQLite's way: fail the n-th phase for every n until the operation succeeds."""
    done = planned = 0
    for number in range(1, 100):
        folder = tmp_path / str(number)
        save(folder, make(1))
        seen = [0]

        def step(name: str, path: Path, seen: list[int] = seen, number: int = number) -> None:
            seen[0] += 1
            if seen[0] == number:
                if kind == "tear" and path.is_file():
                    with path.open("r+b") as file:
                        file.truncate(path.stat().st_size // 2)
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(publish, "step", step)
        try:
            save(folder, make(2))
        except OSError:
            planned += 1
        else:
            break
        finally:
            monkeypatch.undo()
        found, _ = load_newest(folder)
        assert found is not None
        assert torch.equal(found.tensors["network.w"], torch.full((3,), float(found.epoch)))
        publish.sweep(folder)
        assert not list(folder.glob(".foldwise-part-*"))
        done += 1
    assert planned == done
    assert planned >= 10


@pytest.mark.parametrize(
    "name", ["adamw", "sgd", "radam", "lion", "muon", "nadamw", "adafactor", "lamb", "adanw"]
)
def test_an_optimiser_goes_on_with_the_same_bits(name):
    def trained(steps: int, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for step in range(steps):
            torch.manual_seed(step)
            optimizer.zero_grad()
            (module(torch.randn(4, 6)) ** 2).sum().backward()
            optimizer.step()

    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Linear(8, 3))
        return module, build_optimizer(module, name=name, lr=1e-2, weight_decay=0.01)

    module, optimizer = fresh()
    trained(3, module, optimizer)
    tensors, scalars = pack_optimizer(optimizer)
    tensors = {key: value.clone() for key, value in tensors.items()}
    resumed, other = fresh()
    resumed.load_state_dict(module.state_dict())
    unpack_optimizer(other, tensors, scalars)
    trained(2, module, optimizer)
    trained(2, resumed, other)
    for ours, theirs in zip(module.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(ours, theirs)
