"""Cuts fitted to quadratic weighted kappa against the usual `OptimizedRounder`, and kappa itself.

`OptimizedRounder` is what competitors paste: scipy's Nelder-Mead over scikit-learn's
`cohen_kappa_score`, from the cuts 0.5, 1.5, ... It stops at a local optimum; ours is the global
one, so on every set of scores ours may not be worse. 100,000 rows, 5 grades. Kappa of decided
grades is taken 20 times a round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import cohen_kappa_score

from foldwise.decide.cuts import cuts, half_cuts, shrunk_cuts, to_common
from foldwise.decide.fit_cuts import fit_cuts
from foldwise.metrics.ordinal import qwk

NUM, GRADES, TIMES = 100_000, 5, 20
CUTS_TARGET, KAPPA_TARGET = 20.0, 40.0
SHARES = [0.5, 0.2, 0.15, 0.1, 0.05]
#: What rounding alone may make of equal scores.
LEVEL = 1e-12

Rows = tuple[np.ndarray, np.ndarray]


def rows(kind: str, num: int, seed: int = 0) -> Rows:
    """Scores and true grades, as models and blends of several kinds give them."""
    rng = np.random.default_rng(seed)
    target = rng.choice(GRADES, num, p=SHARES)
    scores = 0.7 * target + 0.3 + 0.6 * rng.normal(size=num)
    if kind == "tied":
        return np.round(scores, 1), target
    if kind == "clipped":
        return to_common(scores, shrunk_cuts(GRADES), GRADES), target
    if kind == "skewed":
        return np.exp(0.4 * scores), target
    if kind == "two heaps":
        return np.where(target > 1, 3.0, 1.0) + 0.4 * rng.normal(size=num), target
    if kind == "noise":
        return rng.normal(2, 1, size=num), target
    return scores, target


KINDS = ("plain", "tied", "clipped", "skewed", "two heaps", "noise")


def optimized_rounder(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    def loss(values: np.ndarray) -> float:
        grades = np.digitize(scores, np.sort(values))
        return -float(cohen_kappa_score(target, grades, weights="quadratic"))

    found = minimize(loss, np.array(half_cuts(GRADES)), method="nelder-mead")
    return np.digitize(scores, np.sort(found.x))


def exact(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    values = fit_cuts(scores, target, metric="qwk", num_grades=GRADES)
    return cuts(scores[:, None], values=values)


def repeated(kappa: Callable[[], float]) -> float:
    value = float("nan")
    for _ in range(TIMES):
        value = kappa()
    return value


def make_cases() -> dict[str, Callable[[], float]]:
    """Name → work that gives the kappa it has reached."""
    scores, target = rows("plain", NUM)
    preds = cuts(scores[:, None], values=half_cuts(GRADES))
    return {
        "cuts, OptimizedRounder": lambda: qwk(optimized_rounder(scores, target), target),
        "cuts, foldwise": lambda: qwk(exact(scores, target), target),
        f"kappa x {TIMES}, cohen_kappa_score": lambda: repeated(
            lambda: float(cohen_kappa_score(target, preds, weights="quadratic"))
        ),
        f"kappa x {TIMES}, foldwise": lambda: repeated(lambda: qwk(preds, target)),
    }


def compare_sets(verdict: measure.Verdict) -> None:
    """On sets of every kind, large and small, ours reaches at least the peer's kappa."""
    for kind in KINDS:
        gains = []
        for num, seeds in ((10_000, 1), (300, 10)):
            for seed in range(seeds):
                scores, target = rows(kind, num, seed + 1)
                peer, own = optimized_rounder(scores, target), exact(scores, target)
                gains.append(qwk(own, target) - qwk(peer, target))
        what = f"{kind}: kappa above the peer's by {min(gains):.6f} to {max(gains):.6f}"
        verdict.demand(min(gains) >= -LEVEL, what)


def main() -> int:
    cases = make_cases()
    if sys.argv[1:2] == ["--case"]:
        case = cases[sys.argv[2]]
        measure.ready()
        until = time.monotonic() + 1  # Long enough for its peak to be seen.
        while time.monotonic() < until:
            case()
        return 0
    measure.describe_machine()
    print((__doc__ or "").strip())
    print("Judged are CPU seconds.")
    times, kappas = measure.interleaved(cases)
    memory = {case: measure.peak_memory(__file__, case, Path()) for case in cases}
    measure.print_table(times, NUM, memory, unit="rows")
    peer, own, kappa_peer, kappa_own = cases
    verdict = measure.Verdict()
    verdict.demand(
        kappas[own] >= kappas[peer] - LEVEL,
        f"kappa of the fitted cuts: {kappas[peer]:.8f} and {kappas[own]:.8f}",
    )
    verdict.demand(
        abs(kappas[kappa_own] - kappas[kappa_peer]) < LEVEL,
        f"kappa: {kappas[kappa_peer]:.12f} and {kappas[kappa_own]:.12f}",
    )
    compare_sets(verdict)
    for what, slow, fast, least in (
        ("cuts against OptimizedRounder", peer, own, CUTS_TARGET),
        ("kappa against cohen_kappa_score", kappa_peer, kappa_own, KAPPA_TARGET),
    ):
        faster = measure.ratio([times[slow].cpu], [times[fast].cpu])
        verdict.targets.append(measure.Target(f"{what}, CPU seconds", faster, least))
    return verdict.exit_code()


if __name__ == "__main__":
    sys.exit(main())
