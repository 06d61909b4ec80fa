"""Greedy weights over out-of-fold scores against AutoGluon's EnsembleSelection.

50 members, 100,000 rows, 5 classes in float64, 20 steps. AUC: two classes in one column, 10 steps,
and the mean over 5 classes, 3 steps, which take the peer a minute. Grades by cuts, which AutoGluon
has not: against the textbook loop with scikit-learn's kappa, 5 steps. Both must take the same
members in the same order. CPU seconds count. Peak memory is ours, in a process of its own, the
matrix of scores included, without what it took to draw it. Last the whole report of a greedy blend:
fitted to all rows and without each of five folds, its gains with intervals, each member's worth,
the map of errors.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
import numpy as np
from autogluon.core import metrics as peer_metrics
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
from sklearn.metrics import cohen_kappa_score

from foldwise.blending import Answer, Goal, Members
from foldwise.blending.averages import comparable_members
from foldwise.blending.contributions import contributions
from foldwise.blending.crossfit import fit_all
from foldwise.blending.diversity import diversity
from foldwise.blending.gain import Ends, gain_report
from foldwise.blending.search import selected
from foldwise.blending.selection import greedy
from foldwise.metrics import METRICS
from foldwise.metrics.bootstrap import paired_intervals

MEMBERS, ROWS, CLASSES = 50, 100_000, 5
ROUNDS = measure.ROUNDS
#: Peak memory over the matrix.
MOST_MEMORY = 1.3


CUTS = np.arange(CLASSES - 1) + 0.5
#: The whole report of 50 members on 100,000 rows takes seconds.
MOST_REPORT_S = 60


@dataclass(frozen=True)
class Case:
    """What is blended, the peer's metric, and how many times faster ours must be.

    Attributes:
        name: for people.
        metric: of `METRICS`.
        peer: the same for AutoGluon; None: the textbook loop.
        steps: members taken.
        least: ratio to be reached.
        columns: of a member: 5 classes, or 1 for the second of two classes, or for grades.
    """

    name: str
    metric: str
    peer: peer_metrics.Scorer | None
    steps: int
    least: float
    columns: int = CLASSES

    @property
    def is_binary(self) -> bool:
        return self.columns == 1 and self.peer is not None

    @property
    def num_bytes(self) -> int:
        """Of the matrix of scores."""
        return MEMBERS * ROWS * self.columns * 8


CASES = (
    Case("log_loss", "log_loss", peer_metrics.log_loss, 20, 100),
    Case("accuracy", "accuracy", peer_metrics.accuracy, 20, 20),
    Case("qwk", "qwk", peer_metrics.quadratic_kappa, 20, 20),
    Case("roc_auc", "roc_auc", peer_metrics.roc_auc, 10, 20, columns=1),
    Case("roc_auc of 5 classes", "roc_auc", peer_metrics.roc_auc_ovr, 3, 20),
    Case("qwk by cuts", "qwk", None, 5, 20, columns=1),
)
REPORTS = ("log_loss", "qwk by cuts")


def make_scores(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Members of unequal strength that share part of their errors, and the truth.

    Of two classes the second's probability alone is kept, of grades the expected one. No second
    matrix is made on the way.
    """
    rng = np.random.default_rng(0)
    num_classes = 2 if case.is_binary else CLASSES
    rows, target = np.arange(ROWS), rng.integers(0, num_classes, ROWS)
    shared = 1.3 * rng.standard_normal((ROWS, num_classes))
    shared[rows, target] += 2
    scores = np.empty((MEMBERS, ROWS, case.columns))
    for member in scores:
        logits = shared + (0.7 + 0.6 * rng.random()) * rng.standard_normal((ROWS, num_classes))
        logits[rows, target] += rng.random()
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        member[:] = logits if case.columns > 1 else logits @ np.arange(num_classes)[:, None]
    return scores, target


def preds_of(case: Case) -> Callable[[np.ndarray], np.ndarray]:
    """What the metric takes of blended scores."""
    if METRICS[case.metric].takes == "scores":
        return lambda blend: blend
    if case.columns == 1:
        return lambda blend: np.searchsorted(CUTS, blend[:, 0], side="right")
    return lambda blend: blend.argmax(axis=1)


def make_goal(case: Case, target: np.ndarray) -> Goal:
    metric, preds = METRICS[case.metric], preds_of(case)
    sign = 1 if metric.higher_is_better else -1

    def score(blend: np.ndarray, rows: np.ndarray | None) -> float:
        return sign * metric(preds(blend), target if rows is None else target[rows])

    answer = Answer("argmax") if case.columns > 1 else Answer("cuts", tuple(CUTS.tolist()))
    return Goal(target, score, metric=case.metric, answer=None if case.is_binary else answer)


