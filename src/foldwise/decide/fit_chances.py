"""Masks behind a chance: how likely a class is there, and whether answering it pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from foldwise.decide.decision import Step
from foldwise.decide.fit_areas import is_more
from foldwise.decide.mask_curves import LEAST_GRID, Aim, aim_of, decided_together, truth_marks
from foldwise.decide.mask_steps import chance_of, log_odds, num_top, top_means, which_top
from foldwise.errors import NoExactFitError
from foldwise.maps.levels import TOP, least_level
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks

#: Level that no pixel has: as threshold nothing is answered.
_NEVER = TOP + 1


@dataclass(frozen=True)
class Evidence:
    """What is needed of N maps and truths of C classes to fit chances, read once.

    Attributes:
        aim: of the metric.
        together: the classes, those whose thresholds are fitted as one together.
        present: (N, C) bool, which classes the truths show.
        tops: (N, C) mean of each map's top pixels.
        gates: (N, C) what a gate says; None: there is none.
        rows: (P,) int64, of pairs of sample and class the sample: of those that are there, and
            where pixels are pooled of all.
        classes: (P,) int64 and the class.
        terms: (P, 257, K) float32 what is summed of such a pair by each level as threshold.
        weight: (N,) how much each sample counts.
    """

    aim: Aim
    together: tuple[tuple[int, ...], ...]
    present: np.ndarray
    tops: np.ndarray
    gates: np.ndarray | None
    rows: np.ndarray
    classes: np.ndarray
    terms: np.ndarray
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
        NoExactFitError: nothing is known for the metric.
    """
    aim, known = aim_of(metric), which_top(options or {})
    present = truths.present > 0
    pairs = np.ones_like(present) if aim.is_pooled else present

    def look(row: int) -> tuple[np.ndarray, list[np.ndarray]]:
        levels = maps.read(row)
        tops = top_means(levels, num_top(levels[0].size, **known))
        places = np.flatnonzero(pairs[row])
        if not len(places):
            return tops, []
        marks = truth_marks(truths[np.array([row])])
        return tops, [_by_level(levels[index], marks[index], aim) for index in places]

    with ThreadPoolExecutor(workers, thread_name_prefix="maps") as pool:
        looked = list(pool.map(look, range(len(maps))))
    rows, classes = np.nonzero(pairs)
    return Evidence(
        aim,
        decided_together(truths, groups),
        present,
        np.array([tops for tops, _ in looked]).reshape(present.shape),
        maps.gates,
        rows,
        classes,
        np.array([each for _, found in looked for each in found]),
        np.ones(len(maps)) if weight is None else weight,
    )


def fit_chances(step: Step, evidence: Evidence, chosen: np.ndarray, *, gated: bool) -> Step:
    """The step that answers a class where that pays, by the chance that it is there.

    The chance is a logistic regression on the log odds of the map's top pixels and of the gate,
    with a constant for each class and slopes that all classes share: few values, each of which all
    that is there has a part in, so that few images are enough for them. All pixels that reach the
    threshold are answered: smallest areas, shapes and least top scores are given up.

    Where each sample scores by itself, the threshold of a class is the one that scores highest on
    average, s, of the images that show it. An answer to any other image costs 1; so a class is
    answered from the chance p on at which p s = 1 - p, as if s did not depend on p. Where pixels
    are pooled over samples, an answer to an empty mask has no cost of its own: threshold and least
    chance, of a grid, are those that score highest together.

    Args:
        step: `masks` as it is; of equally good thresholds the nearest to its own are taken.
        evidence: of the maps that are fitted to.
        chosen: (N,) bool, which of them.
        gated: whether the gate has a say.

    Raises:
        NoExactFitError: no class is there in any of them, or every class in each.
    """
    chosen = chosen & (evidence.weight > 0)
    if not evidence.present[chosen].any() or evidence.present[chosen].all():
        raise NoExactFitError("none of these masks shows anything, or all show everything")
    parts = _chances(evidence, chosen, gated=gated)
    gates = np.zeros_like(evidence.tops) if evidence.gates is None else evidence.gates
    chances = chance_of(parts, gates, evidence.tops)
    fits: dict[int, _Fit] = {}
    for classes in evidence.together:
        own = step.options.get("thresholds", 0.5)
        own = least_level(own[classes[0]] if isinstance(own, (list, tuple)) else own)
        of_each = [_Pairs.of(evidence, chosen, index, chances) for index in classes]
        fit = _pooled(evidence.aim, of_each, own) if evidence.aim.is_pooled else _pays(of_each, own)
        fits |= dict.fromkeys(classes, fit)
    each = [fits[index] for index in range(evidence.present.shape[1])]
    options = {
        **which_top(step.options),
        "thresholds": [fit.level / TOP for fit in each],
        "chances": parts.tolist(),
        "least_chances": [fit.least for fit in each],
    }
    return Step(step.name, options, fitted=True)


