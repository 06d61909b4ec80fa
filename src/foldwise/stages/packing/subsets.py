"""Blends of some of a run's members: fitted and scored as the run itself was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from foldwise import parts
from foldwise.blending import BLENDS
from foldwise.blending.blend import Blend
from foldwise.blending.crossfit import Fitted, fit_all
from foldwise.blending.map_means import MapMean, blend_from_json
from foldwise.blending.methods import Fit, takes_votes
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.metrics import Metric
from foldwise.parts import Spec
from foldwise.rundir import RunDir
from foldwise.stages.answering.node import Node
from foldwise.stages.joining.gate import Gate, read_gate
from foldwise.stages.joining.map_blend import mean_of_maps
from foldwise.stages.joining.member import Member
from foldwise.stages.joining.members import Chosen, choose_members
from foldwise.stages.joining.pool import Pool, pool_of, takes_any_scale
from foldwise.stages.packing.averaging import Averaging, averaging
from foldwise.stages.scoring.choice import Without
from foldwise.stages.scoring.deciding import decide, read_decided
from foldwise.stages.scoring.held_out import HeldOut, decision_of, run_label
from foldwise.stages.training.records import formulation_and_network
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Subset:
    """Some of a run's members, blended.

    Attributes:
        names: of the members, in the run's order.
        node: what their test scores are made of.
        held: out-of-fold scores, cross-fitted, with the decisions.
    """

    names: tuple[str, ...]
    node: Node
    held: HeldOut

    @property
    def preds(self) -> Any:
        """(N, ...) what the metric takes, no row by what has seen it."""
        return self.held.preds(self._metric)

    @property
    def score(self) -> float | None:
        """By the competition's metric under the test mix; None: it is undefined."""
        try:
            return self.held.score(self._metric)
        except ValueError:
            return None

    @cached_property
    def averaging(self) -> Averaging | None:
        """What the mean over its models brings; None: it has too few seeds to tell."""
        return averaging(self.node, self.held)

    @property
    def _metric(self) -> Metric:
        return self.held.problem.metric


@dataclass
class Subsets:
    """All that can be handed in of a run: each subset of its members is fitted once.

    Args:
        problem: the competition's.
        run: a run of a recipe, a reference, or a blend of such runs and of blends.
        others: member → other out-of-fold scores that it shall be taken with, such as those by
            one view.

    Raises:
        RunError: something of it cannot be run elsewhere.
    """

    problem: Problem
    run: RunDir
    others: Mapping[str, HeldOut] = field(default_factory=dict)
    _made: dict[tuple[str, ...], Subset] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._record = self.run.read_record()
        self.names: tuple[str, ...] = (
            tuple(member["name"] for member in self._record["members"])
            if self._record["kind"] == "blend"
            else (run_label(self.problem.home, self.run),)
        )
        self._nodes = {name: node_of(self.problem, name) for name in self.names}
        gate = self._record.get("gate")
        self._gate = (
            None if gate is None else read_gate(self.problem, gate["name"], blend=self.run.name)
        )

    @property
    def whole(self) -> Subset:
        """All members: the run as it is."""
        return self.of(self.names)

    def of(self, names: Sequence[str]) -> Subset:
        """Some members; one alone is the run that it is, or that run with the gate."""
        wanted = tuple(name for name in self.names if name in set(names))
        if wanted not in self._made:
            found = self._subset(wanted)
            if wanted != self.names:  # One alone may have rows of more folds.
                common = np.isin(found.held.rows, self.whole.held.rows)
                found = replace(found, held=found.held.among(common))
            self._made[wanted] = found
        return self._made[wanted]

    def _subset(self, names: tuple[str, ...]) -> Subset:
        is_changed = not self.others.keys().isdisjoint(names)
        is_alone = len(names) == 1 and self._gate is None
        if is_changed and is_alone:
            return Subset(names, self._nodes[names[0]], _decided_anew(self.others[names[0]]))
        if not is_changed and (names == self.names or is_alone):
            label = run_label(self.problem.home, self.run) if names == self.names else names[0]
            held = read_decided(self.problem, self.problem.home.run(label))
            return Subset(names, node_of(self.problem, label), held)
        method = self._record["method"]
        fit: Fit = parts.bind(BLENDS, method, what="blend method", code=self.problem.home.code)
        any_scale = takes_any_scale(self.problem, method)
        chosen = choose_members(self.problem, names, blend=self.run.name, any_scale=any_scale)
        chosen = replace(chosen, members=tuple(map(self._changed, chosen.members)))
        blend, held = (
            _mean_of_maps(method, chosen, self._gate)
            if self._record["blend"]["takes"] == "maps"
            else _fitted(self.problem, method, fit, chosen)
        )
        node = Node(
            f"{self.run.name} of {', '.join(names)}",
            members=tuple(self._nodes[name] for name in names),
            blend=blend,
            gate=None if self._gate is None else node_of(self.problem, self._gate.member.name),
        )
        return Subset(names, node, held)

    def _changed(self, member: Member) -> Member:
        """The member with the scores that it shall have, on the rows that it has."""
        other = self.others.get(member.name)
        if other is None:
            return member
        held = other.among(np.isin(other.rows, member.held.rows))
        return replace(member, held=replace(member.held, scores=held.scores))


