"""The child process that reads one foreign weights file and writes it as safetensors."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

# Where training scripts keep the weights among other things, best first.
_PLACES = ("state_dict_ema", "model_ema", "state_dict", "model")
_SPARE = 2 << 30


def main(source: str, target: str) -> None:
    """Convert `source`; the last line of standard error says why not."""
    _limit_memory(Path(source).stat().st_size)
    try:
        weights = plain_weights(torch.load(source, map_location="cpu", weights_only=True))
        save_file(weights, target, metadata={"order": json.dumps(list(weights))})
    except Exception as error:  # The process is there for files that break in any way.
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        sys.exit(f"{type(error).__name__}: {first}")


def plain_weights(checkpoint: Any) -> dict[str, torch.Tensor]:
    """The weights in what a training script saved: a mapping of names to tensors.

    Raises:
        ValueError: there is no such mapping; says what was found.
    """
    found = checkpoint
    if isinstance(checkpoint, dict):
        places = (checkpoint.get(place) for place in _PLACES)
        found = next((place for place in places if isinstance(place, dict)), checkpoint)
    if not isinstance(found, dict) or not found:
        raise ValueError(f"a mapping of names to weights was expected, found {type(found)}")
    strange = [str(k) for k, v in found.items() if not (_is_name(k) and _is_dense(v))]
    if strange:
        raise ValueError(f"not all entries are plain tensors: {', '.join(strange[:5])}")
    # Cloned: weights that share memory, or are a part of a larger one, cannot be saved as such.
    return {name: value.detach().clone().contiguous() for name, value in found.items()}


def _is_name(key: Any) -> bool:
    return isinstance(key, str)


def _is_dense(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized
    )


def _limit_memory(file_size: int) -> None:
    """Let a file that declares more than it holds fail here, not fill the machine."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return  # Only Linux says, and keeps to such a limit.
    pages = int(statm.read_text().split()[0])
    allowed = pages * resource.getpagesize() + 4 * file_size + _SPARE
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))


if __name__ == "__main__":
    main(*sys.argv[1:])
