"""Masks behind a chance: how likely a class is there, and whether answering it pays."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from foldwise.decide.area_curves import Terms, dice_terms, iou_terms
from foldwise.decide.decision import Step
from foldwise.decide.mask_curves import decided_together, truth_marks
from foldwise.decide.mask_steps import log_odds, num_top, top_means, which_top
from foldwise.errors import NoExactFitError
from foldwise.maps.levels import TOP, least_level
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks

#: Metrics by which an empty answer to an empty truth scores 1 and any other answer to it 0.
_TERMS: dict[str, Terms] = {"mean_dice": dice_terms, "mean_iou_per_image": iou_terms}
#: A threshold that no pixel reaches.
_NEVER = (TOP + 1) / TOP


@dataclass(frozen=True)
class Evidence:
    """What is needed of N maps and truths of C classes to fit chances, read once.

    Attributes:
        together: the classes, those whose thresholds are fitted as one together.
        present: (N, C) bool, which classes the truths show.
        tops: (N, C) mean of each map's top pixels.
        gates: (N, C) what a gate says; None: there is none.
        rows: (P,) int64, of the pairs of sample and class that are there the sample.
        classes: (P,) int64 and the class.
        scores: (P, 256) float32 what such a pair scores by each level as threshold.
        weight: (N,) how much each sample counts.
    """

    together: tuple[tuple[int, ...], ...]
    present: np.ndarray
    tops: np.ndarray
    gates: np.ndarray | None
    rows: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    weight: np.ndarray


def read_evidence(
    maps: Maps,
    truths: Masks,
    *,
    metric: str,
    options: Mapping[str, Any] | None = None,
    groups: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    workers: int = 1,
) -> Evidence:
    """Read each map once, for all fits.

    Args:
        maps: of N samples and C classes.
        truths: of the same samples.
        metric: name of it.
        options: of the step `masks`: which pixels are the top ones.
        groups: (N,) what belongs together; None: every sample for itself.
        weight: (N,) how much each sample counts; None: all alike.
        workers: threads.

    Raises:
        NoExactFitError: the metric does not score each sample and class by itself.
    """
    if metric not in _TERMS:
        raise NoExactFitError(
            f"whether an answer pays is known for {', '.join(_TERMS)}, not for {metric}"
        )
    present, terms, known = truths.present > 0, _TERMS[metric], which_top(options or {})

    def look(row: int) -> tuple[np.ndarray, list[np.ndarray]]:
        levels = maps.read(row)
        tops = top_means(levels, num_top(levels[0].size, **known))
        there = np.flatnonzero(present[row])
        if not len(there):
            return tops, []
        marks = truth_marks(truths[np.array([row])])
        return tops, [_by_level(levels[index], marks[index], terms) for index in there]

    with ThreadPoolExecutor(workers, thread_name_prefix="maps") as pool:
        looked = list(pool.map(look, range(len(maps))))
    rows, classes = np.nonzero(present)
    scores = [each for _, found in looked for each in found]
    return Evidence(
        decided_together(truths, groups),
        present,
        np.array([tops for tops, _ in looked]).reshape(present.shape),
        maps.gates,
        rows,
        classes,
        np.array(scores, np.float32).reshape(len(rows), TOP + 1),
        np.ones(len(maps)) if weight is None else weight,
    )


def fit_chances(step: Step, evidence: Evidence, chosen: np.ndarray, *, gated: bool) -> Step:
    """The step that answers a class where that pays, by the chance that it is there.

    Of the images that show a class the threshold is taken that scores highest on average, s, of all
    pixels that reach it: smallest areas, shapes and least top scores are given up. An answer to any
    other image costs 1; so a class is answered from the chance p on at which p s = 1 - p, as if s
    did not depend on p. The chance is a logistic regression on the log odds of the map's top pixels
    and of the gate, with a constant for each class and slopes that all classes share: few values,
    each of which all that is there has a part in, so that few images are enough for them.

    Args:
        step: `masks` as it is; of equally good thresholds the nearest to its own are taken.
        evidence: of the maps that are fitted to.
        chosen: (N,) bool, which of them.
        gated: whether the gate has a say.

    Raises:
        NoExactFitError: no class is there in any of them, or every class in each.
    """
    chosen = chosen & (evidence.weight > 0)
    of_pair = chosen[evidence.rows]
    if not of_pair.any() or evidence.present[chosen].all():
        raise NoExactFitError("none of these masks shows anything, or all show everything")
    num = evidence.present.shape[1]
    fits: dict[int, _Threshold] = {}
    for classes in evidence.together:
        fits |= dict.fromkeys(classes, _threshold(step, evidence, classes, of_pair))
    options = {
        **which_top(step.options),
        "thresholds": [fits[index].threshold for index in range(num)],
        "chances": _chances(evidence, chosen, gated=gated).tolist(),
        "least_chances": [1.0 / (1.0 + fits[index].score) for index in range(num)],
    }
    return Step(step.name, options, fitted=True)


class _Threshold(NamedTuple):
    threshold: float
    score: float


def _threshold(
    step: Step, evidence: Evidence, classes: tuple[int, ...], of_pair: np.ndarray
) -> _Threshold:
    """The best threshold for classes that are decided as one, and what it scores where they are."""
    own = step.options.get("thresholds", 0.5)
    own = own[classes[0]] if isinstance(own, (list, tuple)) else own
    used = of_pair & np.isin(evidence.classes, classes)
    weight = evidence.weight[evidence.rows[used]]
    if not len(weight):
        return _Threshold(_NEVER, 0.0)  # Not seen: nothing is known that would pay.
    means = weight @ evidence.scores[used].astype(np.float64) / weight.sum()
    if not means.max() > 0:
        return _Threshold(_NEVER, 0.0)
    best = np.flatnonzero(means >= means.max() - 1e-9)
    level = int(best[np.argmin(np.abs(best - least_level(own)))])
    return _Threshold(level / TOP, float(means[level]))


def _chances(evidence: Evidence, chosen: np.ndarray, *, gated: bool) -> np.ndarray:
    """(C, 3) as of `chance_of`."""
    from sklearn.linear_model import LogisticRegression  # Here: it takes a second to import.

    num = evidence.present.shape[1]
    tops = log_odds(evidence.tops[chosen])
    witnesses = [tops]
    if gated:
        assert evidence.gates is not None
        witnesses = [log_odds(evidence.gates[chosen]), tops]
    found = np.stack([each.ravel() for each in witnesses], axis=1)
    of_class = np.tile(np.eye(num), (len(tops), 1))
    fit = LogisticRegression(max_iter=1000).fit(
        np.hstack([found, of_class]),
        evidence.present[chosen].ravel(),
        sample_weight=np.repeat(evidence.weight[chosen], num),
    )
    slopes, constants = fit.coef_[0][: len(witnesses)], fit.coef_[0][len(witnesses) :]
    gate, top = slopes if len(witnesses) == 2 else (0.0, slopes[0])
    return np.stack([fit.intercept_[0] + constants, np.full(num, gate), np.full(num, top)], axis=1)


def _by_level(levels: np.ndarray, marks: np.ndarray, terms: Terms) -> np.ndarray:
    """(256,) what a map scores if all that reaches a level is answered.

    Args:
        levels: (H, W) uint8.
        marks: (H, W) uint8 of the truth, as of `truth_marks`.
        terms: what a sample scores.
    """
    answered, common = (
        np.bincount(levels[mask], minlength=TOP + 1)[::-1].cumsum()[::-1]
        for mask in (marks <= 1, marks == 1)
    )
    return terms(answered, common, int(common[0]))[:, 0].astype(np.float32)
