"""Greedy weights over out-of-fold scores against AutoGluon's EnsembleSelection.

50 members, 100,000 rows, 5 classes in float64, 20 steps; AUC: two classes in one column, 10 steps.
Both must take the same members in the same order. CPU seconds count. Peak memory is ours, in a
process of its own, the matrix of scores included.
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import measure
import numpy as np
from autogluon.core import metrics as peer_metrics
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection

from foldwise.blending import Answer, Goal
from foldwise.blending.search import selected
from foldwise.metrics import METRICS

MEMBERS, ROWS, CLASSES = 50, 100_000, 5
ROUNDS = measure.ROUNDS
#: Peak memory over the matrix.
MOST_MEMORY = 1.3


@dataclass(frozen=True)
class Case:
    """A metric as both sides know it, the steps, and how many times faster ours must be."""

    metric: str
    peer: peer_metrics.Scorer
    steps: int
    least: float

    @property
    def is_binary(self) -> bool:
        return self.metric == "roc_auc"

    @property
    def num_bytes(self) -> int:
        """Of the matrix of scores."""
        return MEMBERS * ROWS * (1 if self.is_binary else CLASSES) * 8


CASES = (
    Case("log_loss", peer_metrics.log_loss, 20, 100),
    Case("accuracy", peer_metrics.accuracy, 20, 20),
    Case("qwk", peer_metrics.quadratic_kappa, 20, 20),
    Case("roc_auc", peer_metrics.roc_auc, 10, 20),
)


def make_scores(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Members of unequal strength that share part of their errors, and the truth.

    Of two classes the second's probability alone is kept. No second matrix is made on the way.
    """
    rng = np.random.default_rng(0)
    num_classes = 2 if case.is_binary else CLASSES
    rows, target = np.arange(ROWS), rng.integers(0, num_classes, ROWS)
    shared = 1.3 * rng.standard_normal((ROWS, num_classes))
    shared[rows, target] += 2
    kept = slice(1 if case.is_binary else 0, None)
    scores = np.empty((MEMBERS, ROWS, 1 if case.is_binary else num_classes))
    for member in scores:
        logits = shared + (0.7 + 0.6 * rng.random()) * rng.standard_normal((ROWS, num_classes))
        logits[rows, target] += rng.random()
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        member[:] = logits[:, kept]
    return scores, target


def make_goal(case: Case, target: np.ndarray) -> Goal:
    metric = METRICS[case.metric]
    sign = 1 if metric.higher_is_better else -1

    def score(blend: np.ndarray, rows: np.ndarray | None) -> float:
        return sign * metric(blend.argmax(axis=1) if metric.takes == "answers" else blend, target)

    return Goal(target, score, metric=case.metric, answer=Answer("argmax"))


def peers(case: Case, scores: np.ndarray, target: np.ndarray) -> list[int]:
    """AutoGluon's picks, up to the best ensemble."""
    problem_type = "binary" if case.is_binary else "multiclass"
    selection = EnsembleSelection(case.steps, problem_type=problem_type, metric=case.peer)
    selection.fit([member[:, 0] if case.is_binary else member for member in scores], target)
    return [int(pick) for pick in selection.indices_]


def main() -> int:
    if sys.argv[1:2] == ["--case"]:
        case = next(case for case in CASES if case.metric == sys.argv[2])
        measure.ready()
        scores, target = make_scores(case)
        for _ in range(3):  # Memory is looked at now and then: give it time to be seen.
            selected(scores, make_goal(case, target), num_steps=case.steps)
        return 0
    measure.describe_machine()
    print((__doc__ or "").strip())
    verdict = measure.Verdict()
    for case in CASES:
        run_case(case, verdict)
    return verdict.exit_code()


def run_case(case: Case, verdict: measure.Verdict) -> None:
    scores, target = make_scores(case)
    goal = make_goal(case, target)
    times, picks = measure.interleaved(
        {
            "AutoGluon": lambda: peers(case, scores, target),
            "foldwise": lambda: selected(scores, goal, num_steps=case.steps),
        },
        rounds=ROUNDS,
    )
    memory = measure.peak_memory(__file__, case.metric, Path()) * 2**20 / case.num_bytes
    print(f"\n{case.metric}")
    for side, found in times.items():
        cpu = sorted(found.cpu)
        print(
            f"  {side:10} CPU s, median of {len(cpu)}: {statistics.median(cpu):.3f} "
            f"({cpu[0]:.3f} to {cpu[-1]:.3f})"
        )
    print(f"  peak memory {memory:.2f} times the matrix of {case.num_bytes / 2**20:.0f} MiB")
    theirs, ours = picks["AutoGluon"], picks["foldwise"]
    verdict.demand(theirs == ours, f"picks: AutoGluon {theirs}, foldwise {ours}")
    faster = measure.ratio([times["AutoGluon"].cpu], [times["foldwise"].cpu])
    verdict.targets += [
        measure.Target(f"{case.metric}, CPU seconds against AutoGluon", faster, case.least),
        measure.Target(
            f"{case.metric}, {MOST_MEMORY:g} times the matrix against peak memory",
            MOST_MEMORY / memory,
            1,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
