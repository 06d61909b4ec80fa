from __future__ import annotations

import json

import numpy as np
import pytest

from foldwise.blending.diversity import ADVICE, Diversity, Make, diversity

NUM = 600
FOLDS = np.arange(NUM) % 3
MAKES = [
    Make(formulation, backbone)
    for formulation in ("regression", "borders")
    for backbone in ("small", "large", "wide")
]


def diversity_of(
    scores: np.ndarray,
    target: np.ndarray,
    makes: list[Make | None] | None = None,
    *,
    weight: np.ndarray | None = None,
    comparable: list[int] | None = None,
    folds: np.ndarray | None = None,
) -> Diversity:
    every = range(len(scores))
    return diversity(
        scores,
        target,
        [f"m{number}" for number in every],
        np.arange(len(target)) % 3 if folds is None else folds,
        weight=weight,
        makes=makes or [None] * len(scores),
        comparable=np.array(list(every) if comparable is None else comparable),
    )


def planted(*, by_formulation: float, by_backbone: float) -> tuple[np.ndarray, np.ndarray]:
    """Six members whose errors share a part for each formulation and one for each backbone."""
    rng = np.random.default_rng(0)
    target = rng.normal(size=NUM)
    formulations, backbones = rng.normal(size=(2, NUM)), rng.normal(size=(3, NUM))
    errors = [
        by_formulation * formulations[k // 3]
        + by_backbone * backbones[k % 3]
        + rng.normal(size=NUM)
        for k in range(6)
    ]
    return (target + np.array(errors))[:, :, None], target


def test_correlation_is_that_of_errors_with_each_column_about_its_mean() -> None:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 3, NUM)
    scores = rng.dirichlet(np.ones(3), (4, NUM))
    errors = scores - np.eye(3)[target]
    errors -= errors.mean(axis=1, keepdims=True)
    expected = np.corrcoef(errors.reshape(4, -1))
    np.testing.assert_allclose(diversity_of(scores, target).correlation, expected, atol=1e-12)


def test_weights_count_as_rows_that_are_there_as_often() -> None:
    rng = np.random.default_rng(2)
    target = rng.integers(0, 2, (50, 3))
    scores = rng.random((3, 50, 3))
    times = rng.integers(0, 4, 50)
    weighted = diversity_of(scores, target, weight=times.astype(float))
    rows = np.repeat(np.arange(50), times)
    repeated = diversity_of(scores[:, rows], target[rows], folds=(np.arange(50) % 3)[rows])
    np.testing.assert_allclose(weighted.correlation, repeated.correlation, atol=1e-12)


def test_twins_form_a_cluster_and_stand_side_by_side() -> None:
    rng = np.random.default_rng(3)
    target = rng.normal(size=NUM)
    errors = rng.normal(size=(5, NUM))
    errors[3] = errors[0] + 0.1 * rng.normal(size=NUM)
    found = diversity_of((target + errors)[:, :, None], target)
    assert sorted(map(sorted, found.clusters)) == [[0, 3], [1], [2], [4]]
    assert abs(found.order.index(0) - found.order.index(3)) == 1
    assert [member for part in found.clusters for member in part] == list(found.order)
    assert found.num_effective == pytest.approx(25 / 7, rel=0.1)


def test_effective_members_are_one_for_copies_and_all_for_unrelated_errors() -> None:
    rng = np.random.default_rng(4)
    target, errors = rng.normal(size=NUM), rng.normal(size=(4, NUM))
    copies = np.broadcast_to(target + errors[0], (4, NUM))[:, :, None]
    assert diversity_of(copies, target).num_effective == pytest.approx(1)
    apart = diversity_of((target + errors)[:, :, None], target)
    assert 3.6 < apart.num_effective <= 4


def test_another_formulation_is_advised_where_it_parts_errors_and_backbones_do_not() -> None:
    found = diversity_of(*planted(by_formulation=1.5, by_backbone=0.3), MAKES)
    assert found.within is not None
    assert found.across is not None
    assert found.within > found.across + 0.3
    assert found.advice == ADVICE == "train next: another formulation, not another backbone"


def test_another_formulation_is_not_advised_where_backbones_part_errors() -> None:
    assert diversity_of(*planted(by_formulation=0.3, by_backbone=1.5), MAKES).advice is None
    assert diversity_of(*planted(by_formulation=0.0, by_backbone=0.0), MAKES).advice is None


def test_no_advice_where_it_cannot_be_known() -> None:
    scores, target = planted(by_formulation=1.5, by_backbone=0.3)
    one_formulation = diversity_of(scores[:3], target, MAKES[:3])
    assert one_formulation.advice is one_formulation.across is None
    one_backbone = diversity_of(scores[[0, 3]], target, [MAKES[0], MAKES[3]])
    assert one_backbone.advice is one_backbone.within is None
    assert diversity_of(scores, target).advice is None
    assert diversity_of(scores, target, [None, *MAKES[1:3], None, None, None]).advice is None
    assert diversity_of(scores, target, MAKES, folds=np.zeros(NUM, dtype=int)).advice is None


def test_weak_members_are_not_asked_for_advice() -> None:
    scores, target = planted(by_formulation=0.0, by_backbone=0.0)
    shared = np.random.default_rng(5).normal(size=NUM)
    scores = scores + 1.5 * shared[:, None]
    scores[3:] += np.random.default_rng(6).normal(0, 8, (3, NUM, 1))  # Unlike since weak.
    assert diversity_of(scores, target, MAKES).advice == ADVICE
    assert diversity_of(scores, target, MAKES, comparable=[0, 1, 2]).advice is None


def test_members_that_never_err_or_always_alike_have_no_correlation() -> None:
    target = np.random.default_rng(7).normal(size=60)
    noisy = target + np.random.default_rng(8).normal(size=60)
    scores = np.stack([target, target + 0.3, noisy])[:, :, None]
    found = diversity_of(scores, target)
    np.testing.assert_array_equal(found.correlation, np.eye(3))
    single = diversity_of(scores[2:], target)
    assert (single.order, single.clusters, single.num_effective) == ((0,), ((0,),), 1.0)


def test_a_map_is_json_with_names_and_no_negative_zero() -> None:
    found = diversity_of(*planted(by_formulation=1.5, by_backbone=0.3), MAKES)
    text = json.dumps(found.to_json(), allow_nan=False)
    value = json.loads(text)
    assert "-0.0," not in text
    assert sorted(value["order"]) == value["names"]
    assert [name for part in value["clusters"] for name in part] == value["order"]
    assert np.abs(np.array(value["correlation"]) - found.correlation).max() <= 5e-5
