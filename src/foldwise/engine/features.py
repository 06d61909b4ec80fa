"""Features of a frozen backbone: computed once per view and shared by folds, seeds and recipes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from foldwise.config.writing import fingerprint
from foldwise.data.batches import Source
from foldwise.engine.infer import infer
from foldwise.publish import locked, publish, sweep
from foldwise.views import View


def features_folder(cache: Path, *, network: str, pixels: str) -> Path:
    """Where the features of one backbone over one preparation are kept.

    Args:
        cache: the cache folder.
        network: fingerprint of architecture and weights.
        pixels: fingerprint of preparation and input size.
    """
    return cache / "features" / fingerprint([network, pixels])


def features(
    folder: Path,
    backbone: Callable[[], nn.Module],
    source: Source,
    *,
    views: Sequence[View],
    batch: int,
    device: torch.device,
    workers: int,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, np.ndarray]:
    """The features of all samples, computed now or read from the cache.

    Args:
        folder: from `features_folder`.
        backbone: makes the module that maps (B, C, S, S) uint8 to (B, D); called on a miss.
        source: the samples.
        views: with distinct names.
        batch: images per pass.
        device: where to compute.
        workers: threads that prepare batches.
        progress: called with the number of samples done.

    Returns:
        Name of the view → (N, D) float32, rows as in `source`.
    """
    digest = hashlib.sha256("\n".join(source.hashes.ravel()).encode()).hexdigest()[:16]
    paths = {view.name: folder / f"{digest}-{view.stem}.npy" for view in views}
    # One process computes; those beside it wait for the file.
    with locked(folder / ".lock", doing="computing features", wait_s=86_400):
        sweep(folder)
        missing = [view for view in views if not paths[view.name].exists()]
        if missing:
            module = backbone().to(device).eval()
            found = infer(
                module,
                source,
                views=missing,
                batch=batch,
                device=device,
                workers=workers,
                progress=progress,
            )
            for view, rows in found.items():
                _save(paths[view], rows.astype(np.float32))
    return {view: np.load(path, allow_pickle=False) for view, path in paths.items()}


def joined(
    found: Mapping[str, np.ndarray],
    source: Source,
    join: Callable[[torch.Tensor], torch.Tensor],
) -> dict[str, np.ndarray]:
    """Features of samples, of those of their images.

    Args:
        found: view → (U, D) float32, rows as in the source that `source.apart()` gives.
        source: samples of V images.
        join: (N * V, D) → (N, J).

    Returns:
        View → (N, J) float32, rows as in `source`.
    """
    rows = source.apart()[1].ravel()
    return {view: join(torch.from_numpy(each[rows])).numpy() for view, each in found.items()}


def _save(path: Path, rows: np.ndarray) -> None:
    def write(part: Path) -> None:
        with part.open("wb") as file:
            np.save(file, rows, allow_pickle=False)

    publish(path, write)
