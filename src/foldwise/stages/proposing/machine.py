"""What the machine can do: cores, graphics card, weights that need no download, rough speeds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foldwise import device
from foldwise.models.packages import available_packages

#: Images a second of tf_efficientnet_lite0 at 224 px on two cores, measured: training, inference.
_TRAIN_224, _INFER_224 = 12.0, 40.0
#: How much faster smaller images are: (224 / size) to this power, from 128 px (50 and 200).
_TRAIN_POWER, _INFER_POWER = 2.4, 2.8
#: small_resnet at 32 px on two cores, training, measured; by pixels.
_SMALL_32 = 500.0
#: One graphics card against two cores; coarse, for forecasts only.
_GPU_FACTOR = 60.0


@dataclass(frozen=True)
class PretrainedNetwork:
    """A network whose weights can be had offline.

    Attributes:
        name: timm's.
        pretrained: what a recipe says: `package:NAME`, or true for the hub's cache.
    """

    name: str
    pretrained: str | bool


@dataclass(frozen=True)
class Machine:
    """The machine at hand.

    Attributes:
        num_cores: cores this process may use.
        num_gpus: graphics cards.
        networks: pretrained networks that need no download, best first.
    """

    num_cores: int
    num_gpus: int
    networks: tuple[PretrainedNetwork, ...]

    @property
    def words(self) -> str:
        """In words."""
        gpus = f", {self.num_gpus} GPU{'s' * (self.num_gpus > 1)}" if self.num_gpus else ", no GPU"
        return f"{self.num_cores} cores{gpus}"

    @property
    def _speed(self) -> float:
        return _GPU_FACTOR if self.num_gpus else self.num_cores / 2

    def train_rate(self, size: int) -> float:
        """Images a second that a small pretrained network trains at, roughly."""
        return float(self._speed * _TRAIN_224 * (224 / size) ** _TRAIN_POWER)

    def infer_rate(self, size: int) -> float:
        """Images a second that a small pretrained network infers at, roughly."""
        return float(self._speed * _INFER_224 * (224 / size) ** _INFER_POWER)

    def small_rate(self, size: int) -> float:
        """Images a second that `small_resnet` trains at, roughly."""
        return self._speed * _SMALL_32 * (32 / size) ** 2


def look_at_machine() -> Machine:
    """The machine, found without importing torch."""
    packaged = [PretrainedNetwork(name, f"package:{p}") for p, name in available_packages()]
    gpus = device.num_gpus()
    cached = [PretrainedNetwork(name, True) for name in hub_networks()]
    # On a CPU the small packaged networks come first: what lies in the hub's cache may be large.
    networks = [*cached, *packaged] if gpus else [*packaged, *cached]
    return Machine(device.num_cores(), gpus, tuple(_distinct(networks)))


def hub_networks() -> list[str]:
    """Timm networks whose weights lie in the hub's cache, by name."""
    found = {
        path.parent.parent.parent.name.removeprefix("models--timm--")
        for path in _hub_folder().glob("models--timm--*/snapshots/*/model.safetensors")
    }
    return sorted(found)


def _hub_folder() -> Path:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub"))


def _distinct(networks: Sequence[PretrainedNetwork]) -> list[PretrainedNetwork]:
    return list(
        {network.name.partition(".")[0]: network for network in reversed(networks)}.values()
    )[::-1]
