"""What a trial found of each backend, as a pack remembers it, and which one that speaks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import torch

from foldwise import device as machine
from foldwise.config.writing import fingerprint
from foldwise.engine.backends.exporting import Inputs
from foldwise.engine.backends.making import BACKENDS
from foldwise.engine.layout import LEAST_SAVED
from foldwise.models.network import Network

_PACKAGES = ("torch", "timm", "onnx", "onnxscript", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Candidate:
    """What a trial found of a backend.

    Attributes:
        backend: of `BACKENDS`.
        seconds: of an image, in batches as the trial's; None: not measured.
        making_s: seconds from a network to its first pass, to convert or to compile it.
        difference: from eager in full precision, of predictions or logits, see
            `checking.difference`; None: it gave none.
        reason: why it cannot be taken; empty: it can.
        is_untried: whether that is because so few images were to come.
    """

    backend: str
    seconds: float | None = None
    making_s: float = 0.0
    difference: float | None = None
    reason: str = ""
    is_untried: bool = False


@dataclass(frozen=True)
class BackendTrial:
    """What a trial found.

    Attributes:
        key: from `trial_key`: the network, machine and versions that it holds for.
        num_images: that were to come for the network, each view counted.
        precision: computed in: fp32, bf16 or fp16.
        limit: the difference that is allowed.
        candidates: eager, then the others.
    """

    key: str
    num_images: int
    precision: str
    limit: float
    candidates: tuple[Candidate, ...]

    @property
    def choice(self) -> str:
        """The backend by which the images to come are done soonest."""
        return self.best(self.num_images)

    def best(self, num_images: int) -> str:
        """The backend by which so many images, each view counted, are done soonest.

        What it takes to make a network's pass counts once. Eager stays where others save little.

        >>> plain, fast = Candidate("eager", 0.02), Candidate("openvino", 0.01, making_s=10.0)
        >>> trial = BackendTrial("", 2000, "fp32", 1e-4, (plain, fast))
        >>> trial.choice, trial.best(900)
        ('openvino', 'eager')
        """
        most = (1 - LEAST_SAVED) * self._eager_s
        ends = {
            each.backend: each.making_s + each.seconds * num_images
            for each in self.candidates
            if each.seconds is not None and not each.reason
            if each.backend == "eager" or each.seconds <= most
        }
        return min(ends, key=lambda backend: ends[backend])

    def holds(self, key: str, num_images: int) -> bool:
        """Whether it stands for these: the same key, and nobody untried is worth trying now."""
        untried = [each.backend for each in self.candidates if each.is_untried]
        return key == self.key and not any(
            self._eager_s * num_images >= BACKENDS[backend].least_s for backend in untried
        )

    @property
    def _eager_s(self) -> float:
        found = self.candidates[0].seconds
        assert found is not None, "eager is always measured"
        return found

    def to_json(self) -> dict[str, Any]:
        """For `publish_json`; tells the choice as well."""
        return {**asdict(self), "choice": self.choice}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BackendTrial:
        """From what `to_json` gave."""
        own = {name: each for name, each in value.items() if name != "choice"}
        candidates = tuple(Candidate(**each) for each in value["candidates"])
        return cls(**{**own, "candidates": candidates})


def trial_key(network: Network, inputs: Inputs, *, half: torch.dtype | None = None) -> str:
    """What a trial's outcome depends on: architecture, batch, precision, machine, versions.

    Not the weights: backends are as fast with others, and are checked with each network's own.
    """
    device = inputs[0].device
    tensors = [[name, list(each.shape)] for name, each in network.state_dict().items()]
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else machine.cpu_name()
    return fingerprint(
        [
            *(repr(network), network.layout, tensors),
            *([list(each.shape), str(each.dtype)] for each in inputs),
            *(str(half), device.type, where, torch.backends.cpu.get_cpu_capability()),
            torch.get_num_threads(),
            {name: version(name) for name in _PACKAGES},
        ]
    )


def version(package: str) -> str | None:
    """Of an installed package; None: it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
