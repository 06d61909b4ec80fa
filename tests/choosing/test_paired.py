"""Comparisons of simulated ledgers: equal recipes are not crowned, planted effects are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from foldwise.choosing.forecast import forecast
from foldwise.choosing.noise import Noise
from foldwise.choosing.paired import FALSE_WHEN_PEEKING, Comparison, compare, holm
from foldwise.choosing.seed_noise import Repeats

_RESAMPLES = 100

#: What scores vary by: `seeds` of whole runs, `rho` of it shared by equal seeds of both recipes;
#: `churn` by seed and rows, which resampling rows sees as well; `rows` by recipe and rows.
WORLDS = {
    "seeds": {"seeds": 1.0},
    "seeds alike": {"seeds": 1.0, "rho": 0.7},
    "churn": {"churn": 1.0},
    "rows": {"rows": 1.0, "seeds": 0.01},
    "all": {"seeds": 1.0, "churn": 1.0, "rows": 0.5, "rho": 0.3},
}


def ledger(
    rng: np.random.Generator,
    num_seeds: int,
    num_folds: int = 5,
    *,
    seeds: float = 0.0,
    rho: float = 0.0,
    churn: float = 0.0,
    rows: float = 0.0,
    effect: float = 0.0,
    names: tuple[str, ...] = ("a", "b"),
) -> list[Repeats]:
    """Recipes of equal noise; `effect` is how much better the second is."""
    shape = (num_seeds, num_folds)
    shared = rng.normal(size=shape)
    runs = []
    for number, name in enumerate(names):
        own = np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.normal(size=shape)
        parts = (seeds * own + churn * rng.normal(size=shape)) / np.sqrt(num_folds)
        constant = rows * rng.normal() + number * effect
        scores = parts.sum(axis=1) + constant
        others = parts.mean(axis=0).sum() - parts.mean(axis=0)
        drawn = rows * rng.normal(size=_RESAMPLES) + churn * rng.normal(
            size=(num_seeds, _RESAMPLES)
        )
        names_of_seeds = tuple(range(num_seeds))
        runs.append(Repeats(name, names_of_seeds, scores, parts + others + constant, drawn))
    return runs


def said(runs: list[Repeats], base: list[Repeats] | None = None, **options: float) -> Comparison:
    reference, challenger = runs
    return compare(
        reference, challenger, higher_is_better=True, num_units=400, ledger=base or (), **options
    )


def base_run(rng: np.random.Generator, num_folds: int = 5, **world: float) -> list[Repeats]:
    """A base recipe repeated five times, as a ledger knows it."""
    return ledger(rng, 5, num_folds, names=("base",), **world)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("num_folds", [1, 5])
@pytest.mark.parametrize("num_seeds", [1, 2, 3, 5])
def test_equal_recipes_get_a_false_verdict_in_at_most_6_5_percent_of_2000_ledgers(
    request: pytest.FixtureRequest, world: str, num_folds: int, num_seeds: int
) -> None:
    if num_folds == 1 and world != "all" and not request.config.getoption("--full"):
        pytest.skip("only with --full: pytest --full")
    rng = np.random.default_rng(num_seeds)
    num_false = 0
    for _ in range(2000):
        runs = ledger(rng, num_seeds, num_folds, **WORLDS[world])
        base = base_run(rng, num_folds, **WORLDS[world]) if num_seeds == 1 else []
        num_false += said(runs, base).verdict != "undecided"
    assert num_false / 2000 <= 0.065


@pytest.mark.parametrize("num_seeds", [2, 3])
def test_folds_that_contribute_unequally_make_no_more_false_verdicts(num_seeds: int) -> None:
    rng = np.random.default_rng(8)
    sizes = np.sqrt([4.0, 1.0, 1.0, 1.0, 1.0])
    num_false = 0
    for _ in range(2000):
        runs = []
        for name in ("a", "b"):
            parts = sizes * rng.normal(size=(num_seeds, 5))
            rows = np.zeros((num_seeds, 2))
            seeds = tuple(range(num_seeds))
            runs.append(Repeats(name, seeds, parts.sum(axis=1), parts, rows))
        num_false += said(runs).verdict != "undecided"
    assert num_false / 2000 <= 0.065


def _num_found(
    rng: np.random.Generator, level: float, most: int, num_folds: int = 5, **world: float
) -> int | None:
    """Seeds at the first verdict, one being added at a time."""
    runs = ledger(rng, most, num_folds, **world)
    base = base_run(rng, num_folds, **{**world, "effect": 0.0})
    for num in range(1, most + 1):
        part = [run.only(range(num)) for run in runs]
        if said(part, base, level=level).verdict != "undecided":
            return num
    return None


@pytest.mark.parametrize("level", FALSE_WHEN_PEEKING)
def test_peeking_after_each_of_ten_seeds_makes_the_stated_rate_where_it_is_worst(
    level: float,
) -> None:
    rng = np.random.default_rng(11)
    found = [_num_found(rng, level, 10, 1, **WORLDS["seeds"]) for _ in range(400)]
    rate = np.mean([num is not None for num in found])
    assert rate == pytest.approx(FALSE_WHEN_PEEKING[level], abs=0.05)


@pytest.mark.parametrize("world", ["seeds alike", "churn", "rows", "all"])
def test_peeking_is_less_harmful_elsewhere(world: str) -> None:
    rng = np.random.default_rng(12)
    found = [_num_found(rng, 0.95, 10, **WORLDS[world]) for _ in range(200)]
    assert np.mean([num is not None for num in found]) <= FALSE_WHEN_PEEKING[0.95]


PLANTED = [
    (1.0, {"seeds": 1.0}),
    (0.7, {"seeds": 1.0, "rho": 0.5}),
    (1.0, {"seeds": 1.0, "rows": 0.25}),
    (1.0, {"seeds": 0.5, "churn": 0.8}),
]


def forecast_total(effect: float, world: dict[str, float]) -> int:
    """Seeds that are forecast for the planted difference under the world's true noise."""
    seeds, churn, rows = (world.get(key, 0.0) ** 2 for key in ("seeds", "churn", "rows"))
    noise = Noise(
        rows=2 * rows + churn,
        df_rows=399,
        per_pair=2 * (seeds * (1 - world.get("rho", 0.0)) + churn),
        overlap_per_pair=2 * churn,
        share=0.5,
        df_seeds=5,
        df_per_seed=5,
    )
    found = forecast(effect, noise, has_seeds=True, num_seeds=2, level=0.95, is_settled=False)
    assert found.more is not None
    return 2 + found.more


