"""Every run against the first and against the best, with verdicts corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from foldwise.choosing.paired import Comparison, compare, holm, verdict
from foldwise.choosing.seed_noise import Repeats, SeedNoise, seed_noise
from foldwise.metrics.bootstrap import Resampled
from foldwise.stages.comparing.one_seed import (
    fold_scores,
    ledger,
    nearer_rows,
    repeats,
    score_facts,
)
from foldwise.stages.comparing.recipes import recipe_difference
from foldwise.stages.comparing.runs import Run
from foldwise.stages.comparing.sentences import sentences, warnings
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem

#: Pair of runs → p-value, corrected for all the pairs that it was looked at with.
_Corrected = dict[frozenset[str], float]


@dataclass(frozen=True)
class Compared:
    """Runs on common rows with all that is known of their noise.

    Attributes:
        problem: what they answer.
        runs: at least two, with equal rows.
        alone: name → one-seed scores, of runs that have seeds.
        merged: name → merged scores; empty where all runs have seeds.
        others: the competition's other runs of several seeds.
        resampled: how the rows were; None: too few.
        level: of intervals.
        notes: what could not be used, and why.
    """

    problem: Problem
    runs: Sequence[Run]
    alone: dict[str, Repeats]
    merged: dict[str, Repeats]
    others: Sequence[Repeats]
    resampled: Resampled | None
    level: float
    notes: Sequence[str]

    @classmethod
    def of(cls, problem: Problem, runs: Sequence[Run], level: float) -> Compared:
        """Score the runs, seed by seed where they have seeds.

        Raises:
            RunError: the metric is undefined on their rows.
        """
        seeded = [run for run in runs if run.seeds]
        alone: list[Repeats] = []
        merged: list[Repeats] = []
        others: list[Repeats] = []
        notes: list[str] = []
        resampled = None
        if seeded:
            alone, resampled = repeats(seeded, with_seeds=True)
            others, notes = ledger(problem, runs)
        if len(seeded) < len(runs):
            merged, resampled = repeats(runs, with_seeds=False)
        by_name = [{each.name: each for each in part} for part in (alone, merged)]
        return cls(problem, runs, by_name[0], by_name[1], others, resampled, level, notes)

    @property
    def sign(self) -> int:
        """What turns a difference of scores so that positive is better."""
        return 1 if self.problem.metric.higher_is_better else -1

    @property
    def num_units(self) -> int:
        """Rows or groups that were resampled."""
        return 0 if self.resampled is None else self.resampled.num_units

    @property
    def seed_noise(self) -> SeedNoise | None:
        """Learnt from all runs of several seeds."""
        return seed_noise([*self.alone.values(), *self.others])

    @property
    def best(self) -> Run:
        """By the mean of one-seed scores if all have seeds, else by merged scores."""
        scores = self.merged or self.alone
        return max(self.runs, key=lambda run: self.sign * float(scores[run.name].scores.mean()))

    def pair(self, reference: Run, challenger: Run) -> Comparison:
        """The challenger against the reference; merged where one of them has no seeds."""
        has_seeds = bool(reference.seeds and challenger.seeds)
        scores = self.alone if has_seeds else self.merged
        return compare(
            scores[reference.name],
            scores[challenger.name],
            higher_is_better=self.problem.metric.higher_is_better,
            num_units=self.num_units,
            ledger=[*self.alone.values(), *self.others] if has_seeds else (),
            level=self.level,
        )


def result(compared: Compared, notes: Sequence[str]) -> dict[str, Any]:
    """All that `foldwise compare` says, as JSON."""
    runs, known, resampled = compared.runs, compared.seed_noise, compared.resampled
    from_first = [compared.pair(runs[0], run) for run in runs[1:]]
    found: dict[str, Any] = {
        "metric": compared.problem.metric.label,
        "level": compared.level,
        "folds": runs[0].held.present_folds,
        "num_rows": len(runs[0].held),
        "covers": None if resampled is None else resampled.covers,
        "runs": [score_facts(run, compared.alone.get(run.name)) for run in runs],
        "seed_noise": None
        if known is None
        else {"sd": known.variance**0.5, "df": known.df, "runs": list(known.runs)},
        "best": compared.best.name,
        "best_by": "all seeds" if compared.merged else "one seed",
        "against_first": _entries(compared, from_first, _corrected(from_first)),
    }
    if len(runs) > 2:
        # Which is the best was seen in the same scores, so every pair counts as looked at.
        every = [compared.pair(one, two) for one, two in combinations(runs, 2)]
        best = compared.best
        from_best = [compared.pair(best, run) for run in runs if run is not best]
        found["against_best"] = _entries(compared, from_best, _corrected(every))
    found["notes"] = [*notes, *compared.notes]
    return found


def _corrected(pairs: Sequence[Comparison]) -> _Corrected:
    p_values = {
        frozenset((pair.reference, pair.challenger)): pair.p_value
        for pair in pairs
        if pair.p_value is not None
    }
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def _entries(
    compared: Compared, pairs: Sequence[Comparison], corrected: _Corrected
) -> list[dict[str, Any]]:
    return [
        _entry(compared, pair, corrected.get(frozenset((pair.reference, pair.challenger))))
        for pair in pairs
    ]


def _entry(compared: Compared, pair: Comparison, p_corrected: float | None) -> dict[str, Any]:
    runs = {run.name: run for run in compared.runs}
    reference, challenger = runs[pair.reference], runs[pair.challenger]
    said = verdict(pair.difference, p_corrected, compared.level)
    views = _views(pair, reference, challenger)
    theirs, own = (fold_scores(each) for each in views)
    lines = recipe_difference(reference, challenger)
    entry = {
        **pair.to_json(),
        "verdict": said,
        "p_corrected": p_corrected,
        "by_fold": {str(fold): _less(own[fold], theirs[fold], compared.sign) for fold in own},
        "rows": nearer_rows(*views),
        "recipe_difference": lines,
        "warnings": warnings(pair, lines),
    }
    covers = None if compared.resampled is None else compared.resampled.covers
    is_complete = not reference.held.missing_folds
    return {**entry, "sentences": sentences(pair, entry, covers=covers, is_complete=is_complete)}


def _views(pair: Comparison, reference: Run, challenger: Run) -> list[list[HeldOut]]:
    """The scores that the pair's difference was taken from, of the one and of the other."""
    runs = (reference, challenger)
    if not all(run.seeds for run in runs):
        return [[run.held] for run in runs]
    if pair.how == "paired":
        return [[run.seeds[seed] for seed in pair.seeds] for run in runs]
    return [list(run.seeds.values()) for run in runs]


def _less(own: float | None, theirs: float | None, sign: int) -> float | None:
    return None if own is None or theirs is None else sign * (own - theirs)
