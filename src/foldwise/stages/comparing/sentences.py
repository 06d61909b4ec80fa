"""What a comparison says, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foldwise.choosing.forecast import MOST_SEEDS
from foldwise.choosing.paired import FALSE_WHEN_PEEKING, Comparison

_HOW = {
    "paired": "the differences of equal seeds",
    "pooled": "all seeds of both, their noise learnt from all repeated runs",
}


def sentences(
    pair: Comparison, entry: Mapping[str, Any], *, covers: str | None, is_complete: bool
) -> list[str]:
    """All that is said of a pair: verdict, noise, forecast, folds and rows, recipes.

    Args:
        pair: the comparison.
        entry: the keys of the result that its JSON lacks: `verdict` corrected, and the others.
        covers: what was resampled.
        is_complete: whether all folds are among the rows.
    """
    forecast = _forecast(pair, is_complete=is_complete)
    return [
        _verdict(pair, entry),
        _noise(pair, covers),
        *([forecast] if forecast else []),
        f"by fold {_folds(entry['by_fold'])}; {_rows(pair, entry['rows'])}",
        *_recipes(pair, entry["recipe_difference"]),
    ]


def warnings(pair: Comparison, lines: Sequence[str] | None) -> list[str]:
    """That the recipes differ in more than one key."""
    if lines is None or len(lines) < 2:
        return []
    return [
        f"{pair.reference} and {pair.challenger} differ in {len(lines)} keys: the difference "
        "cannot be put down to one of them"
    ]


def correction(num_runs: int) -> str:
    """How verdicts on several runs were corrected."""
    num_pairs = num_runs * (num_runs - 1) // 2
    return (
        f"verdicts are corrected for several comparisons (Holm): {num_runs - 1} against the first, "
        f"all {num_pairs} pairs against the best, as the best was found in the same scores; "
        "intervals are of each pair alone"
    )


def peeking(level: float) -> str:
    """That the level holds for one look."""
    found = FALSE_WHEN_PEEKING.get(level)
    rate = f"up to {found:.0%}" if found else "several times as many"
    return (
        f"{1 - level:.0%} of comparisons of equal recipes get a false verdict at one look; adding "
        f"a seed and looking again, up to ten times, makes it {rate}: choose the number of seeds "
        "first"
    )


def _verdict(pair: Comparison, entry: Mapping[str, Any]) -> str:
    reference, challenger = pair.reference, pair.challenger
    said = {
        "better": f"{challenger} is better than {reference}",
        "worse": f"{challenger} is worse than {reference}",
        "undecided": f"undecided between {reference} and {challenger}",
    }[entry["verdict"]]
    ends = ", no interval can be given"
    if pair.low is not None and pair.high is not None:
        ends = f" ({pair.level:.0%} interval {pair.low:+.4f} to {pair.high:+.4f})"
    alone = ""
    if entry["verdict"] != pair.verdict:
        alone = f"; alone it would be {pair.verdict}, corrected p is {entry['p_corrected']:.3f}"
    return f"{said}: {pair.difference:+.4f}{ends}{alone}"


def _noise(pair: Comparison, covers: str | None) -> str:
    if pair.error_samples is None:
        return "noise: too few rows or groups to resample"
    samples = f"standard error {pair.error_samples:.4f} from samples ({covers})"
    if pair.error_seeds is not None:
        return f"noise: {samples}, {pair.error_seeds:.4f} added by seeds ({_HOW[pair.how]})"
    if pair.forecast.reason == "unknown":
        return (
            f"noise: {samples}; seed noise is unknown, as no run has two seeds on these folds: "
            "the interval covers samples only, and nobody is called better"
        )
    return (
        f"noise: {samples}; it covers samples only, as not both have seeds: these very models on "
        "new rows, not their recipes trained again"
    )


def _forecast(pair: Comparison, *, is_complete: bool) -> str | None:
    more = pair.forecast.more
    data = "more labelled rows" if is_complete else "the missing folds"
    return {
        "settled": None,
        "seeds": f"if the difference seen is true, about {more} more seed{'s' * (more != 1)} of "
        "both would settle it (even odds)",
        "unknown": f"train {more} more seed{'s' * (more != 1)} of both: that tells how much seeds "
        "matter",
        "samples": f"never settled by seeds alone, as samples leave it open: it needs {data}",
        "too many seeds": f"more than {MOST_SEEDS} more seeds would be needed: take them for equal",
        "no seeds": f"it would take {data} to settle it",
        "units": f"it would take {data} to settle it",
    }[pair.forecast.reason]


def _folds(by_fold: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{fold}: {'undefined' if value is None else f'{value:+.4f}'}"
        for fold, value in by_fold.items()
    )


def _rows(pair: Comparison, rows: Mapping[str, float]) -> str:
    return (
        f"of {rows['num_rows']:g} rows {pair.challenger} has the nearer answer on "
        f"{rows['challenger_nearer']:.4g}, {pair.reference} on {rows['reference_nearer']:.4g}"
    )


def _recipes(pair: Comparison, lines: Sequence[str] | None) -> list[str]:
    if lines is None:
        return []
    if not lines:
        return ["both have the same recipe: what differs is noise, or lies outside the recipe"]
    return [f"recipe, {pair.reference} -> {pair.challenger}: {'; '.join(lines)}"]
