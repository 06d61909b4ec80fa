from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from foldwise.blending import BLENDS, Blend, Members
from foldwise.blending.methods import is_fixed, takes_votes
from foldwise.errors import ConfigError, DataError
from foldwise.parts import bind

from .cases import KINDS, Case, case

#: What a method cannot be used for.
REFUSED = {
    ("geometric_mean", "grades"),
    ("geometric_mean", "numbers"),
    ("logistic", "grades"),
    ("logistic", "numbers"),
    ("per_class", "grades"),
    ("per_class", "numbers"),
    ("voting", "numbers"),
    ("group_voting", "numbers"),
}
PAIRS = [(name, kind) for name in BLENDS for kind in KINDS if (name, kind) not in REFUSED]
every_method = pytest.mark.parametrize(("name", "kind"), PAIRS)


def fitted(name: str, found: Case) -> Blend:
    blend: Blend = bind(BLENDS, name, what="blend")(found.members, found.goal)
    return blend


@pytest.mark.parametrize(("name", "kind"), sorted(REFUSED))
def test_what_a_method_cannot_be_used_for_is_refused_by_name(name: str, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"blend method {name} needs .* found") as caught:
        fitted(name, case(kind, 0))
    assert caught.value.remedy


@every_method
def test_every_blend_names_itself_and_weighs_members_to_1(name: str, kind: str) -> None:
    blend = fitted(name, case(kind, 0))
    assert blend.method == name
    assert len(blend.weights) == 4
    assert sum(blend.weights) == pytest.approx(1)
    assert blend.takes == ("votes" if takes_votes(name) else "scores")


@every_method
def test_every_blend_survives_json_and_applies_to_other_rows(name: str, kind: str) -> None:
    blend, others = fitted(name, case(kind, 0)), case(kind, 1, rows=7).members
    again = Blend.from_json(json.loads(json.dumps(blend.to_json(), allow_nan=False)))
    blended = blend.apply(others)
    assert blended.shape == others.scores.shape[1:]
    assert np.isfinite(blended).all()
    np.testing.assert_array_equal(again.apply(others), blended)
    assert again.to_json() == blend.to_json()


@every_method
def test_every_blend_treats_each_row_for_itself(name: str, kind: str) -> None:
    blend, others = fitted(name, case(kind, 0)), case(kind, 1, rows=7).members
    blended = blend.apply(others)
    for row in range(7):
        alone = blend.apply(others.take(np.array([row])))
        np.testing.assert_allclose(alone, blended[[row]], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name, kind in PAIRS
        # A second-level model, and cuts that go to grades, change even a single member.
        if name not in ("ridge", "logistic") and (name, kind) != ("scaled_average", "grades")
    ],
)
def test_every_blend_of_copies_of_one_member_is_that_member(name: str, kind: str) -> None:
    found = case(kind, 0, num=1)
    scores, answers = found.members.scores, found.members.votes
    assert answers is not None
    copies = Members(np.repeat(scores, 3, axis=0), np.repeat(answers, 3, axis=0))
    blended = fitted(name, replace(found, members=copies)).apply(copies)
    expected = answers[0] if takes_votes(name) else scores[0]
    np.testing.assert_allclose(blended, expected, rtol=1e-9)


@every_method
def test_no_blend_applies_to_other_members_than_it_was_fitted_to(name: str, kind: str) -> None:
    with pytest.raises(DataError, match="blend of 4, found 3"):
        fitted(name, case(kind, 0)).apply(case(kind, 0).members.without(1))


@every_method
@pytest.mark.parametrize("constant", [[2], [0, 1, 2, 3]])
def test_members_without_spread_are_weighed_and_give_finite_scores(
    name: str, kind: str, constant: list[int]
) -> None:
    found = case(kind, 0)
    scores, answers = found.members.scores.copy(), found.members.votes
    assert answers is not None
    scores[constant], answers[constant] = scores[constant, :1], answers[constant, :1]
    blend = fitted(name, replace(found, members=Members(scores, answers)))
    assert sum(blend.weights) == pytest.approx(1)
    assert np.isfinite(blend.apply(case(kind, 1).members)).all()


@pytest.mark.parametrize(("name", "kind"), [pair for pair in PAIRS if not is_fixed(pair[0])])
def test_rows_of_weight_0_are_absent_from_what_is_fitted(name: str, kind: str) -> None:
    weight = np.where(np.arange(60) % 5 == 3, 0.0, 1.0)
    found, kept = case(kind, 0, weight=weight), weight > 0
    blend = fitted(name, found)
    without = fitted(name, Case(found.members.take(kept), found.goal.take(kept)))
    probes = case(kind, 1).members
    np.testing.assert_allclose(blend.apply(probes), without.apply(probes), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "kind"), [pair for pair in PAIRS if is_fixed(pair[0])])
def test_what_is_called_fixed_does_not_look_at_the_target(name: str, kind: str) -> None:
    found = case(kind, 0)
    turned = replace(found, goal=replace(found.goal, target=found.goal.target[::-1]))
    assert fitted(name, found).to_json() == fitted(name, turned).to_json()


def test_what_is_fixed_may_hang_on_an_option() -> None:
    assert not is_fixed("mean")
    assert is_fixed({"name": "mean", "comparable": False})
    assert not is_fixed("mine:blend")
    assert not takes_votes("mine:blend")


@pytest.mark.parametrize(("name", "option"), [("greedy", "num_steps"), ("rank_mean", "max_knots")])
def test_a_number_that_is_too_small_is_refused_before_any_work(name: str, option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option}: .* greater than or equal to"):
        bind(BLENDS, {"name": name, option: 0}, what="blend method")


@pytest.mark.parametrize("value", [{}, {"format": 3}, {"format": 2, "method": "mean"}])
def test_files_that_hold_no_blend_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(DataError, match="blend"):
        Blend.from_json(value)


def test_a_blend_of_an_older_format_says_how_to_make_it_again() -> None:
    with pytest.raises(DataError, match="blend of format 1, this reads 2") as caught:
        Blend.from_json({"format": 1, "method": "mean", "weights": [1.0]})
    assert "foldwise blend" in caught.value.remedy


def test_leaving_out_and_taking_keep_votes_and_families_with_scores() -> None:
    members = replace(case("classes", 0).members, families=("a", "b", "b", "c"))
    assert members.votes is not None
    part = members.without(1).take(np.array([3, 5]))
    assert part.votes is not None
    np.testing.assert_array_equal(part.scores, members.scores[[0, 2, 3]][:, [3, 5]])
    np.testing.assert_array_equal(part.votes, members.votes[[0, 2, 3]][:, [3, 5]])
    assert part.families == ("a", "b", "c")