def node_of(problem: Problem, name: str) -> Node:
    """What a run's test scores are made of.

    Raises:
        RunError: score files from outside, which a pack cannot make.
    """
    home = problem.home
    run = home.run(name)
    record = run.read_record()
    problem = problem.asked_in(record)
    label, decision = run_label(home, run), decision_of(problem, record)
    if record["kind"] == "blend":
        stored = read_json(run.blend)
        members = tuple(node_of(problem, member["name"]) for member in record["members"])
        gate = node_of(problem, record["gate"]["name"]) if "gate" in record else None
        blend = blend_from_json(stored)
        return Node(label, members=members, blend=blend, family=label, decision=decision, gate=gate)
    if record["kind"] not in ("recipe", "reference"):
        raise RunError(
            f"{label} is of kind {record['kind']}: a pack can only run networks trained here",
            remedy="blend without it, and pack that blend",
        )
    trained = home.run(record.get("of", run.name))
    units = tuple(f"{trained.name}/{unit}" for unit in test_units(trained))
    is_recipe = record["kind"] == "recipe"
    family = formulation_and_network(problem.task, record)[0] if is_recipe else label
    return Node(label, units=units, family=family, decision=decision)


def test_units(run: RunDir) -> list[str]:
    """The units whose mean a run's test scores are, in the order of the mean.

    Raises:
        RunError: it has not been merged.
    """
    merged = read_json(run.path / "merged.json")
    if merged is None:
        raise RunError(f"{run.name}: its units are not merged", remedy="run `foldwise predict`")
    refits = [name for name in merged if not name.startswith("fold")]
    return refits or list(merged)


def _fitted(problem: Problem, method: Spec, fit: Fit, chosen: Chosen) -> tuple[Blend, HeldOut]:
    """The blend of scores or votes, and the rows by it, decided."""
    pool = pool_of(problem, chosen, takes_votes=takes_votes(method))
    fitted = fit_all(pool.oof, pool.scorer.held.folds, fit, pool.scorer.goal())
    return fitted.blend, _decided(pool, fitted)


def _mean_of_maps(method: Spec, chosen: Chosen, gate: Gate | None) -> tuple[MapMean, HeldOut]:
    """The mean of maps, and the rows by it, decided and answered: that takes a look at each map."""
    blend, fixed = mean_of_maps(method, chosen.members)
    if gate is not None:
        fixed = fixed.with_scores(replace(fixed.scores, gates=gate.of(fixed.rows)))
    return blend, _decided_anew(fixed).with_answers()


def _decided_anew(fixed: HeldOut) -> HeldOut:
    """Scores with the fixed decision → with those that are chosen for them."""
    return _with_decisions(fixed, lambda fold: fixed.among(fixed.folds != fold))


def _decided(pool: Pool, fitted: Fitted) -> HeldOut:
    held = pool.scorer.held
    fixed = replace(held, decision=pool.scorer.decision, by_fold=None).with_scores(fitted.crossed)

    def without(fold: int) -> HeldOut:
        rows = np.flatnonzero(held.folds != fold)
        others = fixed.among(held.folds != fold)
        if fold not in fitted.without:
            return others
        scores = fitted.without[fold].apply(pool.oof.unseen(fold, rows))
        return others.with_scores(scores)

    return _with_decisions(fixed, without)


def _with_decisions(fixed: HeldOut, without: Without) -> HeldOut:
    final, by_fold = decide(fixed, without)
    folds = {fold: choice.decision for fold, choice in by_fold.items()}
    is_same = all(decision == final.decision for decision in folds.values())
    return replace(fixed, decision=final.decision, by_fold=None if is_same else folds)
