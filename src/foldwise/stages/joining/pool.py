"""The members' scores side by side, as a blend takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from foldwise.blending import Members, votes
from foldwise.blending.averages import comparable_members
from foldwise.blending.diversity import Diversity, Make, diversity
from foldwise.blending.goal import Goal
from foldwise.blending.ranks import Distribution
from foldwise.decide.decision import Decision
from foldwise.errors import RunError
from foldwise.parts import Spec, name_of, options_of
from foldwise.stages.joining.member import Member
from foldwise.stages.joining.members import Chosen
from foldwise.stages.joining.scorer import Scorer
from foldwise.tasks.problem import Problem

# Finer than any correlation is shown with.
_KNOTS = 2000


@dataclass(frozen=True)
class Pool:
    """What a blend is fitted to and applied to.

    Attributes:
        chosen: the members.
        scorer: of blended rows.
        oof: out-of-fold predictions of the common rows.
        test: predictions of the test rows.
    """

    chosen: Chosen
    scorer: Scorer
    oof: Members
    test: Members


def pool_of(problem: Problem, chosen: Chosen, *, takes_votes: bool) -> Pool:
    """Members' out-of-fold and test scores for a blend.

    Where labels are averaged, each member decides by itself: the steps before its answer are
    applied to its scores here, and of the blend's decision only the answer remains.

    Args:
        problem: what they answer.
        chosen: the members.
        takes_votes: the blend is one of decided answers.

    Raises:
        RunError: a blend of scores has members whose scores are behind a step that the blend's
            decision would take again.
    """
    held = chosen.members[0].held
    decision = problem.default_decision()
    families = tuple(_family(member) for member in chosen.members)
    if not takes_votes:
        _refuse_decided(chosen.members, decision)
    make = _decided if takes_votes else _plain
    oof = make(chosen.members, [member.held.scores for member in chosen.members])
    test = make(chosen.members, [member.test for member in chosen.members])
    stand_ins: dict[int, dict[int, Members]] = {}
    for place, member in enumerate(chosen.members):
        for fold, scores in member.without.items():
            stand_ins.setdefault(fold, {})[place] = make([member], [scores])
    if takes_votes:
        decision = Decision(decision.steps[-1:])
    oof = replace(oof, families=families, stand_ins=stand_ins)
    return Pool(chosen, Scorer(held, decision), oof, replace(test, families=families))


def takes_any_scale(problem: Problem, method: Spec) -> bool:
    """Whether a blend reads no more of members' scores than an order, which logits have too.

    That is ranks that stay ranks, and averaged answers that are the highest score of a row.
    """
    if name_of(method) == "rank_mean":
        return options_of(method).get("onto") == "ranks"
    steps = [step.name for step in problem.default_decision().steps]
    return name_of(method) == "label_average" and steps == ["argmax"]


def diversity_of(pool: Pool, goal: Goal) -> Diversity:
    """How alike the members' errors are.

    Where some scores are on a scale of their own, all members' ranks are compared instead.

    Raises:
        ValueError: the score is undefined on these rows.
    """
    held = pool.scorer.held
    members = pool.chosen.members
    scores = pool.oof.scores
    if not all(member.facts["on_common_scale"] for member in members):
        scores = np.stack([_ranks(part) for part in scores])
    return diversity(
        scores,
        held.target,
        [member.name for member in members],
        held.folds,
        weight=held.weight,
        makes=[_make(member) for member in members],
        comparable=comparable_members(pool.oof, goal),
    )


def _family(member: Member) -> str:
    """The formulation; a member of which none is known is a family of its own."""
    return str(member.facts["formulation"] or member.name)


def _make(member: Member) -> Make | None:
    formulation, backbone = member.facts["formulation"], member.facts["backbone"]
    return None if formulation is None or backbone is None else Make(formulation, backbone)


def _refuse_decided(members: Sequence[Member], decision: Decision) -> None:
    steps = ", ".join(step.name for step in decision.steps[:-1])
    problems = [
        f"{member.name}: {steps} is in its votes already, and the blend would apply it again"
        for member in members
        if member.held.decision != decision
    ]
    if problems:
        raise RunError(
            *problems,
            remedy="blend by votes (label_average, voting, group_voting), or blend the members "
            "of that blend instead of it",
        )


def _plain(members: Sequence[Member], scores: Sequence[np.ndarray]) -> Members:
    return Members(np.stack(scores))


def _decided(members: Sequence[Member], scores: Sequence[np.ndarray]) -> Members:
    """Scores and votes by each member's own decision."""
    pairs = [(member.held.decision, part) for member, part in zip(members, scores, strict=True)]
    return Members(
        np.stack([decision.scores(part) for decision, part in pairs]),
        np.stack([votes(decision.answers(part), part.shape[1]) for decision, part in pairs]),
    )


def _ranks(scores: np.ndarray) -> np.ndarray:
    columns = [Distribution.of(column, max_knots=_KNOTS).rank(column) for column in scores.T]
    return np.stack(columns, axis=1)
