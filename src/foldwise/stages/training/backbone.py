"""Features of a frozen backbone: computed once, for all units that stand on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from foldwise.engine.assemble import Assembly
from foldwise.engine.checkpoint import file_hash
from foldwise.engine.features import features, features_folder, joined
from foldwise.engine.infer import EVAL_BATCH
from foldwise.models.network import Network
from foldwise.samples import Samples
from foldwise.stages.progress import Reporter


def feature_rows(assembly: Assembly) -> list[Samples]:
    """Whose features a frozen backbone gives: rows of train, of test, and external ones it uses."""
    problem, recipe = assembly.problem, assembly.recipe
    if problem.external is None or not recipe.external or recipe.freeze != "backbone":
        return [problem.train, problem.test]
    return [problem.train, problem.test, problem.external]


def backbone_features(
    assembly: Assembly,
    device: torch.device,
    report: Reporter,
    of: Sequence[Samples],
    *,
    stored: Path | None = None,
) -> dict[str, np.ndarray]:
    """View → (A, D) float32 of the frozen backbone, of samples such as `feature_rows`, in a row.

    A Siamese network sees each image alone, so one is computed once, however many samples it is of.

    Args:
        assembly: of the recipe.
        device: where to compute.
        report: where progress goes.
        of: the samples.
        stored: file of a network with that backbone; None: what the recipe starts from.
    """
    problem, siamese = assembly.problem, assembly.siamese()
    network = assembly.backbone_print() if stored is None else file_hash(stored)
    folder = features_folder(
        problem.home.cache, network=network, pixels=assembly.feed.pixels_print()
    )

    def backbone() -> FeaturesOf:
        if stored is None:
            return FeaturesOf(assembly.network(), apart=True)
        return FeaturesOf(assembly.trained_network(load_file(stored)), apart=True)

    # One part after the other: other test rows leave the features of the train rows as they are.
    samples = filter(len, of)
    sources = [replace(assembly.feed.source(part), columns=None) for part in samples]
    images = sources if siamese is None else [source.apart()[0] for source in sources]
    total, parts, before = sum(map(len, images)), [], 0
    for source, seen in zip(sources, images, strict=True):
        found = features(
            folder,
            backbone,
            seen,
            views=assembly.views,
            batch=EVAL_BATCH,
            device=device,
            workers=assembly.recipe.train.workers,
            progress=partial(_report_features, report, before, total),
        )
        parts.append(found if siamese is None else joined(found, source, siamese.join))
        before += len(seen)
    return {view: np.concatenate([part[view] for part in parts]) for view in parts[0]}


def _report_features(report: Reporter, before: int, total: int, done: int) -> None:
    report("features", before + done, total)


class FeaturesOf(nn.Module):
    """A network that stops before its head, or a Siamese one before it joins its images."""

    def __init__(self, network: Network, *, apart: bool = False) -> None:
        super().__init__()
        self.network = network
        self.apart = apart

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) uint8 → (B, D)."""
        network = self.network
        return network.apart_features(images) if self.apart else network.image_features(images)
