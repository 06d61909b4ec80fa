"""The picks judged in worlds that they did not generate; see `worlds`.

No constant of the picker was chosen on these seeds. The default counts keep the suite fast;
`--full` judges four metrics on five to eight times as many draws.
"""

from __future__ import annotations

import pytest

from .worlds import World, accuracy, auc, judged, qwk, rmse

pytestmark = pytest.mark.slow

METRICS = {"accuracy": accuracy, "auc": auc, "qwk": qwk, "rmse": rmse}


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> str:
    if request.param != "accuracy" and not request.config.getoption("--full"):
        pytest.skip("accuracy alone unless --full")
    return str(request.param)


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    return range(1500 if request.config.getoption("--full") else 300)


@pytest.fixture
def blend_seeds(request: pytest.FixtureRequest) -> range:
    return range(500 if request.config.getoption("--full") else 60)


@pytest.mark.parametrize("common", [0.0, 0.15], ids=["no-shift", "shift-of-all"])
def test_without_a_family_shift_picks_are_as_good_as_the_best_by_cv(
    metric: str, seeds: range, common: float
) -> None:
    found = judged(World(METRICS[metric], common=common), seeds)
    lost, low, high = found.lost(2)
    print(f"{metric}, common {common}: {lost:+.4f} of ranks, {low:+.4f} to {high:+.4f}")
    assert lost <= 0.01
    assert found.lost(1)[0] <= 0.01


def test_where_families_drop_picks_beat_both_rules(metric: str, seeds: range) -> None:
    found = judged(World(METRICS[metric], family_drop=0.35), seeds)
    for rule, name in ((1, "public"), (2, "cv")):
        lost, low, high = found.lost(rule)
        print(f"{metric}, against two best by {name}: {lost:+.4f}, {low:+.4f} to {high:+.4f}")
        assert high < 0


@pytest.mark.parametrize("num_submitted", [0, 3, 9])
@pytest.mark.parametrize("per_group", [1, 3], ids=["rows", "groups"])
def test_with_blends_among_them_and_no_shift_picks_are_as_good_as_the_best_by_cv(
    metric: str, blend_seeds: range, num_submitted: int, per_group: int
) -> None:
    world = World(METRICS[metric], num_blends=6, num_submitted=num_submitted, per_group=per_group)
    found = judged(world, blend_seeds)
    lost, low, high = found.lost(2)
    print(f"{metric}, {num_submitted} public: {lost:+.4f} of ranks, {low:+.4f} to {high:+.4f}")
    assert lost <= 0.01
    assert found.lost(1)[0] <= 0.01


@pytest.mark.parametrize("num_submitted", [3, 9])
@pytest.mark.parametrize("per_group", [1, 3], ids=["rows", "groups"])
def test_with_blends_among_them_picks_beat_the_best_by_cv_where_families_drop(
    metric: str, blend_seeds: range, num_submitted: int, per_group: int
) -> None:
    """Most blends mix families and suffer less: there is less to be won than among models alone."""
    world = World(
        METRICS[metric],
        num_blends=6,
        family_drop=0.35,
        num_submitted=num_submitted,
        per_group=per_group,
    )
    found = judged(world, blend_seeds)
    for rule, name in ((1, "public"), (2, "cv")):
        lost, low, high = found.lost(rule)
        print(f"{metric}, against two best by {name}: {lost:+.4f}, {low:+.4f} to {high:+.4f}")
        assert lost <= 0.01
