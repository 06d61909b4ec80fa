"""The machine at hand: device, cores, memory, and who shares them."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    import torch

#: Of malloc.h: never trim the heap (-1), and never map blocks apart from it (-4).
_KEEP = ((-1, 2**31 - 1), (-4, 0))
#: Of prctl.h.
_SET_PARENT_DEATH_SIGNAL = 1
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "pandas", "scikit-learn", "pillow")


def num_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def num_gpus() -> int:
    """NVIDIA GPUs this process may use, counted without importing torch."""
    return len(gpus())


def gpus() -> list[str]:
    """What `CUDA_VISIBLE_DEVICES` calls the NVIDIA GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [part.strip() for part in (visible or "").split(",")]
    kept = [name for name in names if name not in ("", "-1")]
    found = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return [str(place) for place in range(found)] if visible is None else kept[:found]


def accelerator() -> str:
    """What computes here, without importing torch: `2 x Tesla T4`, `gpu` if unnamed, or `cpu`."""
    num = num_gpus()
    if not num:
        return "cpu"
    about = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for path in about for line in path.read_text("utf-8").splitlines()]
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    name = names[0] if names else "gpu"
    return name if num == 1 else f"{num} x {name}"


def cpu_name() -> str:
    """The processor's model, as Linux tells it; elsewhere its family."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text("utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def free_memory() -> int:
    """Bytes of memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def pick() -> torch.device:
    """The first GPU, else Apple's, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies, however that comes; on Linux only.

    To be called in a child right after the fork.
    """
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for the next step to use; True if it can be told.

    glibc gives large blocks back to the kernel at once, and every step's activations are then
    faulted in anew, page by page: measured 4 to 10 % of a small network's step on a CPU.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(option, value) == 1 for option, value in _KEEP)


def describe() -> dict[str, Any]:
    """Machine and versions, for the run's record."""
    from foldwise import __version__

    return {
        "foldwise": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": num_cores(),
        **{name: metadata.version(name) for name in _PACKAGES if _installed(name)},
    }


def monotonic() -> float:
    """Seconds on a clock that never jumps and that all processes of this machine share."""
    return time.monotonic()


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
