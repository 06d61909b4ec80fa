"""The precision that a network computes in."""

from __future__ import annotations

import torch

from foldwise.errors import ConfigError


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Half precision to compute in, or None.

    Raises:
        ConfigError: the device cannot do what the recipe asks.
    """
    if precision == "auto":
        on_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if on_gpu else None
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError(
            "train.precision: fp16 needs a GPU", remedy="use precision: auto, bf16 or fp32"
        )
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
