"""A trained network's forward pass by each backend: eager, compiled, ONNX Runtime, OpenVINO."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from foldwise.engine import compiling
from foldwise.engine.backends.exporting import Inputs, exported
from foldwise.models.network import Network

#: (B, C, S, S) images in 0..255, and (B, K, 2) table columns if the network takes any → (B, O).
Forward = Callable[..., Tensor]

#: Network in eval mode, inputs of the shape it is to be made for, half precision or None → a pass.
Make = Callable[[Network, Inputs, torch.dtype | None], Forward]

#: Of `foldwise[inference]`: what torch writes ONNX files with.
_EXPORTER = ("onnx", "onnxscript")


@dataclass(frozen=True)
class Backend:
    """A way to run a network.

    Attributes:
        make: makes the pass; raises whatever its library raises.
        obstacle: what is missing for a device on this machine; empty: nothing.
        release: lets go of what passes leave behind in the library.
        least_s: seconds of eager inference from which it is worth a trial: a few times of what it
            takes to make a pass.
    """

    make: Make
    obstacle: Callable[[torch.device], str] = lambda device: ""
    release: Callable[[], None] = lambda: None
    least_s: float = 60.0


def eager(network: Network, inputs: Inputs, half: torch.dtype | None) -> Forward:
    """The network as PyTorch calls it."""
    return network


def compiled(network: Network, inputs: Inputs, half: torch.dtype | None) -> Forward:
    """Compiled by inductor, weights frozen into the graph: normalisation layers are folded away."""
    return compiling.compile_function(network.forward, freezing=True)


def onnx_runtime(network: Network, inputs: Inputs, half: torch.dtype | None) -> Forward:
    """By ONNX Runtime on the CPU, in full precision: it has no other there."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        exported(network, inputs), options, providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in session.get_inputs()]

    def forward(*given: Tensor) -> Tensor:
        feed = {name: each.numpy() for name, each in zip(names, _packed(given), strict=True)}
        return torch.from_numpy(session.run(None, feed)[0])

    return forward


def open_vino(network: Network, inputs: Inputs, half: torch.dtype | None) -> Forward:
    """By OpenVINO on the CPU, parts of a batch side by side."""
    # Imported, it would count its uses in the home folder and send that out; it does without this.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # Not importable.
    import openvino

    core = openvino.Core()
    # Said, since it takes bfloat16 by itself on a processor that has it.
    precision = "bf16" if half is torch.bfloat16 else "f32"
    num = num_parts(len(inputs[0]), torch.get_num_threads())
    options = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": num,
    }
    one = tuple(each[: len(each) // num] for each in inputs)
    model = core.compile_model(core.read_model(exported(network, one)), "CPU", options)
    requests = [model.create_infer_request() for _ in range(num)]

    def forward(*given: Tensor) -> Tensor:
        # Kept until all are done: requests read the tensors' own memory.
        parts = list(zip(*(each.chunk(num) for each in _packed(given)), strict=True))
        for request, part in zip(requests, parts, strict=True):
            request.start_async([each.numpy() for each in part], share_inputs=True)
        for request in requests:
            request.wait()
        return torch.cat([torch.from_numpy(each.get_output_tensor(0).data) for each in requests])

    return forward


def num_parts(batch: int, threads: int) -> int:
    """Equal parts of a batch that are best computed side by side, each by its share of threads.

    Layers that one thread works off whole wait for no other. Measured on two cores at 32 images:
    EfficientNet-B0 1.11 times as fast as in one part, RegNetY-400MF 1.04, ResNet-18 1.00. Parts
    have 8 images or more: fewer were not measured to be any faster.

    >>> [num_parts(32, threads) for threads in (1, 2, 3, 16)], num_parts(8, 2)
    ([1, 2, 2, 4], 1)
    """
    fits = [num for num in range(1, threads + 1) if batch % num == 0 and batch // num >= 8]
    return max(fits, default=1)


def _packed(given: Inputs) -> list[Tensor]:
    return [each.contiguous() for each in given]


def _on_cpu(package: str) -> Callable[[torch.device], str]:
    def obstacle(device: torch.device) -> str:
        if device.type != "cpu":
            return f"it computes on a CPU, not on {device.type}"
        missing = [name for name in (package, *_EXPORTER) if find_spec(name) is None]
        if missing:
            return f"{', '.join(missing)}: not installed (pip install 'foldwise[inference]')"
        return ""

    return obstacle


BACKENDS: dict[str, Backend] = {
    "eager": Backend(eager),
    "compile": Backend(compiled, compiling.obstacle, torch.compiler.reset, least_s=600.0),
    "onnxruntime": Backend(onnx_runtime, _on_cpu("onnxruntime")),
    "openvino": Backend(open_vino, _on_cpu("openvino")),
}
