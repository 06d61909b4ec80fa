"""Blends runs into a run: members aligned by id, weighed, and the gain told honestly."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from rich.table import Table

from foldwise import device as machine
from foldwise import parts
from foldwise import predictions as predictions_file
from foldwise.blending import BLENDS, Blend, Goal, Members, votes
from foldwise.blending.crossfit import cross_fitted
from foldwise.blending.gain import GainReport, gain_report
from foldwise.blending.methods import Fit
from foldwise.config.writing import fingerprint
from foldwise.decide.decision import Decision
from foldwise.errors import RunError
from foldwise.predictions import Predictions
from foldwise.publish import locked, publish_json
from foldwise.rundir import Home, RunDir, read_json
from foldwise.stages.commit import commit_of
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.joining.members import Chosen, choose_members
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import gain_over
from foldwise.stages.training.unit import code_hash, data_hash
from foldwise.tasks.problem import Problem, open_problem

#: Raised whenever the same members would give another blend than before.
_VERSION = 3


def blend(
    home: Home,
    name: str,
    *,
    method: parts.Spec = "mean",
    members: Sequence[str] | Literal["all"] = "all",
    problem: Problem | None = None,
    display: Display | None = None,
) -> dict[str, Any]:
    """Make the run `name` of other runs; it is evaluated, blended and submitted like any run.

    Its out-of-fold scores are cross-fitted: each fold is blended by what was fitted to the other
    folds. Its test scores come from the blend fitted to all rows.

    Args:
        home: the competition.
        name: of the blend, a folder in `runs/`.
        method: a way to blend, with its options.
        members: runs, `run/reference`, blends, or score files as `oof.csv,test.csv`; `all`: the
            plan's recipes.
        problem: if it is already open.
        display: where the table is shown.

    Returns:
        The blend's record: method, members with weights, gain, and how it was made.

    Raises:
        ConfigError: unknown method or option.
        RunError: members cannot be blended (all reasons at once), or the name is another run's.
    """
    show = display or Display()
    problem = problem or open_problem(home)
    fit: Fit = parts.bind(BLENDS, method, what="blend method", code=home.code)
    run = home.new_run(name)
    stored = read_json(run.record)
    if stored is not None and stored["kind"] != "blend":
        raise RunError(
            f"{run.path} is a run of a {stored['kind']}", remedy="give the blend another name"
        )
    chosen = choose_members(problem, members, blend=name)
    for reason in chosen.left_out.values():
        show.warn(f"{name}: left out: {reason}")
    inputs = _inputs(problem, method, chosen)
    is_fresh = stored is not None and stored["inputs"] == inputs
    if not (is_fresh and run.oof.exists() and run.test.exists() and run.blend.exists()):
        made = _make(problem, fit, chosen, name)
        with locked(run.lock, doing="blending", wait_s=600):
            stored = _write(problem, run, method, chosen, made, inputs, stored)
    assert stored is not None
    scores = evaluate(home, name, problem=problem, display=show)
    _tell(show, stored, scores)
    return dict(stored)


@dataclass(frozen=True)
class _Made:
    """A blend and its scores; `oof` is cross-fitted."""

    blend: Blend
    oof: Predictions
    test: Predictions
    gain: GainReport


def _make(problem: Problem, fit: Fit, chosen: Chosen, name: str) -> _Made:
    first = chosen.members[0].held
    folds = first.folds
    names = [member.name for member in chosen.members]
    try:
        scorer, oof, test = _prepared(problem, fit, chosen)
        goal = Goal(first.target, scorer)
        fitted = fit(oof, goal)
        gain = gain_report(oof, names, folds, fit=fit, goal=goal, paired=scorer.paired_interval)
        scores = fitted.apply(oof)
        if len(np.unique(folds)) > 1:
            scores, _ = cross_fitted(oof, folds, fit, goal)
    except ValueError as error:
        raise RunError(
            f"{name}: the metric is undefined on part of the rows: {error}",
            remedy="train more folds, or blend with method mean once every class is there",
        ) from None
    return _Made(
        fitted,
        Predictions(problem.train.ids[first.rows], scores, problem.columns, folds=folds),
        Predictions(problem.test.ids, fitted.apply(test), problem.columns),
        gain,
    )


@dataclass(frozen=True)
class _Scorer:
    """Scores blended rows by the competition's metric, higher always being better."""

    held: HeldOut
    decision: Decision

    def __call__(self, scores: np.ndarray, rows: np.ndarray | None) -> float:
        at = slice(None) if rows is None else rows
        part = replace(self._with(scores), rows=self.held.rows[at])
        metric = self.held.problem.metric
        value = part.score(metric)
        return value if metric.higher_is_better else -value

    def paired_interval(
        self, scores_a: np.ndarray, scores_b: np.ndarray
    ) -> tuple[float, float, str] | None:
        """The interval of how much better b is, both of all rows."""
        gain = gain_over(self._with(scores_a), self._with(scores_b))
        if gain is None or gain.low is None or gain.high is None or gain.covers is None:
            return None
        return gain.low, gain.high, gain.covers

    def _with(self, scores: np.ndarray) -> HeldOut:
        return replace(self.held, scores=scores, decision=self.decision)


