"""Is one recipe better than another: a paired difference that knows samples' and seeds' noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from foldwise.choosing.forecast import Forecast, forecast
from foldwise.choosing.noise import Noise
from foldwise.choosing.seed_noise import Repeats, SeedNoise, seed_noise, shared_noise

Verdict = Literal["better", "worse", "undecided"]
#: `paired`: differences of the seeds that both have; `pooled`: all seeds of both, their noise
#: known from all repeated runs; `samples`: nothing is known of seeds, or there are none.
How = Literal["paired", "pooled", "samples"]

#: Level → largest share of false verdicts measured when two equal recipes are compared again
#: after every added seed, ten times at most. It is worst where samples make no noise.
FALSE_WHEN_PEEKING = {0.95: 0.22, 0.99: 0.05}

# Nominal degrees of freedom, folds times further seeds, from which pairs speak for themselves.
# Counts decide, never values: taking the smaller of two estimates would make false verdicts.
_FEWEST_FREE = 8


@dataclass(frozen=True)
class Comparison:
    """What is known of a challenger against a reference; positive differences are better.

    Attributes:
        reference: name of the run that is compared with.
        challenger: name of the run that may be better.
        difference: mean over seeds of the challenger's score less the reference's, the sign
            turned where lower is better.
        low: lower end of its interval; None: none can be given.
        high: its upper end.
        level: of the interval; it is for one look at the numbers.
        p_value: two-sided, of no difference; None: no verdict can be given.
        verdict: on the challenger.
        how: which noise was known, see `How`.
        seeds: those whose differences were taken; for `pooled`, those that both have.
        per_seed: seed → difference, for each seed that both have.
        error_samples: standard error that comes from the rows.
        error_seeds: standard error that seeds add to it; None: unknown, or there are no seeds.
        df: degrees of freedom of the two together.
        forecast: what would settle it.
    """

    reference: str
    challenger: str
    difference: float
    low: float | None
    high: float | None
    level: float
    p_value: float | None
    verdict: Verdict
    how: How
    seeds: tuple[int, ...]
    per_seed: dict[int, float]
    error_samples: float | None
    error_seeds: float | None
    df: float | None
    forecast: Forecast

    def to_json(self) -> dict[str, Any]:
        """As nested JSON; seeds become strings as JSON keys are."""
        value = asdict(self)
        value["per_seed"] = {str(seed): found for seed, found in self.per_seed.items()}
        value["seeds"] = list(self.seeds)
        return value


def compare(
    reference: Repeats,
    challenger: Repeats,
    *,
    higher_is_better: bool,
    num_units: int,
    ledger: Sequence[Repeats] = (),
    level: float = 0.95,
) -> Comparison:
    """Whether the challenger's recipe is better, trained again with new seeds on such rows.

    The difference's variance is that of the rows (paired resamples) and that of the seeds, less
    what is in both; t with Satterthwaite's degrees of freedom. Seeds that both runs have are
    paired where there are enough of them to know their differences' noise (three of five folds,
    nine of one); else all seeds count, and their noise comes from all repeated runs. Seeds are
    then taken for independent, which is too careful where equal seeds go together. Without
    seeds, or with the noise of seeds unknown, the interval covers samples only; in the latter
    case nobody is crowned. Other training rows are covered by none of it.

    The level holds for one look. Who adds a seed and looks again, up to ten times, finds a
    false winner in up to 22 % of cases instead of 5 %; at level 0.99 in up to 5 %
    (`FALSE_WHEN_PEEKING`).

    Args:
        reference: what is compared with.
        challenger: what may be better; it has seeds if the reference has.
        higher_is_better: False turns the sign.
        num_units: rows or groups that were resampled.
        ledger: other runs of the competition; those with two seeds or more know seed noise.
        level: share of intervals that cover the true difference.

    Source: as `shared_noise`; degrees of freedom: Hillis (2007), "A comparison of denominator
    degrees of freedom methods for multiple observer ROC analysis", Statistics in Medicine 26,
    596-619.
    """
    assert bool(reference.seeds) == bool(challenger.seeds), "seeds on one side only"
    sign = 1.0 if higher_is_better else -1.0
    common = tuple(seed for seed in reference.seeds if seed in challenger.seeds)
    theirs, own = (_by_seed(run) for run in (reference, challenger))
    per_seed = {seed: sign * (own[seed] - theirs[seed]) for seed in common}
    pooled = seed_noise(_distinct([reference, challenger, *ledger]))
    how = _how(reference, len(common), pooled)
    if how == "paired":
        reference, challenger = reference.only(common), challenger.only(common)
    difference = sign * float(challenger.scores.mean() - reference.scores.mean())
    resampled = (reference.resampled, challenger.resampled)
    if resampled[0] is None or resampled[1] is None:
        return Comparison(
            reference.name, challenger.name, difference, None, None, level, None, "undecided",
            how, common, per_seed, None, None, None, Forecast(None, "units"),
        )  # fmt: skip
    rows = float(np.var(resampled[1].mean(axis=0) - resampled[0].mean(axis=0), ddof=1))
    noise = Noise(rows, max(1, num_units - 1))
    if how == "paired":
        noise = _paired(noise, reference, challenger, resampled[1] - resampled[0])
    elif how == "pooled":
        assert pooled is not None
        noise = _pooled(noise, reference, challenger, pooled)
    error, df = noise.error, noise.df
    half = float(stdtrit(df, (1 + level) / 2)) * error
    is_known = how != "samples" or not reference.seeds
    p_value = _two_sided(difference, error, df) if is_known else None
    found = verdict(difference, p_value, level)
    return Comparison(
        reference=reference.name,
        challenger=challenger.name,
        difference=difference,
        low=difference - half,
        high=difference + half,
        level=level,
        p_value=p_value,
        verdict=found,
        how=how,
        seeds=common,
        per_seed=per_seed,
        error_samples=float(np.sqrt(noise.rows)),
        error_seeds=None if how == "samples" else float(np.sqrt(noise.added)),
        df=df,
        forecast=forecast(
            difference, noise, has_seeds=bool(reference.seeds), num_seeds=len(common),
            level=level, is_settled=found != "undecided",
        ),
    )  # fmt: skip


def verdict(difference: float, p_value: float | None, level: float) -> Verdict:
    """What a p-value says, once it is corrected for whatever else was compared.

    >>> verdict(0.01, 0.02, 0.95), verdict(-0.01, 0.02, 0.95), verdict(0.01, None, 0.95)
    ('better', 'worse', 'undecided')
    """
    # A hair's tolerance: 1 - 0.95 is a little more than 0.05.
    if p_value is None or p_value > 1 - level + 1e-12 or difference == 0:
        return "undecided"
    return "better" if difference > 0 else "worse"


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several comparisons, corrected so that one false verdict is as rare as of one.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6(2), 65-70.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    left = len(p_values) - np.arange(len(p_values))
    rising = np.maximum.accumulate(np.asarray(p_values)[order] * left)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(rising, 1.0)
    return [float(value) for value in corrected]


def _how(reference: Repeats, num_common: int, pooled: SeedNoise | None) -> How:
    num_folds = reference.by_fold.shape[1]
    if not reference.seeds or pooled is None:
        return "samples"
    return "paired" if num_folds * (num_common - 1) >= _FEWEST_FREE else "pooled"


def _paired(noise: Noise, reference: Repeats, challenger: Repeats, resampled: np.ndarray) -> Noise:
    pairs = Repeats(
        "", reference.seeds, challenger.scores - reference.scores,
        challenger.by_fold - reference.by_fold, None,
    )  # fmt: skip
    known = seed_noise([pairs])
    assert known is not None
    return replace(
        noise,
        per_pair=known.variance,
        overlap_per_pair=shared_noise(resampled),
        share=1 / len(reference.seeds),
        df_seeds=known.df,
        df_per_seed=known.df / known.num_free,
    )


def _pooled(noise: Noise, reference: Repeats, challenger: Repeats, known: SeedNoise) -> Noise:
    repeated = [run for run in (reference, challenger) if len(run.seeds) > 1]
    overlaps = [shared_noise(run.resampled) for run in repeated if run.resampled is not None]
    return replace(
        noise,
        per_pair=2 * known.variance,
        overlap_per_pair=2 * float(np.mean(overlaps)) if overlaps else 0.0,
        share=(1 / len(reference.seeds) + 1 / len(challenger.seeds)) / 2,
        df_seeds=known.df,
        df_per_seed=known.df / known.num_free,
    )


def _two_sided(difference: float, error: float, df: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stdtr(df, -abs(difference) / error))


def _by_seed(run: Repeats) -> dict[int, float]:
    return dict(zip(run.seeds, run.scores.tolist(), strict=False))


def _distinct(runs: Sequence[Repeats]) -> list[Repeats]:
    return list({run.name: run for run in runs}.values())
