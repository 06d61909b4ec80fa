"""Subsets of a blend of maps: scored as runs of their own, and chosen between without peeking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.json_files import read_json
from foldwise.maps.maps import Maps, mean
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.units import unit_dir
from foldwise.stages.blend import blend
from foldwise.stages.evaluate import evaluate
from foldwise.stages.packing.answer_costs import answer_seconds
from foldwise.stages.packing.averaging import averaging
from foldwise.stages.packing.planning import Costs, options_of, plan, rounds_of, searched
from foldwise.stages.packing.subsets import Subsets, node_of
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem
from tests.stages.scoring.mask_competition import make_masks, write_maps_run, write_presence_run
from tests.stages.small_competition import QUIET

NAMES = ("a", "b", "c")
COSTS = Costs(5.0, dict.fromkeys(NAMES, 10.0), dict.fromkeys(NAMES, 10.0), hand_in=1.0)


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    made = make_masks(tmp_path_factory.mktemp("subsets") / "home")
    for seed, name in enumerate(NAMES):
        run = write_maps_run(made, name, noise=45.0 + 2 * seed, seed=seed)
        publish_json(run.path / "merged.json", {f"fold{fold}-seed0": {} for fold in range(3)})
        evaluate(made.home, name, problem=made, display=QUIET)
    for name, members in (("all", NAMES), ("ac", ("a", "c"))):
        blend(made.home, name, members=members, problem=made, display=QUIET)
    return made


@pytest.fixture(scope="module")
def subsets(problem: Problem) -> Subsets:
    return Subsets(problem, problem.home.run("all"))


@pytest.mark.parametrize(("names", "run"), [(NAMES, "all"), (("a", "c"), "ac"), (("b",), "b")])
def test_a_subset_is_what_a_run_of_these_members_is(
    problem: Problem, subsets: Subsets, names: Sequence[str], run: str
) -> None:
    found, own = subsets.of(names), problem.home.run(run)
    assert found.score == pytest.approx(read_json(own.scores)["score"], abs=1e-12)
    decided = read_decided(problem, own)
    assert found.held.decision == decided.decision
    assert found.held.by_fold == decided.by_fold
    assert found.node.every_unit == tuple(
        f"{name}/fold{fold}-seed0" for name in names for fold in range(3)
    )


def test_a_node_gives_the_test_maps_that_the_blend_gave(problem: Problem) -> None:
    """Its JSON does, too; each unit here says what its run does."""
    node = Node.from_json(node_of(problem, "all").to_json())

    def scores_of(unit: str, is_reference: bool) -> Predictions:
        return predictions_file.read(problem.home.run(unit.split("/")[0]).test)

    found = node.scores(problem, scores_of)
    wanted = predictions_file.read(problem.home.run("all").test).align(problem.test.ids, name="all")
    for given, own in zip(found, wanted.scores, strict=True):
        np.testing.assert_array_equal(given, own)


def test_the_choice_is_scored_without_the_fold(problem: Problem, subsets: Subsets) -> None:
    found = searched(NAMES, subsets.of, COSTS, higher_is_better=True)
    options = options_of(found, COSTS)
    planned = plan(options, limit_s=75.0, higher_is_better=True)
    assert planned is not None
    assert len(planned.chosen.subset.names) == 2  # 5 + 6 * 11 s; all would take 104 s.
    assert planned.chosen.seconds == pytest.approx(71.0)
    able = [each.subset for each in options if each.seconds <= 75 and not each.is_thinned]
    metric, total, num = problem.metric, 0.0, 0
    for fold in range(3):
        others = problem.folds != fold
        best = max(able, key=lambda subset: subset.held.among(others).score(metric))
        own = best.held.among(~others)
        total, num = total + len(own) * own.score(metric), num + len(own)
    assert planned.score == pytest.approx(total / num)


def test_rounds_say_what_answering_takes(subsets: Subsets) -> None:
    option = options_of([subsets.whole], COSTS)[0]
    rounds = rounds_of(option, COSTS, subsets.of, sign=1.0)
    assert len(rounds) == 9
    assert {each.hand_in_s for each in rounds} == {1.0}
    spent = COSTS.start + sum(each.seconds + each.hand_in_s for each in rounds)
    assert spent == pytest.approx(option.seconds)
    again = Round.from_json(rounds[2].to_json())
    assert again.to_json() == rounds[2].to_json()
    assert again.hand_in_s == 1.0


def test_answers_of_maps_take_a_while(problem: Problem, subsets: Subsets) -> None:
    held = subsets.whole.held
    few, many = answer_seconds(held, 3), answer_seconds(held, 3000)
    assert 0 < few < many


def test_seeds_tell_what_their_mean_brings(problem: Problem) -> None:
    seeds = {0: "b", 1: "c"}
    units = []
    for fold in range(3):
        for seed, name in seeds.items():
            run = predictions_file.read(problem.home.run(name).oof)
            unit = f"seeds/fold{fold}-seed{seed}"
            path = unit_dir(problem.home, unit).valid
            path.parent.mkdir(parents=True)
            part = run.take(run.folds == fold)
            predictions_file.write(path, part.with_scores(_loose(part)))
            units.append(unit)
    b, c = (read_decided(problem, problem.home.run(name)) for name in seeds.values())
    both = b.with_scores(mean([b.scores, c.scores]))
    final, metric = b.decision, problem.metric
    held = HeldOut(problem, "seeds", both.rows, both.scores, final)
    found = averaging(Node("seeds", units=tuple(units)), held)
    assert found is not None
    assert found.num_seeds == 2
    single = [HeldOut(problem, "one", x.rows, x.scores, final).score(metric) for x in (b, c)]
    assert found.gain == pytest.approx(max(0.0, held.score(metric) - np.mean(single)))
    assert found.gain > 0


@pytest.fixture(scope="module")
def gated(problem: Problem) -> Subsets:
    run = write_presence_run(problem, "g")
    publish_json(run.path / "merged.json", {f"fold{fold}-seed0": {} for fold in range(3)})
    members = ("a", "c")
    blend(problem.home, "gated", members=members, gate="g", problem=problem, display=QUIET)
    return Subsets(problem, problem.home.run("gated"))


def test_a_node_gives_the_gates_that_the_blend_has(problem: Problem, gated: Subsets) -> None:
    node = Node.from_json(gated.whole.node.to_json())

    def scores_of(unit: str, is_reference: bool) -> Predictions:
        return predictions_file.read(problem.home.run(unit.split("/")[0]).test)

    found = node.scores(problem, scores_of)
    own = predictions_file.read(problem.home.run("gated").test).align(problem.test.ids, name="own")
    np.testing.assert_allclose(found.gates, own.scores.gates, rtol=1e-12)  # Means of equals.
    np.testing.assert_array_equal(found.read(3), own.scores.read(3))


def test_members_of_a_gated_blend_are_gated_alone_too(problem: Problem, gated: Subsets) -> None:
    alone = gated.of(("c",))
    gates = predictions_file.read(problem.home.run("g").oof).align(problem.train.ids, name="g")
    np.testing.assert_array_equal(alone.held.scores.gates, gates.scores[alone.held.rows])
    assert alone.node.gate is not None
    assert [member.name for member in alone.node.members] == ["c"]


def test_a_gate_answers_before_anything_is_handed_in(gated: Subsets) -> None:
    costs = Costs(5.0, dict.fromkeys("acg", 10.0), dict.fromkeys("acg", 10.0), hand_in=1.0)
    option = options_of([gated.whole], costs)[0]
    rounds = rounds_of(option, costs, gated.of, sign=1.0)
    every = [f"g/fold{fold}-seed0" for fold in range(3)]
    assert list(rounds[0].units[:3]) == every
    assert len(rounds[0].units) == 4
    assert sorted(unit for each in rounds for unit in each.units) == sorted(
        gated.whole.node.every_unit
    )
    assert all(each.node.gate is not None for each in rounds)


def _loose(part: Predictions) -> Maps:
    """Its maps as they are read, so that the unit's file is written of its own."""
    maps = part.scores
    return Maps(maps.sizes, maps.num_classes, np.arange(len(maps)), maps.read)
