"""Blends runs into a run: members aligned by id, weighed, and the gain told honestly."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import locked, publish_json
from foldwise.rundir import RunDir
from foldwise.stages.commit import commit_of
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.joining.gate import Gate, read_gate
from foldwise.stages.joining.map_blend import blend_maps
from foldwise.stages.joining.members import Chosen, choose_members, question_of
from foldwise.stages.joining.pool import Pool, diversity_of, pool_of, takes_any_scale
from foldwise.stages.joining.telling import tell
from foldwise.stages.training.prints import code_hash, data_hash
from foldwise.tasks.presence import PRESENCE
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
    gate: str | None = None,
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
        gate: of masks: a run of target presence. What it says of an image stands beside the blend's
            maps, and the decision may leave a class out where it says too little.
        problem: if it is already open.
        display: where the table is shown.

    Returns:
        The blend's record. `method`; `gate`, its facts, where there is one; `members`, each with
        its facts, `weight`, own `score` and `worth` (see `Contribution`; None for a single one);
        `gain` (see `GainReport`; there higher is better whatever the metric); `naive_score`;
        `diversity` (see `Diversity`); `notes` on how it was fitted; `left_out`; and how it was
        made.

    Raises:
        ConfigError: unknown method or option, a method that cannot blend such scores, too few
            resamples, or a gate where there is nothing to gate.
        RunError: members cannot be blended (all reasons at once), the gate says something else
            than which classes are in an image, or the name is another run's.
    """
    show = display or Display()
    problem = question_of(problem or open_problem(home), members)
    opened = None if gate is None else read_gate(problem, gate, blend=name)
    fit: Fit = parts.bind(BLENDS, method, what="blend method", code=home.code)
    run = home.new_run(name)
    stored = read_json(run.record)
    if stored is not None and stored["kind"] != "blend":
        raise RunError(
            f"{run.path} is no blend but of kind {stored['kind']}",
            remedy="give the blend another name",
        )
    check_resamples(refit)
    is_map = problem.task.kind == "map"
    if is_map and refit:
        raise ConfigError(
            f"{name}: --refit {refit}: nothing is fitted in a mean of maps", remedy="leave it out"
        )
    any_scale = takes_any_scale(problem, method)
    chosen = choose_members(problem, members, blend=name, any_scale=any_scale)
    for reason in chosen.left_out.values():
        show.warn(f"{name}: left out: {reason}")
    inputs = _inputs(problem, method, chosen, refit, opened)
    if stored is None or not _is_fresh(run, stored, inputs):
        try:
            made = (
                _make_maps(problem, method, chosen, opened)
                if is_map
                else _make(problem, method, fit, chosen, refit, show)
            )
        except ValueError as error:
            raise RunError(
                f"{name}: the metric is undefined on part of the rows: {error}",
                remedy="train more folds, or blend with method mean once every class is there",
            ) from None
        with locked(run.lock, doing="blending", wait_s=600):
            stored = _write(problem, run, method, made, inputs, stored, opened)
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
    """A blend, what it is worth and what it gives.

    Attributes:
        chosen: the members.
        oof: cross-fitted scores of the common rows.
        test: scores of the test rows by the blend that is fitted to all of these.
        apart: fold → the other rows' scores by what has not seen it; none where all are alike.
        gain: over the best member and the plain mean.
        worth: of each member; none where that was not looked into.
        diversity: of the members' errors; None as there.
        blend: the fitted blend, as JSON.
        method: its name.
        takes: what it is of: scores, votes or maps.
        notes: on how it was fitted.
    """

    chosen: Chosen
    oof: Predictions
    test: Predictions
    apart: dict[int, Predictions]
    gain: GainReport
    worth: list[Contribution]
    diversity: Diversity | None
    blend: dict[str, Any]
    method: str
    takes: str
    notes: tuple[str, ...]


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
    apart = _apart(problem, pool, fitted)
    test = fitted.blend.apply(pool.test)
    own = {str(fold): fitted.without[fold].to_json() for fold in apart}
    return _Made(
        chosen,
        Predictions(problem.train.ids[held.rows], fitted.crossed, problem.columns, folds=folds),
        Predictions(problem.test.ids, test, problem.columns),
        apart,
        gain,
        worth,
        diversity_of(pool, goal),
        {**fitted.blend.to_json(), "without": own},
        fitted.blend.method,
        fitted.blend.takes,
        tuple(fitted.blend.notes),
    )


def _apart(problem: Problem, pool: Pool, fitted: Fitted) -> dict[int, Predictions]:
    """Fold → the other rows' scores by what has not seen it, where blends or members differ.

    A decision for a fold must not be fitted to scores that the fold's targets had a part in.
    """
    if fitted.is_alike and not pool.oof.stand_ins:
        return {}
    held, found = pool.scorer.held, {}
    for fold in sorted(fitted.without):
        rows = np.flatnonzero(held.folds != fold)
        scores = fitted.without[fold].apply(pool.oof.unseen(fold, rows))
        ids = problem.train.ids[held.rows][rows]
        found[fold] = Predictions(ids, scores, problem.columns, folds=held.folds[rows])
    return found


def _make_maps(problem: Problem, method: parts.Spec, chosen: Chosen, gate: Gate | None) -> _Made:
    """The mean of maps and what the gate says; what a member adds to it is not looked into."""
    found, columns = blend_maps(method, chosen.members), problem.columns
    ids, folds = problem.train.ids[found.held.rows], found.held.folds
    oof, test = found.oof, found.test
    if gate is not None:
        oof = replace(oof, gates=gate.of(found.held.rows))
        test = replace(test, gates=gate.test)
    return _Made(
        chosen,
        Predictions(ids, oof, columns, folds=folds, kind="map"),
        Predictions(problem.test.ids, test, columns, kind="map"),
        {},
        found.gain,
        [],
        None,
        {**found.blend.to_json(), "without": {}},
        parts.name_of(method),
        "maps",
        (),
    )


def _inputs(
    problem: Problem, method: parts.Spec, chosen: Chosen, refit: int, gate: Gate | None
) -> dict[str, Any]:
    return {
        **({} if gate is None else {"gate": gate.facts}),
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
    gate: Gate | None,
) -> dict[str, Any]:
    sign = 1 if problem.metric.higher_is_better else -1
    gain, chosen = made.gain, made.chosen
    worth = [part.to_json() for part in made.worth] or [{}] * len(chosen.members)
    record = {
        "kind": "blend",
        **({} if problem.is_handed_in else {"target": PRESENCE}),
        **({} if gate is None else {"gate": gate.facts}),
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
        "diversity": None if made.diversity is None else made.diversity.to_json(),
        "notes": list(made.notes),
        "blend": {"method": made.method, "takes": made.takes},
        "without": sorted(made.apart),
        "inputs": inputs,
        "competition": inputs["competition"],
        "folds": inputs["folds"],
        "data": inputs["data"],
        "code": inputs["code"],
        "machine": machine.describe(),
        "commit": commit_of(problem.home.path),
        "created": (stored or {}).get("created") or time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    for path in run.every_without:
        path.unlink()
    for fold, part in made.apart.items():
        predictions_file.write(run.without(fold), part)
    predictions_file.write(run.oof, made.oof)
    predictions_file.write(run.test, made.test)
    publish_json(run.blend, made.blend)
    publish_json(run.record, record)  # Last: what is there without it is made again.
    return record
