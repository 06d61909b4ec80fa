"""Blends runs into a run: members aligned by id, weighed, and the gain told honestly."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from foldwise import device as machine
from foldwise import parts
from foldwise import predictions as predictions_file
from foldwise.blending import BLENDS
from foldwise.blending.contributions import Contribution, contributions
from foldwise.blending.crossfit import Fitted, fit_all
from foldwise.blending.diversity import Diversity
from foldwise.blending.gain import GainReport, gain_report
from foldwise.blending.methods import Fit, takes_votes
from foldwise.blending.refit import check_resamples, refit_intervals
from foldwise.config.writing import fingerprint
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import locked, publish_json
from foldwise.rundir import RunDir
from foldwise.stages.commit import commit_of
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.joining.members import Chosen, choose_members
from foldwise.stages.joining.pool import Pool, diversity_of, pool_of, takes_any_scale
from foldwise.stages.joining.telling import tell
from foldwise.stages.training.prints import code_hash, data_hash
from foldwise.tasks.problem import Problem, open_problem

#: Raised whenever the same members would give another blend than before.
_VERSION = 6


def blend(
    home: Home,
    name: str,
    *,
    method: parts.Spec = "mean",
    members: Sequence[str] | Literal["all"] = "all",
    refit: int = 0,
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
        refit: resamples of rows or groups on which the blend is fitted again, so that intervals
            cover the fitting too; 0: they are of the cross-fitted scores as they are.
        problem: if it is already open.
        display: where the table is shown.

    Returns:
        The blend's record. `method`; `members`, each with its facts, `weight`, own `score` and
        `worth` (see `Contribution`; None for a single one); `gain` (see `GainReport`; there
        higher is better whatever the metric); `naive_score`; `diversity` (see `Diversity`);
        `notes` on how it was fitted; `left_out`; and how it was made.

    Raises:
        ConfigError: unknown method or option, a method that cannot blend such scores, or too few
            resamples.
        RunError: members cannot be blended (all reasons at once), or the name is another run's.
    """
    show = display or Display()
    problem = problem or open_problem(home)
    fit: Fit = parts.bind(BLENDS, method, what="blend method", code=home.code)
    run = home.new_run(name)
    stored = read_json(run.record)
    if stored is not None and stored["kind"] != "blend":
        raise RunError(
            f"{run.path} is no blend but of kind {stored['kind']}",
            remedy="give the blend another name",
        )
    check_resamples(refit)
    any_scale = takes_any_scale(problem, method)
    chosen = choose_members(problem, members, blend=name, any_scale=any_scale)
    for reason in chosen.left_out.values():
        show.warn(f"{name}: left out: {reason}")
    inputs = _inputs(problem, method, chosen, refit)
    if stored is None or not _is_fresh(run, stored, inputs):
        try:
            made = _make(problem, method, fit, chosen, refit, show)
        except ValueError as error:
            raise RunError(
                f"{name}: the metric is undefined on part of the rows: {error}",
                remedy="train more folds, or blend with method mean once every class is there",
            ) from None
        with locked(run.lock, doing="blending", wait_s=600):
            stored = _write(problem, run, method, made, inputs, stored)
    scores = evaluate(home, name, problem=problem, display=show)
    tell(show, stored, scores)
    return dict(stored)