class _Fit(NamedTuple):
    level: int
    least: float


#: Of what is nowhere, or never found: nothing is known that would pay.
_UNSEEN = _Fit(_NEVER, 1.0)


class _Pairs(NamedTuple):
    """Of a class the samples that are fitted to.

    Attributes:
        terms: (P, 257, K) what is summed of them.
        weight: (P,) how much each counts.
        chances: (P,) that it shows the class.
    """

    terms: np.ndarray
    weight: np.ndarray
    chances: np.ndarray

    @classmethod
    def of(cls, evidence: Evidence, chosen: np.ndarray, index: int, chances: np.ndarray) -> _Pairs:
        used = chosen[evidence.rows] & (evidence.classes == index)
        rows = evidence.rows[used]
        return cls(evidence.terms[used], evidence.weight[rows], chances[rows, index])


def _pays(of_each: Sequence[_Pairs], own: int) -> _Fit:
    """The threshold that is best where the classes are, and from which chance on it pays."""
    weight = np.concatenate([pairs.weight for pairs in of_each])
    if not len(weight):
        return _UNSEEN
    scores = np.concatenate([pairs.terms[:, :, 0] for pairs in of_each])
    means = weight @ scores.astype(np.float64) / weight.sum()
    if not means.max() > 0:
        return _UNSEEN
    level = _nearest(means, own)
    return _Fit(level, float(1.0 / (1.0 + means[level])))


def _pooled(aim: Aim, of_each: Sequence[_Pairs], own: int) -> _Fit:
    """The threshold and least chance that score highest; of equal ones the lowest chance."""
    if not any(pairs.terms[:, _NEVER].any() for pairs in of_each):
        return _UNSEEN  # What is not answered is missing nowhere.
    best, highest = None, -np.inf
    for least in LEAST_GRID:
        values = np.mean([_values(aim, pairs, least) for pairs in of_each], axis=0)
        if best is None or is_more(values.max(), highest):
            best, highest = _Fit(_nearest(values, own), least), float(values.max())
    assert best is not None
    return best


def _values(aim: Aim, pairs: _Pairs, least: float) -> np.ndarray:
    """(257,) what a class scores by each threshold if it is answered from a chance on."""
    is_open = pairs.chances >= least
    through = np.tensordot(pairs.weight[is_open], pairs.terms[is_open], axes=1)
    kept_back = pairs.weight[~is_open] @ pairs.terms[~is_open, _NEVER]
    return aim.value(through + kept_back)


def _nearest(values: np.ndarray, own: int) -> int:
    """Of the levels with the highest value the nearest to a class's own."""
    best = np.flatnonzero(values >= values.max() - 1e-9)
    return int(best[np.argmin(np.abs(best - own))])


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


def _by_level(levels: np.ndarray, marks: np.ndarray, aim: Aim) -> np.ndarray:
    """(257, K) float32 what is summed of a map if all that reaches a level is answered.

    Args:
        levels: (H, W) uint8.
        marks: (H, W) uint8 of the truth, as of `truth_marks`.
        aim: of the metric.
    """
    answered, common = (
        np.bincount(levels[mask], minlength=_NEVER + 1)[::-1].cumsum()[::-1]
        for mask in (marks <= 1, marks == 1)
    )
    return aim.terms(answered, common, int(common[0])).astype(np.float32)
