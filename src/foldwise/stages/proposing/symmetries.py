"""Measures on a sample of train images which flips and turns do no harm."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from foldwise import device as machine
from foldwise import seeding
from foldwise.auditing.symmetry import SymmetryCost, Verdict, judge, measure_symmetry
from foldwise.data.fold_problem import FoldProblem
from foldwise.data.folds import make_folds
from foldwise.stages.proposing.machine import PretrainedNetwork
from foldwise.stages.proposing.note import Note
from foldwise.views import views_of

#: Images measured on: enough to see a cost of a few per cent, few enough for seconds on a CPU.
NUM_IMAGES = 320
#: Side of the images measured on.
SIDE = 96
_NUM_FOLDS = 5
_PIXEL_SIDE, _MAP_SIDE = 20, 4
_MIDDLE_STRIDE = 16
_BATCH = 32
_WORDS = {
    "hflip": "mirrored",
    "vflip": "upside down",
    "rot180": "half turn",
    "rot90": "quarter turn",
}

#: name → (N, H, W, C) images changed.
SYMMETRIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hflip": lambda images: images[:, :, ::-1],
    "vflip": lambda images: images[:, ::-1],
    "rot180": lambda images: images[:, ::-1, ::-1],
    "rot90": lambda images: np.rot90(images, 1, (1, 2)),
}

#: Features in their places (N, D), and of the whole image or None.
Features = tuple[np.ndarray, np.ndarray | None]
#: (N, S, S, 3) images → their features.
Extract = Callable[[np.ndarray], Features]


@dataclass(frozen=True)
class Sample:
    """Images to measure on.

    Attributes:
        images: (N, SIDE, SIDE, C) uint8; C is 3 where a network looks at them.
        target: (N, C) numbers to predict.
        labels: (N,) int columns of the target where each row has one class, or None.
        groups: (N,) what belongs together, or None.
    """

    images: np.ndarray
    target: np.ndarray
    labels: np.ndarray | None
    groups: np.ndarray | None


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        verdicts: symmetry → verdict, for those tried.
        on: what was looked at, in words.
    """

    verdicts: dict[str, Verdict]
    on: str

    @property
    def harmless(self) -> tuple[str, ...]:
        """Those that may be proposed; quarter turns only where half turns may be, too."""
        names = [name for name, verdict in self.verdicts.items() if verdict.is_harmless]
        return tuple(n for n in names if n != "rot180" and (n != "rot90" or "rot180" in names))


def choose_rows(labels: np.ndarray | None, groups: np.ndarray | None, num_rows: int) -> np.ndarray:
    """Up to `NUM_IMAGES` positions, classes and groups as even as they can be had, sorted."""
    order = seeding.permutation(seeding.key("symmetry"), num_rows)
    frame = pd.DataFrame({"row": order})
    frame["label"] = 0 if labels is None else labels[order]
    frame["group"] = order if groups is None else groups[order]
    frame["in_group"] = frame.groupby(["label", "group"]).cumcount()
    frame = frame.sort_values("in_group", kind="stable")
    frame["in_label"] = frame.groupby("label").cumcount()
    chosen = frame.sort_values("in_label", kind="stable")["row"].to_numpy()[:NUM_IMAGES]
    return np.sort(chosen)


def measure(sample: Sample, network: PretrainedNetwork | None, cache: Path) -> Measured:
    """Measure every symmetry.

    Args:
        sample: the images.
        network: whose features are looked at; None: pixels.
        cache: folder for converted weights.
    """
    extract = _pixels if network is None else _network_features(network, cache)
    folds = _folds(sample)
    upright = extract(sample.images)

    def verdict(name: str) -> Verdict:
        changed = extract(np.ascontiguousarray(SYMMETRIES[name](sample.images)))
        return _verdict(name, upright, changed, sample, folds)

    names = [name for name in SYMMETRIES if name != "rot90"]
    verdicts = dict(zip(names, map(verdict, names), strict=True))
    if verdicts["rot180"].is_harmless:  # Two quarter turns are a half turn.
        verdicts["rot90"] = verdict("rot90")
    on = "pixels" if network is None else f"frozen {network.name}"
    return Measured(verdicts, f"{len(sample.images)} images, {on}")