def _prepared(problem: Problem, fit: Fit, chosen: Chosen) -> tuple[_Scorer, Members, Members]:
    """What scores blended rows, and the members' out-of-fold and test scores for the blend.

    Where labels are averaged, each member decides by itself: the steps before its answer are
    applied to its scores here, and of the blend's decision only the answer remains.
    """
    decision = problem.default_decision()
    own = [member.held.decision for member in chosen.members]
    oof = _members([member.held.scores for member in chosen.members], own)
    test = _members([member.test for member in chosen.members], own)
    scorer = _Scorer(chosen.members[0].held, decision)
    takes = fit(oof, Goal(scorer.held.target, scorer)).takes
    if takes == "scores":
        return scorer, oof, test
    shifted = [
        Members(np.stack([d.scores(s) for d, s in zip(own, part.scores, strict=True)]), part.votes)
        for part in (oof, test)
    ]
    return _Scorer(scorer.held, Decision(decision.steps[-1:])), shifted[0], shifted[1]


def _members(scores: Sequence[np.ndarray], decisions: Sequence[Decision]) -> Members:
    answers = [
        votes(decision.answers(part), part.shape[1])
        for decision, part in zip(decisions, scores, strict=True)
    ]
    return Members(np.stack(scores), np.stack(answers))


def _inputs(problem: Problem, method: parts.Spec, chosen: Chosen) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "method": fingerprint(method),
        "members": [member.facts for member in chosen.members],
        "left_out": sorted(chosen.left_out),
        "competition": fingerprint(problem.competition),
        "folds": problem.folds_hash,
        "data": data_hash(problem),
        "code": code_hash(problem),
    }


def _write(
    problem: Problem,
    run: RunDir,
    method: parts.Spec,
    chosen: Chosen,
    made: _Made,
    inputs: dict[str, Any],
    stored: Mapping[str, Any] | None,
) -> dict[str, Any]:
    sign = 1 if problem.metric.higher_is_better else -1
    gain = made.gain
    record = {
        "kind": "blend",
        "method": method if isinstance(method, str) else dict(method),
        "members": [
            {
                **member.facts,
                "weight": gain.weights[member.name],
                "score": sign * gain.solo_scores[member.name],
                "loss_without": gain.loss_without.get(member.name),
            }
            for member in chosen.members
        ],
        "left_out": chosen.left_out,
        "naive_score": sign * gain.blend_score,
        "gain": gain.to_json(),
        "blend": {"method": made.blend.method, "takes": made.blend.takes},
        "inputs": inputs,
        "competition": inputs["competition"],
        "folds": inputs["folds"],
        "data": inputs["data"],
        "code": inputs["code"],
        "machine": machine.describe(),
        "commit": commit_of(problem.home.path),
        "created": (stored or {}).get("created") or time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    predictions_file.write(run.oof, made.oof)
    predictions_file.write(run.test, made.test)
    publish_json(run.blend, made.blend.to_json())
    publish_json(run.record, record)  # Last: what is there without it is made again.
    return record


def _tell(show: Display, record: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    if show.quiet:
        return
    metric = scores["metric"]["label"]
    table = Table(title=f"{scores['run']}: {parts.name_of(record['method'])}", title_justify="left")
    for column in ("member", "weight", f"{metric} alone", "lost without it"):
        table.add_column(column, justify="left" if column == "member" else "right")
    for member in record["members"]:
        lost = member["loss_without"]
        table.add_row(
            member["name"],
            f"{member['weight']:.3f}",
            f"{member['score']:.4f}",
            "" if lost is None else f"{lost:+.4f}",
        )
    show.console.print(table)
    show.say(gain_line(record["gain"]))
    for member in record["members"]:
        for note in member["notes"]:
            show.warn(f"{member['name']}: {note}")


def gain_line(gain: Mapping[str, Any]) -> str:
    """What a blend is worth over its best member, in one line; positive is better."""
    naive = f"over the best member ({gain['best_member']}): {gain['naive_gain']:+.4f} naive"
    if gain["cross_fitted_gain"] is None:
        return f"{naive}; one fold is too few to cross-fit: {gain['verdict']}"
    ends = (
        "no interval"
        if gain["low"] is None
        else f"{gain['low']:+.4f} to {gain['high']:+.4f}, {gain['covers']}"
    )
    return f"{naive}, {gain['cross_fitted_gain']:+.4f} cross-fitted ({ends}): {gain['verdict']}"
