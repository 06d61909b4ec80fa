"""Fits weights from a file to a network: other names, classes, channels, sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from timm.models import clean_state_dict
from torch import Tensor, nn

from foldwise.errors import ConfigError
from foldwise.models.packages import Channels
from foldwise.models.weights import Weights

_ADDED = ("columns.", "shallow.", "branch.", "auxiliary.")
_HEAD_WORDS = re.compile(r"(head|fc|classifier|logits).*bias$")


def as_saved_elsewhere(
    tensors: Mapping[str, Tensor], classifier: str | None
) -> tuple[dict[str, Tensor], tuple[Channels, Channels] | None]:
    """Weights without what training tools put around the names, our own `Network` included.

    Args:
        tensors: as in the file.
        classifier: name of the last layer inside the backbone.

    Returns:
        Tensors by the backbone's own names, and (mean, std) if a `Network` wrote the file. What a
        recipe had added to that one is left out, with a head that took its features or is made
        of prototypes: both are new.
    """
    plain: dict[str, Tensor] = clean_state_dict(dict(tensors))
    if not {"mean", "std"} <= plain.keys() or not all(map(_is_ours, plain)):
        return plain, None
    statistics = (tuple(plain.pop("mean").tolist()), tuple(plain.pop("std").tolist()))
    plain.pop("offset", None)  # It belongs to the class shares of the old training rows.
    if any(key.startswith(("columns.", "shallow.", "head.prototypes")) for key in plain):
        plain = {key: value for key, value in plain.items() if not key.startswith("head.")}
    plain = {key: value for key, value in plain.items() if not key.startswith(_ADDED)}
    inner = {
        f"{classifier}.{key[5:]}" if key.startswith("head.") else key.removeprefix("backbone."): v
        for key, v in plain.items()
    }
    return inner, statistics


def without_joined_head(
    tensors: dict[str, Tensor], classifier: str | None, num_features: int | None
) -> dict[str, Tensor]:
    """Tensors without a head that takes another number of features: it is new.

    Such a one stood behind the joined features of several images.
    """
    weight = tensors.get(f"{classifier}.weight")
    if weight is None or weight.ndim != 2 or weight.shape[1] == num_features:
        return tensors
    return {key: value for key, value in tensors.items() if not key.startswith(f"{classifier}.")}


def num_channels(weights: Weights) -> int | None:
    """Channels that a network's weights take; None: the file does not say."""
    mean = weights.read().get("mean")
    return None if mean is None else len(mean)


def timm_overlay(
    tensors: dict[str, Tensor], config: Any, network: nn.Module, classifier: str | None
) -> dict[str, Any]:
    """What to tell timm about weights that it shall load in place of its own.

    Number of classes and channels are those of the file: timm then loads strictly, and adapts
    the first convolution and a position embedding itself.

    Args:
        tensors: by the backbone's names.
        config: timm's description of its own weights.
        network: such a network, for the layers' layout.
        classifier: name of its last layer.
    """
    channels = config.input_size[0]
    first = config.first_conv if isinstance(config.first_conv, str) else None
    weight = tensors.get(f"{first}.weight")
    if weight is not None and weight.ndim == 4:
        layer = network.get_submodule(str(first))
        channels = weight.shape[1] * int(getattr(layer, "groups", 1))
    return {
        "state_dict": tensors,
        "num_classes": _num_classes(tensors, config, classifier),
        "input_size": (channels, *config.input_size[1:]),
        "label_offset": 0,
        "custom_load": False,
    }


def load_own(
    network: nn.Module, tensors: Mapping[str, Tensor], classifier: str | None, source: str
) -> None:
    """Load weights strictly, but for a head of another size.

    Raises:
        ConfigError: names or shapes differ; the first ones are given.
    """
    own = network.state_dict()
    head = {f"{classifier}.weight", f"{classifier}.bias"} if classifier else set()
    other = any(key in tensors and tensors[key].shape != own[key].shape for key in head & set(own))
    dropped = head if other or not head & set(tensors) else set()
    merged = {key: value for key, value in tensors.items() if key not in dropped}
    merged |= {key: own[key] for key in dropped & set(own)}
    try:
        network.load_state_dict(merged, strict=True)
    except RuntimeError as error:
        raise mismatch(source, error) from error


def mismatch(source: str, error: Exception) -> ConfigError:
    """What did not fit, shortened to the first names."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    shown = [line if len(line) <= 240 else f"{line[:240]} ..." for line in lines[:4]]
    return ConfigError(
        f"model.pretrained: {source} does not fit the network: {'; '.join(shown)}",
        remedy="give the name and options of the network that the weights were trained with",
    )


def _is_ours(key: str) -> bool:
    return key in ("mean", "std", "offset") or key.startswith(("backbone.", "head.", *_ADDED))


def _num_classes(tensors: Mapping[str, Tensor], config: Any, classifier: str | None) -> int:
    if classifier and f"{classifier}.weight" in tensors:
        return int(tensors[f"{classifier}.weight"].shape[0])
    # Other tools call the head otherwise, and timm renames it; a file without one has 0 classes.
    biases = (value for key, value in tensors.items() if _HEAD_WORDS.search(key))
    usual = int(config.num_classes)
    return usual if any(bias.shape == (usual,) for bias in biases) else 0
