"""The precision that a network computes in."""

from __future__ import annotations

import torch

from foldwise.errors import ConfigError

#: Of `torch.cpu.get_capabilities`: either computes in bfloat16.
_CPU_BF16 = ("avx512_bf16", "amx_bf16")


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Half precision to compute in, or None.

    Raises:
        ConfigError: the device cannot do what the recipe asks.
    """
    if precision == "auto":
        # Not what torch says it supports: it counts bfloat16 that is emulated, slowly.
        on_gpu = device.type == "cuda" and _computes(torch.bfloat16, device)
        return torch.bfloat16 if on_gpu else None
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError(
            "train.precision: fp16 needs a GPU", remedy="use precision: auto, bf16 or fp32"
        )
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def scoring_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Half precision to score in: what the recipe asks, where the device has it in hardware.

    Elsewhere None: full precision is nearer to what any half precision stands for, and emulated
    half precision is slower.
    """
    if precision == "fp16" and device.type == "cpu":
        return None
    half = autocast_dtype(precision, device)
    return half if half is None or _computes(half, device) else None


def precisions_of(device: torch.device) -> list[str]:
    """Of `train.precision`, what a device has in hardware: fp32, bf16, and fp16 on a GPU."""
    halves = {"bf16": torch.bfloat16, "fp16": torch.float16}
    if device.type == "cpu":
        halves.pop("fp16")
    return ["fp32", *(name for name, half in halves.items() if _computes(half, device))]


def _computes(half: torch.dtype, device: torch.device) -> bool:
    """Whether a device has instructions for it."""
    if device.type == "cuda":
        least = (8, 0) if half is torch.bfloat16 else (7, 0)
        return torch.cuda.get_device_capability(device) >= least
    if device.type == "cpu":
        able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return any(able.get(name, False) for name in _CPU_BF16)
    return True
