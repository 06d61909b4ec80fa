"""Small networks of every kind that backends meet, trained a little so that rows differ."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from foldwise.engine.backends.exporting import exported
from foldwise.engine.compiling import obstacle
from foldwise.models.additions import Additions
from foldwise.models.building import build
from foldwise.models.columns import ColumnEncoder
from foldwise.models.network import Network
from foldwise.models.siamese import Siamese

Inputs = tuple[torch.Tensor, ...]
CPU = torch.device("cpu")


def images(num: int = 4, *, size: int = 32, channels: int = 3, seed: int = 0) -> torch.Tensor:
    """(num, C, size, size) uint8 as `infer` gives them: channels last, brighter one by one."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, num)[:, None, None, None]
    pixels = ramp + rng.integers(0, 56, (num, size, size, channels))
    return torch.from_numpy(pixels.astype(np.uint8)).permute(0, 3, 1, 2)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def spread(network: Network, inputs: Inputs) -> Network:
    """Statistics of batch norm from these inputs, and logits far enough apart to tell rows."""
    with torch.no_grad():
        for _ in range(30):
            network.train()(*inputs)
        logits = network.eval()(*inputs)
        network.head.weight.mul_(2.0 / logits.std(dim=0).mean())
        network.head.bias.sub_(network(*inputs).mean(dim=0))
    return network


def plain() -> tuple[Network, Inputs]:
    torch.manual_seed(0)
    return build(name="small_cnn", num_outputs=3, size=32), (images(),)


def offset() -> tuple[Network, Inputs]:
    torch.manual_seed(0)
    network = build(name="small_cnn", num_outputs=3, size=32, with_offset=True)
    assert network.offset is not None
    network.offset.copy_(torch.tensor([1.0, -1.0, 0.5]))
    return network, (images(),)


def squeezing() -> tuple[Network, Inputs]:
    """Hard swish, squeeze and excite, depthwise convolutions."""
    torch.manual_seed(0)
    return build(name="mobilenetv3_small_050", num_outputs=3, size=32), (images(),)


def transformer() -> tuple[Network, Inputs]:
    torch.manual_seed(0)
    sizes = {"patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}
    network = build(name="vit_tiny_patch16_224", num_outputs=3, size=32, options=sizes)
    return network, (images(),)


def added() -> tuple[Network, Inputs]:
    """An attention branch, a shallow stream, further labels and columns with gaps."""
    values = np.array([[[1.0, 0], [3, 1]], [[2.5, 0], [3, 2]], [[np.nan, np.nan], [3, 1]]])
    values = values.astype(np.float32)
    encoder = ColumnEncoder.fit(["number", "category"], values)
    additions = Additions(branch=True, shallow=(4, 1), auxiliary=(2,), columns=encoder)
    torch.manual_seed(0)
    network = build(name="small_resnet", num_outputs=3, size=32, additions=additions)
    return network, (images(3), torch.from_numpy(values))


def siamese() -> tuple[Network, Inputs]:
    torch.manual_seed(0)
    additions = Additions(siamese=Siamese(2, 3, ("mean", "difference")))
    network = build(name="small_cnn", num_outputs=3, num_images=2, size=32, additions=additions)
    return network, (images(channels=6),)


NETWORKS: dict[str, Callable[[], tuple[Network, Inputs]]] = {
    "plain": plain,
    "offset": offset,
    "squeezing": squeezing,
    "transformer": transformer,
    "added": added,
    "siamese": siamese,
}


@cache
def model_of(name: str) -> bytes:
    """What the exporter makes of a network: it takes seconds."""
    return exported(*made(name))


def made(name: str) -> tuple[Network, Inputs]:
    """A network in eval mode, and inputs for it."""
    network, inputs = NETWORKS[name]()
    return spread(network, inputs), inputs


def skip_unless_there(backend: str) -> None:
    if backend == "compile" and obstacle(CPU):
        pytest.skip("no C++ compiler")
    if backend in ("onnxruntime", "openvino"):
        missing = [each for each in (backend, "onnx", "onnxscript") if find_spec(each) is None]
        if missing:
            pytest.skip(f"{', '.join(missing)} not installed")
