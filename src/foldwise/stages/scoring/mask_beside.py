"""What a mean over all masks hides: how defects are drawn, which are hit, what is false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from foldwise.metrics.defect_recall import recall_of_defects
from foldwise.metrics.dice import dice_per_mask, headroom_share, mean_dice
from foldwise.metrics.mask_counts import MaskCounts, count_masks
from foldwise.stages.scoring.held_out import HeldOut

#: Share of empty truths from which empty answers are worth telling of.
MOSTLY_EMPTY = 0.5


def counts_of(held: HeldOut) -> MaskCounts:
    """Pixels of answers and truths, every sample once."""
    answers, target = held.answers, held.target
    return count_masks(answers.runs, target.runs, target.num_classes, target.ignored)


def beside(held: HeldOut, counts: MaskCounts) -> dict[str, Any]:
    """Numbers to stand beside a score, cross-fitted and, where something was fitted, naive.

    Args:
        held: with its answers.
        counts: of these.

    Returns:
        `cross_fitted`, and `naive` by the final decision on the rows it was fitted to, each as
        `_numbers`; `naive` is None where all rows are decided by the final decision anyway.
    """
    naive = None
    if held.by_fold:
        final = replace(held, by_fold=None).with_answers()
        naive = _numbers(final, counts_of(final))
    return {"cross_fitted": _numbers(held, counts), "naive": naive}


def beside_line(masks: Mapping[str, Any]) -> str:
    """The same in a line, as far as it is defined and says something.

    Args:
        masks: of `scores.json`.
    """
    numbers, empty = masks["beside"]["cross_fitted"], masks["pairs"]["all_empty"]
    told = [f"{100 * empty:.1f}% of the pairs of image and class are empty"]
    if numbers["there"]:
        told.append(f"Dice on the others {numbers['dice_nonempty']:.4f}")
    if numbers["there"] and empty > MOSTLY_EMPTY:
        told += [
            f"{numbers['hit']} of {numbers['there']} defects hit",
            f"{numbers['headroom']:+.4f} of the headroom over empty masks",
        ]
    if numbers["false_alarms"] is not None:
        told.append(f"{100 * numbers['false_alarms']:.1f}% of the empty ones answered")
    return ", ".join(told)


def _numbers(held: HeldOut, counts: MaskCounts) -> dict[str, Any]:
    """Undefined ones are None; `hit` of `there` are pairs of group and class."""
    is_there = counts.true > 0
    recall = recall_of_defects(counts, held.groups)
    clean = ~is_there
    try:
        score: float | None = held.score(held.problem.metric)
    except ValueError:
        score = None
    return {
        "score": score,
        "mean_dice": mean_dice(counts),
        "dice_nonempty": _mean(dice_per_mask(counts)[is_there]),
        "headroom": headroom_share(counts) if is_there.any() else None,
        "hit": int(recall.hit.sum()),
        "there": int(recall.there.sum()),
        "false_alarms": _mean(counts.answered[clean] > 0),
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
