"""What mirroring or turning images costs a simple head, and which classes it swaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

#: A head must know something before it can tell: skill above chance, by so many standard errors.
_MIN_SKILL, _MIN_Z = 0.05, 3.0
#: Features of the whole image: what a changed image may cost, and the upper end of its interval.
_MAX_SHOWN, _MAX_HIGH = 0.05, 0.12
#: Features in their places change with the image, so only a large cost speaks against it.
#: Measured: 0.02 to 0.17 where mirroring is harmless, 0.51 on traffic signs, 0.78 on digits.
_MAX_SHOWN_PLACED = 0.25
#: Classes count as swapped from this share of a class, so many images, and so many standard
#: errors of images that move one way rather than the other.
_SWAP_SHARE, _SWAP_COUNT, _SWAP_Z = 0.1, 3, 2.0
_PENALTIES = np.geomspace(1e-3, 1e2, 11)
#: A feature that hardly varies is not blown up beyond this share of the mean spread.
_LEAST_SPREAD = 0.1


@dataclass(frozen=True)
class Swap:
    """A class that becomes another.

    Attributes:
        true: class of the images.
        said: what the head says of them now and did not before.
        num: how many, less those that go the other way.
        share: of the images of the class.
    """

    true: int
    said: int
    num: int
    share: float


@dataclass(frozen=True)
class Cost:
    """What is lost, as a share of the skill.

    Attributes:
        point: the loss; negative is a gain.
        low: lower end of its interval (95 %, over rows or groups).
        high: upper end.
        swaps: classes that become others, the largest share first.
    """

    point: float
    low: float
    high: float
    swaps: tuple[Swap, ...]


@dataclass(frozen=True)
class SymmetryCost:
    """What a symmetry costs on one kind of features.

    Attributes:
        name: of the symmetry.
        skill: what the head knows of upright images beyond chance: accuracy above always saying
            the commonest class, or share of the target's variance.
        knows: whether that is enough to tell anything.
        shown: heads fitted on upright images are shown changed ones.
        learned: heads fitted on upright and changed images are shown upright ones.
    """

    name: str
    skill: float
    knows: bool
    shown: Cost
    learned: Cost


@dataclass(frozen=True)
class Verdict:
    """Whether a symmetry may be proposed.

    Attributes:
        is_harmless: nothing spoke against it.
        why: what did, or what was measured.
        swaps: classes it makes into others.
    """

    is_harmless: bool
    why: str
    swaps: tuple[Swap, ...] = ()


def measure_symmetry(
    name: str,
    upright: np.ndarray,
    changed: np.ndarray,
    target: np.ndarray,
    folds: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> SymmetryCost:
    """Score held-out images upright and changed, with heads that knew the change and that did not.

    Heads are ridge regressions, the penalty chosen by leave-one-out on upright images.

    Args:
        name: of the symmetry.
        upright: (N, D) features of the images as they are.
        changed: (N, D) features of the same images mirrored or turned.
        target: (N, C) numbers to predict: one-hot classes, 0/1 labels or values.
        folds: (N,) int; each fold is scored by heads fitted on the others.
        labels: (N,) int columns of `target` where each row has one class; scored by accuracy
            then, else by the share of variance.
        groups: (N,) rows that go together in the interval; None: each alone.

    Source: the interval is the normal one with variance between groups, Liang and Zeger (1986),
    "Longitudinal data analysis using generalized linear models", Biometrika 73(1).
    """
    with threadpool_limits(1, "blas"):  # Small products: threads would wait for each other.
        plain, shown, learned = _held_out(upright, changed, target, folds)
    units = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
    chance = _quality(_other_means(target, folds), target, labels)
    skills = _quality(plain, target, labels) - chance
    skill = float(skills.mean())
    knows = skill >= max(_MIN_SKILL, _MIN_Z * _standard_error(skills, units))

    def cost(scores: np.ndarray) -> Cost:
        lost = (skills - _quality(scores, target, labels) + chance) / max(skill, _MIN_SKILL)
        point, error = float(lost.mean()), 1.96 * _standard_error(lost, units)
        swaps = () if labels is None else _swaps(plain, scores, labels)
        return Cost(point, point - error, point + error, swaps)

    return SymmetryCost(name, skill, knows, cost(shown), cost(learned))


def judge(placed: SymmetryCost, whole: SymmetryCost | None = None) -> Verdict:
    """Harmless only if nothing speaks against it.

    Features of the whole image alone would not do: networks are pretrained with mirrored images
    and may not tell left from right at all, so nothing seems lost where everything is (measured
    on traffic signs: pooled features lose nothing by mirroring, those in their places half).

    Args:
        placed: on features that keep their place in the image: a coarse map, or pixels.
        whole: on a network's pooled features, if there is a network.
    """
    if not placed.knows or (whole is not None and not whole.knows):
        skill = placed.skill if whole is None else min(placed.skill, whole.skill)
        return Verdict(False, f"a simple head knows too little to tell (skill {skill:.2f})")
    shown, learned = placed.shown, placed.learned
    if shown.point > _MAX_SHOWN_PLACED:
        return Verdict(False, f"costs {shown.point:.0%} of the skill", shown.swaps)
    if learned.swaps:
        return Verdict(False, "learning it makes classes into others", learned.swaps)
    if learned.high > _MAX_HIGH:
        return Verdict(False, f"learning it may cost {learned.high:.0%} of the skill")
    if whole is not None and (whole.shown.point > _MAX_SHOWN or whole.shown.high > _MAX_HIGH):
        cost = whole.shown
        return Verdict(False, f"costs {cost.point:.0%} of the skill, {cost.high:.0%} at most")
    if whole is not None and whole.shown.swaps:
        return Verdict(False, "it makes classes into others", whole.shown.swaps)
    cost = learned if whole is None else whole.shown
    return Verdict(True, f"costs {cost.point:.0%} of the skill, {cost.high:.0%} at most")


def _held_out(
    upright: np.ndarray, changed: np.ndarray, target: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, C) scores each: plain, shown changed images, having learned from them.

    All from the products of all rows with each other, computed once.
    """
    num = len(upright)
    spread = upright.std(axis=0)
    spread = np.maximum(spread, max(_LEAST_SPREAD * spread.mean(), 1e-12))
    rows = (np.concatenate([upright, changed]) - upright.mean(axis=0)) / spread
    products = rows @ rows.T
    plain, shown, learned = (np.empty(target.shape) for _ in range(3))
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        bias = target[rest].mean(axis=0)
        centred = target[rest] - bias
        penalty = _choose_penalty(products[np.ix_(rest, rest)], centred)
        dual = _dual(products[np.ix_(rest, rest)], centred, penalty)
        plain[held] = products[np.ix_(held, rest)] @ dual + bias
        shown[held] = products[np.ix_(num + held, rest)] @ dual + bias
        both = np.concatenate([rest, num + rest])
        # Twice the rows, twice the penalty: the same strength, so only the change is new.
        dual = _dual(products[np.ix_(both, both)], np.tile(centred, (2, 1)), 2 * penalty)
        learned[held] = products[np.ix_(held, both)] @ dual + bias
    return plain, shown, learned


