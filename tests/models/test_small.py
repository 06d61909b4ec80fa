"""The small networks learn scanned digits in seconds, alone in the house."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from foldwise.models.building import build
from foldwise.models.small import NETWORKS


@pytest.mark.parametrize("name", NETWORKS)
def test_it_learns_digits_from_scratch(name: str) -> None:
    digits = load_digits()
    images = torch.from_numpy(digits.images * 15.9).to(torch.uint8)[:1000, None]
    target = torch.from_numpy(digits.target)[:1000]
    torch.manual_seed(0)
    options = {"widths": (16, 32, 64)} | ({"depth": 1} if "resnet" in name else {})
    network = build(name=name, num_outputs=10, channels=1, size=8, options=options).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    course = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=4 * 32)
    for _ in range(4):
        for rows in torch.randperm(800).split(25):
            loss = nn.functional.cross_entropy(network(images[rows]), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            course.step()
    network.eval()
    with torch.no_grad():
        correct = network(images[800:]).argmax(dim=1) == target[800:]
    assert correct.float().mean() > 0.9


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("size", [8, 28, 33])
def test_any_size_will_do(name: str, norm: str, size: int) -> None:
    network = build(name=name, num_outputs=2, size=size, options={"norm": norm}).eval()
    assert network(torch.zeros(3, 3, size, size)).shape == (3, 2)


def test_drop_path_keeps_the_expected_output() -> None:
    options = {"widths": (8,), "depth": 1, "norm": "group"}
    torch.manual_seed(0)
    network = build(name="small_resnet", num_outputs=2, size=8, options=options)
    block = network.get_submodule("backbone.stages.0")
    maps = torch.randn(1, 8, 4, 4).expand(4000, -1, -1, -1)
    with torch.no_grad():
        whole = block.eval()(maps[:1])
        block.drop_path = 0.5
        mean = block.train()(maps).mean(dim=0, keepdim=True)
    torch.testing.assert_close(mean, whole, rtol=0.1, atol=0.1)