def _is_fresh(run: RunDir, stored: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Whether all the blend's files are there and were made from these inputs."""
    if stored["inputs"] != inputs:
        return False
    without = [run.without(fold) for fold in stored["without"]]
    return all(path.exists() for path in (run.oof, run.test, run.blend, *without))


@dataclass(frozen=True)
class _Made:
    """A blend, what it is worth and what it gives."""

    pool: Pool
    fitted: Fitted
    gain: GainReport
    worth: list[Contribution]
    diversity: Diversity


def _make(
    problem: Problem, method: parts.Spec, fit: Fit, chosen: Chosen, refit: int, show: Display
) -> _Made:
    pool = pool_of(problem, chosen, takes_votes=takes_votes(method))
    held, members, goal = pool.scorer.held, pool.oof, pool.scorer.goal()
    folds, paired = held.folds, pool.scorer.paired
    num_folds = len(np.unique(folds))
    with show.counting("fitted without each fold", 1 + num_folds * (num_folds > 1)) as done:
        fitted = fit_all(members, folds, fit, goal, done=done)
    ends = None
    if refit:
        with show.counting("resampled and fitted again", refit) as done:
            ends = refit_intervals(
                members, folds, fit, goal, groups=held.groups, num=refit, done=done
            )
    gain = gain_report(
        members,
        [member.name for member in chosen.members],
        folds,
        fitted=fitted,
        goal=goal,
        paired=paired,
        refitted=ends,
    )
    worth = contributions(
        members,
        folds,
        fitted=fitted,
        fit=fit,
        goal=goal,
        paired=paired,
        counting=show.counting,
    )
    return _Made(pool, fitted, gain, worth, diversity_of(pool, goal))


def _inputs(problem: Problem, method: parts.Spec, chosen: Chosen, refit: int) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "method": fingerprint(method),
        "refit": refit,
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
    made: _Made,
    inputs: dict[str, Any],
    stored: Mapping[str, Any] | None,
) -> dict[str, Any]:
    sign = 1 if problem.metric.higher_is_better else -1
    gain, chosen, blend = made.gain, made.pool.chosen, made.fitted.blend
    worth = [part.to_json() for part in made.worth] or [{}] * len(chosen.members)
    record = {
        "kind": "blend",
        "method": method if isinstance(method, str) else dict(method),
        "members": [
            {
                **member.facts,
                "weight": gain.weights[member.name],
                "score": sign * gain.solo_scores[member.name],
                "worth": part or None,
            }
            for member, part in zip(chosen.members, worth, strict=True)
        ],
        "left_out": chosen.left_out,
        "naive_score": sign * gain.blend_score,
        "gain": gain.to_json(),
        "refit": inputs["refit"],
        "diversity": made.diversity.to_json(),
        "notes": list(blend.notes),
        "blend": {"method": blend.method, "takes": blend.takes},
        "without": _folds_apart(made),
        "inputs": inputs,
        "competition": inputs["competition"],
        "folds": inputs["folds"],
        "data": inputs["data"],
        "code": inputs["code"],
        "machine": machine.describe(),
        "commit": commit_of(problem.home.path),
        "created": (stored or {}).get("created") or time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    _write_scores(problem, run, made, record["without"])
    apart = {str(fold): made.fitted.without[fold].to_json() for fold in record["without"]}
    publish_json(run.blend, {**blend.to_json(), "without": apart})
    publish_json(run.record, record)  # Last: what is there without it is made again.
    return record


def _folds_apart(made: _Made) -> list[int]:
    """Folds that have something of their own: a blend fitted without them, or such a member."""
    is_alike = made.fitted.is_alike and not made.pool.oof.stand_ins
    return [] if is_alike else sorted(made.fitted.without)


def _write_scores(problem: Problem, run: RunDir, made: _Made, without: Sequence[int]) -> None:
    """Write cross-fitted out-of-fold scores, test scores, and what decisions are fitted to.

    A decision for a fold must not be fitted to scores that the fold's targets had a part in. So
    where blends differ there are, for each fold, the other rows' scores by the blend that has
    not seen it.
    """
    held, fitted = made.pool.scorer.held, made.fitted
    ids, folds, columns = problem.train.ids[held.rows], held.folds, problem.columns
    for path in run.every_without:
        path.unlink()
    for fold in without:
        rows = np.flatnonzero(folds != fold)
        scores = fitted.without[fold].apply(made.pool.oof.unseen(fold, rows))
        part = Predictions(ids[rows], scores, columns, folds=folds[rows])
        predictions_file.write(run.without(fold), part)
    predictions_file.write(run.oof, Predictions(ids, fitted.crossed, columns, folds=folds))
    test = fitted.blend.apply(made.pool.test)
    predictions_file.write(run.test, Predictions(problem.test.ids, test, columns))