def peers(case: Case, scores: np.ndarray, target: np.ndarray) -> list[int]:
    """The peer's picks, up to the best ensemble."""
    if case.peer is None:
        return textbook(case, scores, target)
    problem_type = "binary" if case.is_binary else "multiclass"
    selection = EnsembleSelection(case.steps, problem_type=problem_type, metric=case.peer)
    selection.fit([member[:, 0] if case.is_binary else member for member in scores], target)
    return [int(pick) for pick in selection.indices_]


def textbook(case: Case, scores: np.ndarray, target: np.ndarray) -> list[int]:
    """Every candidate of every step scored by scikit-learn."""
    preds, total = preds_of(case), np.zeros(scores.shape[1:])
    picks: list[int] = []
    reached = []
    for size in range(1, case.steps + 1):
        found = [
            cohen_kappa_score(target, preds((total + member) / size), weights="quadratic")
            for member in scores
        ]
        picks.append(int(np.argmax(found)))
        reached.append(max(found))
        total += scores[picks[-1]]
    return picks[: int(np.argmax(reached)) + 1]


def main() -> int:
    if sys.argv[1:2] == ["--case"]:
        case = next(case for case in CASES if case.name == sys.argv[2])
        scores, target = make_scores(case)
        measure.ready()
        for _ in range(3):  # Memory is looked at now and then: give it time to be seen.
            selected(scores, make_goal(case, target), num_steps=case.steps)
        return 0
    measure.describe_machine()
    print((__doc__ or "").strip())
    verdict = measure.Verdict()
    for case in CASES:
        run_case(case, verdict)
    for case in CASES:
        if case.name in REPORTS:
            run_report(case, verdict)
    return verdict.exit_code()


def run_case(case: Case, verdict: measure.Verdict) -> None:
    scores, target = make_scores(case)
    goal = make_goal(case, target)
    peer = "AutoGluon" if case.peer is not None else "textbook"
    times, picks = measure.interleaved(
        {
            peer: lambda: peers(case, scores, target),
            "foldwise": lambda: selected(scores, goal, num_steps=case.steps),
        },
        rounds=ROUNDS,
    )
    memory = 1 + measure.peak_memory(__file__, case.name, Path()) * 2**20 / case.num_bytes
    print(f"\n{case.name}")
    for side, found in times.items():
        cpu = sorted(found.cpu)
        print(
            f"  {side:10} CPU s, median of {len(cpu)}: {statistics.median(cpu):.3f} "
            f"({cpu[0]:.3f} to {cpu[-1]:.3f})"
        )
    print(f"  peak memory {memory:.2f} times the matrix of {case.num_bytes / 2**20:.0f} MiB")
    theirs, ours = picks[peer], picks["foldwise"]
    verdict.demand(theirs == ours, f"picks: {peer} {theirs}, foldwise {ours}")
    faster = measure.ratio([times[peer].cpu], [times["foldwise"].cpu])
    verdict.targets += [
        measure.Target(f"{case.name}, CPU seconds against {peer}", faster, case.least),
        measure.Target(
            f"{case.name}, {MOST_MEMORY:g} times the matrix against peak memory",
            MOST_MEMORY / memory,
            1,
        ),
    ]


def run_report(case: Case, verdict: measure.Verdict) -> None:
    """Wall seconds of all that `foldwise blend` works out for a greedy blend."""
    scores, target = make_scores(case)
    goal, metric, preds = make_goal(case, target), METRICS[case.metric], preds_of(case)
    members, folds = Members(scores), np.arange(ROWS) % 5
    names = [str(number) for number in range(MEMBERS)]

    def paired(
        ours: np.ndarray, others: Sequence[np.ndarray], rows: np.ndarray | None
    ) -> list[Ends | None]:
        found = paired_intervals(
            metric,
            [preds(each) for each in others],
            preds(ours),
            target if rows is None else target[rows],
            higher_is_better=metric.higher_is_better,
            num=1000,
        )
        ends = [gain.interval for gain in found]
        return [None if end is None else Ends(end.low, end.high, end.covers) for end in ends]

    begun = time.perf_counter()
    fitted = fit_all(members, folds, greedy, goal)
    gain = gain_report(members, names, folds, fitted=fitted, goal=goal, paired=paired)
    contributions(
        members, folds, fitted=fitted, fit=greedy, goal=goal, paired=paired, counting=uncounted
    )
    diversity(
        scores,
        target,
        names,
        folds,
        makes=[None] * MEMBERS,
        comparable=comparable_members(members, goal),
    )
    seconds = time.perf_counter() - begun
    print(f"\nreport of {case.name}: {seconds:.1f} s, verdict {gain.verdict}")
    what = f"report of {case.name}, {MOST_REPORT_S} s against wall seconds"
    verdict.targets.append(measure.Target(what, MOST_REPORT_S / seconds, 1))


@contextlib.contextmanager
def uncounted(what: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


if __name__ == "__main__":
    sys.exit(main())
