"""Where the errors of masks are: by class, by size, by group, and in single samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks
from foldwise.metrics.defect_recall import recall_of_defects
from foldwise.metrics.dice import dice_per_mask, headroom_share, mean_dice
from foldwise.metrics.mask_counts import MaskCounts
from foldwise.metrics.metric import divide
from foldwise.metrics.pixel_confusion import pixel_confusion
from foldwise.metrics.segmentation import iou_per_class
from foldwise.seeding import key, permutation
from foldwise.stages.scoring.error_tables import in_words
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.mask_beside import beside, counts_of
from foldwise.stages.scoring.mask_cases import groups_in_turn, mask_cases
from foldwise.stages.scoring.mask_evidence import evidence_tables
from foldwise.stages.scoring.mask_sizes import parts_by_size

_MAX_WORST = 20
_MAX_WELL = 8
_MAX_GROUPS = 20
_MAX_FRAMES = 8
#: Mean Dice of what is there, from which a sample is answered well.
_LEAST_FOUND = 0.5
_ALL_GROUPS = 20
#: Shares of the pairs with a truth, by its size: the smallest quarter, ..., the largest.
_NUM_SIZES = 4


def mask_tables(held: HeldOut, test: Maps) -> dict[str, Any]:
    """The parts of `scores.json` that say where the errors are; every sample counts once.

    Args:
        held: with its answers.
        test: maps of the test samples.
    """
    answers, counts = held.answers, counts_of(held)
    off = 1.0 - dice_per_mask(counts).mean(axis=1)
    classes = held.problem.competition.classes
    return {
        "by_class": _by_class(held, counts),
        "confusion": _confusion(held),
        "curves": [],
        "scatter": [],
        "by_group": _by_group(held, off),
        "worst": [_sample(held, row, off, answers) for row in _worst(off)],
        "well": [_sample(held, row, off, answers) for row in _well(counts, off)],
        "masks": {
            "pairs": _pairs(counts),
            "beside": beside(held, counts),
            "by_size": _by_size(held, counts),
            "parts": parts_by_size(answers, held.target, classes),
            "evidence": evidence_tables(held),
            "cases": mask_cases(held, counts),
            "frames": _frames(held, off, answers),
            "answered": _answered(held, test),
        },
    }


def _by_class(held: HeldOut, counts: MaskCounts) -> list[dict[str, Any]]:
    """Dice, IoU, share of groups in which a class was hit, and of clean samples answered."""
    dice, is_there = dice_per_mask(counts), counts.true > 0
    recall = recall_of_defects(counts, held.groups)
    iou = iou_per_class(counts)
    return [
        {
            "class": name,
            "rows": int(is_there[:, index].sum()),
            "groups": int(recall.there[index]),
            "dice": float(dice[:, index].mean()),
            "dice_nonempty": _mean(dice[is_there[:, index], index]),
            "iou": float(iou[index]),
            "recall": float(recall.per_class[index]),
            "false_alarms": _mean(counts.answered[~is_there[:, index], index] > 0),
        }
        for index, name in enumerate(held.problem.competition.classes)
    ]


def _confusion(held: HeldOut) -> dict[str, Any] | None:
    """Pixels by true class and answer, where each pixel is of one class."""
    if not _is_exclusive(held):
        return None
    target = held.target
    counts = pixel_confusion(held.answers.runs, target.runs, target.num_classes)
    names = list(held.problem.competition.classes)
    return {"labels": names, "counts": counts.tolist(), "unit": "pixels"}


def _answered(held: HeldOut, test: Maps) -> dict[str, list[float]]:
    """Share of samples with each class: in truths, out-of-fold answers, and test answers."""
    found = {"labels": held.target, "oof": held.answers}
    if len(test):
        found["test"] = held.decision.answers(test)
    return {name: masks.present.mean(axis=0).tolist() for name, masks in found.items()}


def _pairs(counts: MaskCounts) -> dict[str, Any]:
    """How many pairs of sample and class there are, and what the all-empty answer leaves open."""
    num_there = int((counts.true > 0).sum())
    return {
        "num": counts.true.size,
        "num_nonempty": num_there,
        "all_empty": 1 - num_there / counts.true.size,
        "mean_dice": mean_dice(counts),
        "headroom": headroom_share(counts) if num_there else None,
    }


def _by_size(held: HeldOut, counts: MaskCounts) -> list[dict[str, Any]]:
    """Dice of the pairs with a truth, from the smallest to the largest, and the share missed."""
    is_there = counts.true > 0
    areas, dice = counts.true[is_there], dice_per_mask(counts)[is_there]
    missed = counts.common[is_there] == 0
    order = np.argsort(areas, kind="stable")
    return [
        {
            "smallest": int(areas[part].min()),
            "largest": int(areas[part].max()),
            "pairs": len(part),
            "dice": float(dice[part].mean()),
            "missed": float(missed[part].mean()),
        }
        for part in np.array_split(order, min(_NUM_SIZES, len(order)) or 1)
        if len(part)
    ]


def _by_group(held: HeldOut, off: np.ndarray) -> dict[str, Any] | None:
    every = held.problem.column_groups
    if every is None:
        return None
    names, number = np.unique(every[held.rows], return_inverse=True)
    mean_off = np.bincount(number, weights=off) / np.bincount(number)
    order = np.argsort(-mean_off, kind="stable")
    shown = order if len(names) < _ALL_GROUPS else order[:_MAX_GROUPS]
    return {
        "columns": list(held.problem.competition.columns.group),
        "measure": "1 − mean Dice",
        "said": "what the mean Dice of their samples lacks",
        "num_groups": len(names),
        "groups": [_group(held, str(names[g]), number == g, float(mean_off[g])) for g in shown],
    }


def _group(held: HeldOut, name: str, inside: np.ndarray, mean_off: float) -> dict[str, Any]:
    try:
        score: float | None = held.among(inside).score(held.problem.metric)
    except ValueError:
        score = None
    return {"group": name, "rows": int(inside.sum()), "score": score, "distance": mean_off}


def _frames(held: HeldOut, off: np.ndarray, answers: Masks) -> list[dict[str, Any]]:
    """The worst samples whose pixels have one class each, every group once before any twice."""
    if not _is_exclusive(held):
        return []
    order = groups_in_turn(np.argsort(-off, kind="stable"), held.groups)
    return [_sample(held, row, off, answers) for row in order[:_MAX_FRAMES]]


def _is_exclusive(held: HeldOut) -> bool:
    masks = held.problem.competition.masks
    return masks is not None and masks.exclusive


def _worst(off: np.ndarray) -> np.ndarray:
    return np.argsort(-off, kind="stable")[:_MAX_WORST]


def _well(counts: MaskCounts, off: np.ndarray) -> np.ndarray:
    """A few random ones whose truths are mostly found, better than most that show something."""
    is_there = counts.true > 0
    shows = is_there.any(axis=1)
    if not shows.any():
        return np.empty(0, np.int64)
    found = divide(
        (dice_per_mask(counts) * is_there).sum(axis=1), is_there.sum(axis=1), otherwise=0.0
    )
    good = np.flatnonzero((found >= _LEAST_FOUND) & (off <= np.median(off[shows])))
    return np.sort(good[permutation(key("well"), len(good))[:_MAX_WELL]])


def _sample(held: HeldOut, row: int, off: np.ndarray, answers: Masks) -> dict[str, Any]:
    classes = held.problem.competition.classes
    one = np.array([row])
    areas = answers[one].areas[0]
    return {
        "id": str(held.problem.train.ids[held.rows[row]]),
        "fold": int(held.folds[row]),
        "label": in_words(held.target[one], classes)[0],
        "answer": in_words(answers[one], classes)[0],
        "distance": float(off[row]),
        "scores": {name: float(area) for name, area in zip(classes, areas, strict=True) if area},
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