@pytest.mark.parametrize(("effect", "world"), PLANTED)
def test_half_of_planted_effects_are_settled_at_the_forecast_number_give_or_take_half(
    effect: float, world: dict[str, float]
) -> None:
    total = forecast_total(effect, world)
    rng = np.random.default_rng(3)

    def share_settled(num: int) -> float:
        found = [said(ledger(rng, num, effect=effect, **world)).verdict for _ in range(300)]
        return found.count("better") / len(found)

    assert share_settled(round(total / 1.5)) < 0.5 < share_settled(round(total * 1.5))
    assert share_settled(total) == pytest.approx(0.5, abs=0.15)


def test_adding_seeds_until_it_is_settled_takes_about_as_many_on_average() -> None:
    effect, world = PLANTED[0]
    rng = np.random.default_rng(4)
    found = [_num_found(rng, 0.95, 40, effect=effect, **world) or 40 for _ in range(200)]
    total = forecast_total(effect, world)
    assert total / 1.5 <= np.mean(found) <= total * 1.5


def test_the_median_forecast_from_three_noisy_seeds_is_within_a_factor_of_1_5() -> None:
    effect, world = 0.6, {"seeds": 1.0}
    rng = np.random.default_rng(5)
    found = [said(ledger(rng, 3, effect=effect, **world)).forecast for _ in range(400)]
    totals = [3 + (200 if each.more is None else each.more) for each in found]
    total = forecast_total(effect, world)
    assert total / 1.5 <= np.median(totals) <= total * 1.5