def _choose_penalty(products: np.ndarray, target: np.ndarray) -> float:
    """By the exact left-out residuals of ridge regression.

    Source: Golub, Heath and Wahba (1979), "Generalized cross-validation as a method for choosing
    a good ridge parameter", Technometrics 21(2).
    """
    values, vectors = np.linalg.eigh(products)
    values = np.maximum(values, 0.0)
    rotated = vectors.T @ target
    best = (np.inf, 1.0)
    for penalty in _PENALTIES * max(values.mean(), 1e-12):
        shrink = values / (values + penalty)
        leverage = (vectors**2) @ shrink + 1 / len(products)
        residual = target - vectors @ (shrink[:, None] * rotated)
        left_out = residual / np.maximum(1 - leverage, 1e-6)[:, None]
        best = min(best, (float((left_out**2).mean()), float(penalty)))
    return best[1]


def _dual(products: np.ndarray, target: np.ndarray, penalty: float) -> np.ndarray:
    """(n, C) how much each row counts in the ridge solution."""
    return np.linalg.solve(products + penalty * np.eye(len(products)), target)


def _quality(scores: np.ndarray, target: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """(N,) 1 where the class is right; or minus the squared error in units of the variance."""
    if labels is not None:
        right: np.ndarray = scores.argmax(axis=1) == labels
        return right.astype(np.float64)
    variance = np.maximum(target.var(axis=0), 1e-12)
    errors: np.ndarray = -((scores - target) ** 2 / variance).mean(axis=1)
    return errors


def _other_means(target: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """(N, C) the mean target of the other folds."""
    means = np.empty(target.shape)
    for fold in np.unique(folds):
        means[folds == fold] = target[folds != fold].mean(axis=0)
    return means


def _standard_error(values: np.ndarray, units: np.ndarray) -> float:
    """Of the mean, where the rows of a unit go together."""
    sums = np.bincount(units, values - values.mean())
    num = max(len(np.unique(units)), 2)
    return float(np.sqrt((sums**2).sum() * num / (num - 1)) / len(values))


def _swaps(before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> tuple[Swap, ...]:
    num_classes = before.shape[1]
    said_before, said_after = before.argmax(axis=1), after.argmax(axis=1)
    moved = said_before != said_after
    come, gone = (np.zeros((num_classes, num_classes), dtype=np.int64) for _ in range(2))
    np.add.at(come, (labels[moved], said_after[moved]), 1)
    np.add.at(gone, (labels[moved], said_before[moved]), 1)
    net = come - gone
    shares = net / np.maximum(np.bincount(labels, minlength=num_classes), 1)[:, None]
    is_many = (net >= _SWAP_COUNT) & (net >= _SWAP_Z * np.sqrt(come + gone))
    found = [
        Swap(int(true), int(said), int(net[true, said]), float(shares[true, said]))
        for true, said in np.argwhere(is_many & (shares >= _SWAP_SHARE))
        if true != said
    ]
    return tuple(sorted(found, key=lambda swap: -swap.share))