def notes_of(measured: Measured, classes: tuple[str, ...]) -> list[Note]:
    """A line for each symmetry: what was measured, and the first classes it swaps."""
    notes = []
    for name, verdict in measured.verdicts.items():
        swaps = swapped(verdict, classes)
        named = f"; {', '.join(swaps[:2])}{' ...' * (len(swaps) > 2)}" if swaps else ""
        value = f"{name}: {'harmless' if verdict.is_harmless else 'left out'}"
        notes.append(Note("symmetry", value, f"{_WORDS[name]}: {verdict.why}{named}"))
    return notes


def swapped(verdict: Verdict, classes: tuple[str, ...]) -> list[str]:
    """Every pair of classes that a symmetry swaps, such as `6 → 9 (40%)`."""
    return [f"{classes[s.true]} → {classes[s.said]} ({s.share:.0%})" for s in verdict.swaps]


def _verdict(
    name: str, upright: Features, changed: Features, sample: Sample, folds: np.ndarray
) -> Verdict:
    def cost(before: np.ndarray, after: np.ndarray) -> SymmetryCost:
        return measure_symmetry(
            name, before, after, sample.target, folds, labels=sample.labels, groups=sample.groups
        )

    placed = cost(upright[0], changed[0])
    if upright[1] is None or changed[1] is None:
        return judge(placed)
    return judge(placed, cost(upright[1], changed[1]))


def _folds(sample: Sample) -> np.ndarray:
    num = len(sample.images)
    has_groups, has_labels = sample.groups is not None, sample.labels is not None
    problem = FoldProblem(
        ids=np.array([f"{row:06d}" for row in range(num)], dtype=object),
        num_folds=min(_NUM_FOLDS, num),
        scheme="stratified_group" if has_groups else "stratified",
        strata=sample.labels,
        values=None if has_labels else sample.target.sum(axis=1),
        groups=sample.groups,
    )
    return make_folds(problem).folds


def _pixels(images: np.ndarray) -> Features:
    """20 x 20 grey pixels; grey is the mean of channels where there are not three."""
    size = (_PIXEL_SIDE, _PIXEL_SIDE)
    small = [_grey(image).resize(size, Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(i, dtype=np.float64).ravel() / 255.0 for i in small]), None


def _grey(image: np.ndarray) -> Image.Image:
    if image.shape[2] == 3:
        return Image.fromarray(image).convert("L")
    return Image.fromarray(image.mean(axis=2).round().astype(np.uint8))


def _network_features(network: PretrainedNetwork, cache: Path) -> Extract:
    """A coarse map from the middle of the network, and its pooled features; one pass for both."""
    import torch

    from foldwise.data.batches import Source
    from foldwise.engine.infer import infer
    from foldwise.models.building import build
    from foldwise.models.weights import resolve

    weights = resolve(
        network.pretrained, name=network.name, rules_pretrained="allowed", cache=cache
    )
    device = machine.pick()
    built = build(name=network.name, num_outputs=2, size=SIDE, weights=weights).to(device).eval()
    backbone: Any = built.backbone
    strides = [int(info["reduction"]) for info in backbone.feature_info]
    middle = strides.index(_MIDDLE_STRIDE) if _MIDDLE_STRIDE in strides else len(strides) // 2

    def forward(images: torch.Tensor) -> torch.Tensor:
        final, maps = backbone.forward_intermediates(built.normalize(images), indices=[middle])
        placed = torch.nn.functional.adaptive_avg_pool2d(maps[0], _MAP_SIDE).flatten(1)
        whole = backbone.forward_head(final, pre_logits=True)
        return torch.cat([placed, whole], dim=1)

    def infer_part(images: np.ndarray) -> np.ndarray:
        names = np.array([str(row) for row in range(len(images))], dtype=object)
        source = Source(lambda row: images[int(row)], names, np.arange(len(images)), SIDE)
        rows = infer(forward, source, views=views_of(["identity"]), batch=_BATCH, device=device)
        return rows["identity"]

    def extract(images: np.ndarray) -> Features:
        num_parts = min(machine.num_cores(), -(-len(images) // _BATCH))
        before = torch.get_num_threads()
        # A part a core, not all cores at each operation: beside other work that is five times
        # as fast, since no operation waits for the slower thread (measured on two cores).
        with ThreadPoolExecutor(num_parts, initializer=lambda: torch.set_num_threads(1)) as pool:
            found = np.concatenate(list(pool.map(infer_part, np.array_split(images, num_parts))))
        torch.set_num_threads(before)
        return found[:, : -built.num_features], found[:, -built.num_features :]

    return extract
