"""The members' scores side by side, as a blend takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.blending import Members, votes
from foldwise.blending.averages import comparable_members
from foldwise.blending.diversity import Diversity, Make, diversity
from foldwise.blending.goal import Goal
from foldwise.blending.ranks import Distribution
from foldwise.decide.decision import Decision
from foldwise.parts import Spec, name_of, options_of
from foldwise.stages.joining.members import Chosen, Member
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
    """
    held = chosen.members[0].held
    decision = problem.default_decision()
    families = tuple(_family(member) for member in chosen.members)
    own = [member.held.decision for member in chosen.members]
    parts = [
        [member.held.scores for member in chosen.members],
        [member.test for member in chosen.members],
    ]
    if not takes_votes:
        oof, test = (Members(np.stack(part), families=families) for part in parts)
        return Pool(chosen, Scorer(held, decision), oof, test)
    oof, test = (_decided(part, own, families) for part in parts)
    return Pool(chosen, Scorer(held, Decision(decision.steps[-1:])), oof, test)


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


def _decided(
    scores: Sequence[np.ndarray], decisions: Sequence[Decision], families: tuple[str, ...]
) -> Members:
    pairs = list(zip(decisions, scores, strict=True))
    return Members(
        np.stack([decision.scores(part) for decision, part in pairs]),
        np.stack([votes(decision.answers(part), part.shape[1]) for decision, part in pairs]),
        families,
    )


def _ranks(scores: np.ndarray) -> np.ndarray:
    columns = [Distribution.of(column, max_knots=_KNOTS).rank(column) for column in scores.T]
    return np.stack(columns, axis=1)