def test_paired_seeds_without_folds_and_rows_are_students_paired_test() -> None:
    rng = np.random.default_rng(0)
    runs = ledger(rng, 9, 1, seeds=1.0)
    runs = [Repeats(r.name, r.seeds, r.scores, r.scores[:, None], r.resampled) for r in runs]
    found = said(runs)
    oracle = stats.ttest_rel(runs[1].scores, runs[0].scores)
    assert (found.how, found.df) == ("paired", pytest.approx(8))
    assert found.p_value == pytest.approx(oracle.pvalue)
    interval = oracle.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_lower_is_better_turns_the_sign() -> None:
    reference, challenger = ledger(np.random.default_rng(0), 3, seeds=0.1, effect=5.0)
    better = compare(reference, challenger, higher_is_better=True, num_units=400)
    worse = compare(reference, challenger, higher_is_better=False, num_units=400)
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low))
    assert worse.per_seed[0] == pytest.approx(-better.per_seed[0])


def test_single_seeds_without_a_ledger_are_never_crowned() -> None:
    runs = ledger(np.random.default_rng(0), 1, seeds=0.1, rows=0.1, effect=50.0)
    found = said(runs)
    assert (found.verdict, found.how, found.p_value) == ("undecided", "samples", None)
    assert found.forecast.reason == "unknown"
    assert found.low > 0


def test_only_common_seeds_are_paired_and_too_few_of_them_are_pooled() -> None:
    a, b = ledger(np.random.default_rng(0), 5, seeds=1.0)
    paired = said([a.only((0, 1, 2, 3)), b.only((1, 2, 3, 4))])
    assert (paired.how, paired.seeds) == ("paired", (1, 2, 3))
    assert list(paired.per_seed) == [1, 2, 3]
    pooled = said([a.only((0, 1, 2)), b.only((4,))])
    assert (pooled.how, pooled.seeds, pooled.per_seed) == ("pooled", (), {})
    assert pooled.difference == pytest.approx(b.scores[4] - a.scores[:3].mean())


def test_without_resamples_there_is_a_difference_and_no_verdict() -> None:
    runs = ledger(np.random.default_rng(0), 3, seeds=0.1, effect=5.0)
    bare = [Repeats(run.name, run.seeds, run.scores, run.by_fold, None) for run in runs]
    found = said(bare)
    assert (found.low, found.p_value, found.verdict) == (None, None, "undecided")
    assert found.difference == pytest.approx(5.0, abs=0.5)
    assert found.to_json()["forecast"] == {"more": None, "reason": "units"}


def test_identical_runs_are_undecided() -> None:
    (a,) = ledger(np.random.default_rng(0), 3, seeds=1.0, rows=1.0, names=("a",))
    twin = Repeats("twin", a.seeds, a.scores, a.by_fold, a.resampled)
    found = said([a, twin])
    assert (found.difference, found.p_value, found.verdict) == (0.0, 1.0, "undecided")


def test_of_ten_equal_challengers_holm_crowns_one_in_at_most_6_5_percent() -> None:
    rng = np.random.default_rng(6)
    p_values = 2 * stats.norm.sf(np.abs(rng.normal(size=(2000, 10))))
    assert np.mean([min(holm(row)) <= 0.05 for row in p_values]) <= 0.065
    assert holm([]) == []


def test_runs_that_answer_nearly_alike_differ_by_their_seeds_noise() -> None:
    """What rows and seeds share, known from each run by itself, may exceed all that rows make."""
    alike = Noise(
        rows=1e-8, df_rows=50, per_pair=2e-4, overlap_per_pair=3e-4, share=1 / 3, df_seeds=4
    )
    assert alike.error**2 == pytest.approx(2e-4 / 3)
    assert alike.df == pytest.approx(4, rel=1e-3)
    apart = replace(alike, rows=2e-4)
    assert apart.error**2 == pytest.approx(2e-4)
    assert apart.df > 4
