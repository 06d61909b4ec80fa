"""The field: every run that could be picked, scored on common rows, with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foldwise.choosing.candidates import Candidates
from foldwise.errors import FoldwiseError, RunError
from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.picking.families import MakeUp, make_up
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.submitting.ledger import read_ledger
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Entrant:
    """A run that may be picked.

    Attributes:
        held: its out-of-fold scores, decided.
        scores: its `scores.json`.
        parts: what it is made of.
        is_submitted: the ledger has a submission of it.
        public: its public score; None if unknown.
    """

    held: HeldOut
    scores: Mapping[str, Any]
    parts: MakeUp
    is_submitted: bool
    public: float | None

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.scores["run"])

    @property
    def got(self) -> str:
        """How its score was got: `cross-fitted`, `naive` or `optimistic`."""
        return str(self.scores["how"]["got"])


@dataclass(frozen=True)
class Field:
    """The runs that may be picked, on their common rows.

    Attributes:
        entrants: at least one, one of them cross-fitted.
        left_out: name → why a run or a public score is not used.
    """

    entrants: tuple[Entrant, ...]
    left_out: dict[str, str]


def read_field(problem: Problem, public: Mapping[str, float], display: Display) -> Field:
    """All evaluated runs and blends, and whatever has been submitted.

    A reference inside a run counts only if it was submitted. Runs that lack a fold which others
    have are left out: scores on other rows do not compare.

    Args:
        problem: the competition's.
        public: run → public score.
        display: where the evaluation of runs without a fresh score is shown.

    Raises:
        RunError: no run has a cross-fitted score.
    """
    home = problem.home
    submitted = {str(entry.facts["run"]) for entry in read_ledger(home)}
    found: list[Entrant] = []
    left_out: dict[str, str] = {}
    for name in sorted(submitted.union(_with_scores(home))):
        try:
            run = home.run(name)
            problem.check_handed_in(name, run.read_record())
            scores = evaluate(home, name, problem=problem, display=display.silent())
            held, parts = read_decided(problem, run), make_up(home, problem.task, run)
        except FoldwiseError as error:
            left_out[name] = f"{name}: {error.problems[0]}"
            continue
        if scores["score"] is None:
            left_out[name] = f"{name}: its score is undefined: {scores['undefined']}"
            continue
        found.append(Entrant(held, scores, parts, name in submitted, public.get(name)))
    entrants = _on_common_folds(found, left_out)
    for name in public:
        if name not in {entrant.name for entrant in found} and name not in left_out:
            left_out[name] = f"{name}: has a public score, but there is no such run"
    if not any(entrant.got == "cross-fitted" for entrant in entrants):
        raise RunError(
            f"{home.runs}: no run has a cross-fitted score to pick by",
            *(f"{entrant.name}: {entrant.scores['how']['sentence']}" for entrant in entrants),
            *left_out.values(),
            remedy="train one with train.stop: fixed, inner or cross, on two folds or more",
        )
    return Field(tuple(entrants), left_out)


def as_candidates(problem: Problem, entrants: Sequence[Entrant]) -> Candidates:
    """What the choice is computed from; scores are weighed for the test mix."""
    first = entrants[0].held
    metric = problem.metric
    rescored = [
        metric.prepared(entrant.held.preds(metric), entrant.held.target) for entrant in entrants
    ]
    weight = np.ones(len(first)) if first.weight is None else first.weight
    units = np.arange(len(first))
    if first.groups is not None:
        units = np.unique(first.groups, return_inverse=True)[1]
    return Candidates(
        names=tuple(entrant.name for entrant in entrants),
        rescored=lambda times: np.array([rescore(times * weight) for rescore in rescored]),
        units=units,
        families=_loadings([entrant.parts.families for entrant in entrants]),
        sources=_loadings([entrant.parts.sources for entrant in entrants]),
        public=np.array([np.nan if e.public is None else e.public for e in entrants]),
        is_honest=np.array([entrant.got == "cross-fitted" for entrant in entrants]),
        is_reproducible=np.array([entrant.parts.is_reproducible for entrant in entrants]),
        higher_is_better=metric.higher_is_better,
        num_folds=len(np.unique(first.folds)),
        lowest=metric.lowest,
        highest=metric.highest,
    )


def _with_scores(home: Home) -> list[str]:
    """Runs with merged scores; references are there to be beaten."""
    runs = [home.run(name) for name in home.run_names()]
    return [
        run.name
        for run in runs
        if run.oof.exists() and run.test.exists() and run.read_record()["kind"] != "reference"
    ]


def _on_common_folds(found: Sequence[Entrant], left_out: dict[str, str]) -> list[Entrant]:
    """Those with all folds that anybody has, on the rows of these folds."""
    every = {fold for entrant in found for fold in entrant.held.present_folds}
    kept = []
    for entrant in found:
        lacking = sorted(every - set(entrant.held.present_folds))
        if lacking or not every:
            folds = ", ".join(map(str, lacking))
            which = f"lacks fold{'s' * (len(lacking) > 1)} {folds}" if lacking else "has no fold"
            left_out[entrant.name] = f"{entrant.name}: {which}, so its score does not compare"
            continue
        inside = np.isin(entrant.held.folds, sorted(every))
        kept.append(replace(entrant, held=entrant.held.among(inside)))
    return kept


def _loadings(shares: Sequence[Mapping[str, float]]) -> np.ndarray:
    """(M, K) a column for each key, in order of names."""
    keys = sorted({key for part in shares for key in part})
    return np.array([[part.get(key, 0.0) for key in keys] for part in shares])
