"""A row counts as settled only if nothing that may still come changes its answer."""

from __future__ import annotations

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.blending.blend import Blend
from foldwise.decide.decision import Decision
from foldwise.predictions import Predictions
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.settled import settling
from foldwise.stages.answering.units import unit_dir
from foldwise.tasks.problem import Problem
from tests.stages.small_competition import make_problem

UNITS = tuple(f"a/fold{fold}-seed0" for fold in range(4))
MORE = tuple(f"b/fold{fold}-seed0" for fold in range(2))


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return make_problem(tmp_path_factory.mktemp("settled"), num_test=60)


def last(node: Node, problem: Problem) -> Round:
    return Round((), 0.0, node, problem.default_decision(), {}, None)


def drawn(problem: Problem, seed: int, *, sharp: float = 3.0) -> Predictions:
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng(7).normal(size=(len(problem.test), problem.num_classes))
    logits = sharp * centre + rng.normal(size=centre.shape)
    scores = np.exp(logits)
    return Predictions(
        problem.test.ids, scores / scores.sum(axis=1, keepdims=True), problem.columns
    )


def write(problem: Problem, unit: str, scores: Predictions) -> None:
    path = unit_dir(problem.home, unit).test
    path.parent.mkdir(parents=True, exist_ok=True)
    predictions_file.write(path, scores)


def node_of(*, blended: bool) -> Node:
    leaf = Node("a", units=UNITS)
    if not blended:
        return leaf
    return Node("ab", members=(leaf, Node("b", units=MORE)), blend=Blend("weighted", (0.7, 0.3)))


@pytest.mark.parametrize("blended", [False, True])
def test_settled_rows_keep_their_answer_whatever_the_others_say(
    problem: Problem, blended: bool
) -> None:
    node = node_of(blended=blended)
    found = settling(problem, last(node, problem))
    assert found is not None
    assert sum(found.shares.values()) == pytest.approx(1)
    order = list(found.shares)
    for place, unit in enumerate(order):
        write(problem, unit, drawn(problem, place))
    counts = []
    for num in range(1, len(order)):
        settled = found.rows(problem, order[:num])
        counts.append(0 if settled is None else len(settled.ids))
        if settled is None:
            continue
        rows = np.isin(problem.test.ids, settled.ids)
        best = settled.scores.argmax(axis=1)
        # The others may say what they like: all for one class after the other.
        so_far = sum(
            found.shares[unit] * drawn(problem, place).scores[rows]
            for place, unit in enumerate(order[:num])
        )
        left = 1 - sum(found.shares[unit] for unit in order[:num])
        for name in range(problem.num_classes):
            against = so_far + left * np.eye(problem.num_classes)[name]
            assert (against.argmax(axis=1) == best).all()
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] > 0.5 * len(problem.test)


def test_what_is_filled_in_leaves_the_answers_as_they_are(problem: Problem) -> None:
    node, order = node_of(blended=True), [*UNITS, *MORE]
    whole = {unit: drawn(problem, place) for place, unit in enumerate(order)}
    wanted = node.scores(problem, lambda unit, is_reference: whole[unit])
    found = settling(problem, last(node, problem))
    assert found is not None
    done: dict[str, Predictions] = {}
    num_filled = 0
    for unit in order:
        settled = found.rows(problem, list(done))
        scores = whole[unit].scores.copy()
        if settled is not None:
            rows = np.isin(problem.test.ids, settled.ids)
            scores[rows] = settled.align(problem.test.ids[rows], name="settled").scores
            num_filled += rows.sum()
        done[unit] = whole[unit].with_scores(scores)
        write(problem, unit, done[unit])
    given = node.scores(problem, lambda unit, is_reference: done[unit])
    assert num_filled > 0
    assert (given.argmax(axis=1) == wanted.argmax(axis=1)).all()


def test_what_is_no_mean_with_the_highest_as_answer_is_never_settled(problem: Problem) -> None:
    leaf = Node("a", units=UNITS)
    ranks = Blend.from_json(
        {**Blend("rank_mean", (0.5, 0.5)).to_json(), "scale": {"name": "votes"}}
    )
    votes = Node("ab", members=(leaf, Node("b", units=MORE)), blend=ranks)
    assert settling(problem, last(votes, problem)) is None
    reference = Node("a/reference", units=UNITS)
    assert settling(problem, last(reference, problem)) is None
    step = {"name": "threshold", "options": {"value": 0.3}, "fitted": True}
    other = Decision.from_json({**problem.default_decision().to_json(), "steps": [step]})
    assert settling(problem, Round((), 0.0, leaf, other, {}, None)) is None
