"""What timm knows under a name, without building or downloading anything."""

from __future__ import annotations

import difflib

import timm
import torch
from timm.models import get_arch_pretrained_cfgs, get_pretrained_cfg

from foldwise.errors import ConfigError


def check_name(name: str, *, own: tuple[str, ...] = ()) -> None:
    """Refuse a name that timm does not know.

    Args:
        name: architecture, or architecture.tag.
        own: further names to suggest.

    Raises:
        ConfigError: unknown; gives the nearest names.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, [*own, *timm.list_models()], n=3, cutoff=0.6)
        raise ConfigError(
            f"network {name!r} is unknown"
            + (f"; did you mean {' or '.join(map(repr, near))}?" if near else ""),
            remedy="give a name of timm's, one of "
            f"{', '.join(own)}, or your own as module:attribute",
        )
    tags = [known.partition(".")[2] for known in get_arch_pretrained_cfgs(architecture)]
    if tag and tag not in tags:
        raise ConfigError(
            f"network {name!r}: {architecture} has no weights tagged {tag!r}",
            remedy=f"known tags: {', '.join(tags) or 'none'}",
        )


def tagged(name: str) -> str:
    """`architecture.tag` with the tag that timm takes by default."""
    architecture = name.partition(".")[0]
    config = get_pretrained_cfg(name)
    return f"{architecture}.{config.tag}" if config is not None and config.tag else architecture


def hub_place(name: str) -> tuple[str, str]:
    """Repository and file in the hub of a network's weights.

    Raises:
        ConfigError: unknown network, or timm has no weights for it; gives relatives that have.
    """
    check_name(name)
    config = get_pretrained_cfg(name)
    if config is not None and config.hf_hub_id:
        return config.hf_hub_id, config.hf_hub_filename or "model.safetensors"
    with_weights = sorted({n.partition(".")[0] for n in timm.list_pretrained()})
    near = difflib.get_close_matches(name, with_weights, n=3, cutoff=0.5)
    raise ConfigError(
        f"model.pretrained: true: the hub holds no weights for {name}",
        remedy=f"networks like it that have some: {', '.join(near) or 'none'}",
    )


def state_keys(name: str) -> list[str]:
    """Names of a timm network's weights, in order."""
    with torch.device("meta"):
        return list(timm.create_model(name).state_dict())
