"""Training states on disk: safetensors and a manifest with its hash, the last two kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from foldwise.errors import DataError
from foldwise.publish import publish, publish_json, step

_KEEP = 2


@dataclass(frozen=True)
class Checkpoint:
    """A training state.

    Attributes:
        epoch: epochs done.
        tensors: name → tensor on the CPU.
        meta: everything that is not a tensor, as JSON values.
        step: steps done of the next epoch.
    """

    epoch: int
    tensors: dict[str, torch.Tensor]
    meta: dict[str, Any]
    step: int = 0

    @property
    def name(self) -> str:
        """Its files' name: by name they are in order."""
        return f"epoch-{self.epoch:04d}-step-{self.step:06d}"


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Publish a checkpoint and drop all but the last two.

    The manifest goes last: without it, or with another hash in it, the tensors do not count.
    """
    tensors = {key: value.detach().cpu().contiguous() for key, value in checkpoint.tensors.items()}
    path = folder / f"{checkpoint.name}.safetensors"
    publish(path, lambda part: save_file(tensors, part))
    manifest = {
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "sha256": file_hash(path),
        "meta": checkpoint.meta,
    }
    step("manifest", folder)
    publish_json(folder / f"{checkpoint.name}.json", manifest)
    for old in _manifests(folder)[:-_KEEP]:
        old.unlink(missing_ok=True)
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint, and what is wrong with newer ones.

    Returns:
        (None, notes) if there is none to go on from.
    """
    notes: list[str] = []
    for manifest in reversed(_manifests(folder)):
        try:
            return _load(manifest), notes
        except (OSError, KeyError, ValueError) as error:
            notes.append(f"{manifest.stem} is damaged and was passed over: {error}")
    return None, notes


def pack_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], Any]:
    """An optimiser's state as (named tensors, JSON values)."""
    tensors: dict[str, torch.Tensor] = {}
    scalars: dict[str, dict[str, Any]] = {}
    whole = optimizer.state_dict()
    # Some optimisers (adan, lamb) count their steps in the parameter group.
    steps = [{"step": group["step"]} if "step" in group else {} for group in whole["param_groups"]]
    for index, slots in whole["state"].items():
        for name, value in slots.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            elif value is None or isinstance(value, bool | int | float | str):
                scalars.setdefault(str(index), {})[name] = value
            else:
                raise DataError(
                    f"the optimiser keeps {name!r} as {type(value).__name__}, which a checkpoint "
                    "cannot hold",
                    remedy="choose another optimiser",
                )
    return tensors, {"slots": scalars, "groups": steps}


def unpack_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], scalars: Any
) -> None:
    """Put back what `pack_optimizer` took out; learning rates come from the schedule."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    for index, slots in scalars["slots"].items():
        state.setdefault(int(index), {}).update(slots)
    groups = [
        {**group, **step}
        for group, step in zip(
            optimizer.state_dict()["param_groups"], scalars["groups"], strict=True
        )
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, slots in optimizer.state.items():
        for name, value in slots.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                # In the parameter's own order of axes: sums over a matrix depend on it.
                slots[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifests(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.json"))


def _load(manifest: Path) -> Checkpoint:
    record = json.loads(manifest.read_text(encoding="utf-8"))
    path = manifest.with_suffix(".safetensors")
    found = file_hash(path)
    if found != record["sha256"]:
        raise ValueError(f"{path.name} has hash {found[:12]}, {record['sha256'][:12]} was written")
    return Checkpoint(record["epoch"], load_file(path), record["meta"], record["step"])
