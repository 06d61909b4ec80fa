"""Measures on a sample of train images which flips and turns do no harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise import seeding
from foldwise.auditing.symmetry import SymmetryCost, Verdict, judge, measure_symmetry
from foldwise.data.fold_groups import merge_groups
from foldwise.data.fold_problem import FoldProblem
from foldwise.data.folds import make_folds
from foldwise.masks.of_samples import Masks
from foldwise.stages.proposing.machine import PretrainedNetwork
from foldwise.stages.proposing.mask_cells import cell_labels
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.small_features import (
    CELLS,
    Extract,
    Features,
    cell_features,
    network_features,
    pixel_features,
)

#: Images measured on: enough to see a cost of a few per cent, few enough for seconds on a CPU.
NUM_IMAGES = 320
#: Cells of masks measured on.
NUM_CELLS = 1200
_NUM_FOLDS = 5
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

#: (N, D) of what is where, and (N, E) of the whole images or None.
Rows = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Sample:
    """Images to measure on.

    Attributes:
        images: (M, SIDE, SIDE, C) uint8; C is 3 where a network looks at them.
        target: (N, C) numbers to predict.
        labels: (N,) int columns of the target where each row has one class, or None.
        groups: (N,) what belongs together, or None.
        cells: (N, 2) int image and cell, counted row by row, that each row of the target is of;
            None: of a whole image each.
    """

    images: np.ndarray
    target: np.ndarray
    labels: np.ndarray | None
    groups: np.ndarray | None
    cells: np.ndarray | None = None

    def of_cells(self, masks: Masks) -> Sample:
        """The same images, cell by cell: what is there is to be told, not whether it is anywhere.

        A head that knows little of whole images may know where things are. Where no cell shows
        anything else than the others do, or one group has all of them, nothing can be told by
        them, and the images are kept.

        Args:
            masks: of the images.
        """
        labels = cell_labels(masks).reshape(len(self.images), -1)
        image, cell = np.nonzero(labels >= 0)
        labels = labels[image, cell]
        groups = image if self.groups is None else merge_groups(image, self.groups[image])
        if len(np.unique(labels)) < 2 or len(np.unique(groups)) < 2:
            return self
        chosen = choose_rows(labels, groups, len(labels), most=NUM_CELLS)
        return replace(
            self,
            target=np.eye(masks.num_classes + 1)[labels[chosen]],
            labels=labels[chosen],
            groups=groups[chosen],
            cells=np.stack([image, cell], axis=1)[chosen],
        )


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


def choose_rows(
    labels: np.ndarray | None,
    groups: np.ndarray | None,
    num_rows: int,
    *,
    most: int = NUM_IMAGES,
) -> np.ndarray:
    """Up to `most` positions, classes and groups as even as they can be had, sorted."""
    order = seeding.permutation(seeding.key("symmetry"), num_rows)
    frame = pd.DataFrame({"row": order})
    frame["label"] = 0 if labels is None else labels[order]
    frame["group"] = order if groups is None else groups[order]
    frame["in_group"] = frame.groupby(["label", "group"]).cumcount()
    frame = frame.sort_values("in_group", kind="stable")
    frame["in_label"] = frame.groupby("label").cumcount()
    chosen = frame.sort_values("in_label", kind="stable")["row"].to_numpy()[:most]
    return np.sort(chosen)


def measure(sample: Sample, network: PretrainedNetwork | None, cache: Path) -> Measured:
    """Measure every symmetry.

    Args:
        sample: the images.
        network: whose features are looked at; None: pixels.
        cache: folder for converted weights.
    """
    extract = _extract(sample, network, cache)
    folds = _folds(sample)
    upright = _rows(extract(sample.images), sample)

    def verdict(name: str) -> Verdict:
        changed = extract(np.ascontiguousarray(SYMMETRIES[name](sample.images)))
        return _verdict(name, upright, _rows(changed, sample, name), sample, folds)

    names = [name for name in SYMMETRIES if name != "rot90"]
    verdicts = dict(zip(names, map(verdict, names), strict=True))
    if verdicts["rot180"].is_harmless:  # Two quarter turns are a half turn.
        verdicts["rot90"] = verdict("rot90")
    on = "pixels" if network is None else f"frozen {network.name}"
    cells = "" if sample.cells is None else f"{len(sample.cells)} places of "
    return Measured(verdicts, f"{cells}{len(sample.images)} images, {on}")


def _extract(sample: Sample, network: PretrainedNetwork | None, cache: Path) -> Extract:
    if sample.cells is None:
        return pixel_features if network is None else network_features(network, cache)
    if network is None:
        return cell_features
    return network_features(network, cache, side=CELLS)


def _rows(features: Features, sample: Sample, changed: str | None = None) -> Rows:
    """What heads are given for each row of the target.

    A cell is described by what is in it and by where it is shown: else what is only told by its
    place, such as a left and a right lung, would seem to lose nothing when they change places.

    Args:
        features: of the images as they are shown.
        sample: the rows.
        changed: symmetry by which the images are changed; None: they are upright.
    """
    maps, whole = features
    if sample.cells is None:
        return maps.reshape(len(maps), -1), whole
    image, cell = sample.cells.T
    places = np.arange(CELLS**2).reshape(1, CELLS, CELLS, 1)
    if changed is not None:
        # Where each cell is shown now.
        places = np.argsort(SYMMETRIES[changed](places).ravel())
    y, x = np.divmod(places.ravel()[cell], CELLS)
    where = np.concatenate([np.eye(CELLS)[y], np.eye(CELLS)[x]], axis=1)
    return np.concatenate([maps[image, :, y, x], where], axis=1), None


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
    names = (*classes, "nothing")  # The label of what shows no class.
    return [f"{names[s.true]} → {names[s.said]} ({s.share:.0%})" for s in verdict.swaps]


def _verdict(name: str, upright: Rows, changed: Rows, sample: Sample, folds: np.ndarray) -> Verdict:
    def cost(before: np.ndarray, after: np.ndarray) -> SymmetryCost:
        return measure_symmetry(
            name, before, after, sample.target, folds, labels=sample.labels, groups=sample.groups
        )

    placed = cost(upright[0], changed[0])
    if upright[1] is None or changed[1] is None:
        return judge(placed)
    return judge(placed, cost(upright[1], changed[1]))


def _folds(sample: Sample) -> np.ndarray:
    num = len(sample.target)
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
