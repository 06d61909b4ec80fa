"""The table of all scores on one scale: runs, blends and what they have to beat."""

from __future__ import annotations

from typing import Any

from foldwise.stages.progress import duration
from foldwise.stages.reporting.material import Run
from foldwise.stages.reporting.strips import axis_strip, common_scale, interval_strip
from foldwise.stages.reporting.svg import Scale, isolated
from foldwise.stages.reporting.words import metric_sentence, score_text
from foldwise.stages.scoring.references import OF_MEMBERS, find_reference

_LOOKS = {"recipe": "a", "blend": "b", "reference": "c"}


def score_table(runs: list[Run], submitted: str | None) -> dict[str, Any] | None:
    """Rows, best first, and the axis they share; None before anything is scored.

    Args:
        runs: with scores by one metric.
        submitted: the run that is handed in.
    """
    if not runs:
        return None
    assert runs[0].scores is not None
    metric = runs[0].scores["metric"]
    simple = _simple_references(runs)
    scale = _scale(runs, simple)
    handed_in = next(
        (run.scores["score"] for run in runs if run.scores and run.label == submitted), None
    )
    rules = () if handed_in is None else (handed_in,)
    rows = [_row(run, scale, submitted, rules) for run in runs]
    rows += [_reference_row(reference, scale, rules) for reference in simple]
    sign = -1 if metric["higher_is_better"] else 1
    rows.sort(key=lambda row: (row["score"] is None, sign * (row["score"] or 0.0)))
    return {
        "metric": metric["label"],
        "better": metric_sentence(metric),
        "rows": rows,
        "axis": axis_strip(scale, metric["label"], most=4),
        "has_gain": any(row["gain"] is not None for row in rows),
        "is_marked": bool(rules),
        "has_naive": any(row["naive"] is not None for row in rows),
        "kinds": [kind for kind in _LOOKS if any(row["kind"] == kind for row in rows)],
    }


def _simple_references(runs: list[Run]) -> list[dict[str, Any]]:
    """Majority and thumbnails, as the run with the most rows has them."""
    fullest = max(runs, key=lambda run: run.scores["num_rows"] if run.scores else 0)
    assert fullest.scores is not None
    others = ("frozen", "one_frozen", *OF_MEMBERS)
    return [r for r in fullest.scores["references"] if r["name"] not in others]


def _scale(runs: list[Run], simple: list[dict[str, Any]]) -> Scale:
    """Holds all runs, and the simple references unless they are far off.

    A majority at 0.04 would press the runs at 0.97 into one point; it gets an arrow instead.
    """
    values: list[float | None] = []
    for run in runs:
        assert run.scores is not None
        ends = run.scores["interval"] or {}
        values += [run.scores["score"], _naive(run.scores), ends.get("low"), ends.get("high")]
        values += [fold["score"] for fold in run.scores["folds"]]
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    reach = high - low
    near = [
        score
        for reference in simple
        if (score := reference["score"]) is not None and low - reach <= score <= high + reach
    ]
    return common_scale([*known, *near])


def _naive(scores: dict[str, Any]) -> float | None:
    """The naive score beside a cross-fitted one, where it is another."""
    naive: float | None = scores["how"]["naive"]
    is_same = score_text(naive) == score_text(scores["score"])
    return None if is_same or scores["how"]["got"] != "cross-fitted" else naive


def _row(run: Run, scale: Scale, submitted: str | None, rules: tuple[float, ...]) -> dict[str, Any]:
    scores = run.scores
    assert scores is not None
    ends = scores["interval"]
    frozen = find_reference(scores, "frozen")
    total = len(scores["present_folds"]) + len(scores["missing_folds"])
    return {
        "label": run.label,
        "kind": run.kind,
        "anchor": None if run.kind == "reference" else run.label,
        "is_submitted": run.label == submitted,
        "score": scores["score"],
        "interval": ends,
        "plot": interval_strip(
            scale,
            scores["score"],
            None if ends is None else (ends["low"], ends["high"]),
            dots=[fold["score"] for fold in scores["folds"] if fold["score"] is not None],
            rules=rules,
            look=_LOOKS.get(run.kind, "a"),
            is_hollow=scores["how"]["got"] != "cross-fitted",
            naive=_naive(scores),
            about=f"{isolated(run.label)}: score, interval and folds",
        ),
        "fold_mean": scores["fold_mean"],
        "fold_std": scores["fold_std"],
        "how": scores["how"],
        "naive": _naive(scores),
        "folds": f"{len(scores['present_folds'])} of {total}",
        "is_complete": scores["complete"],
        "seeds": len(run.record.get("seeds", ())) if run.kind == "recipe" else None,
        "time": None if run.seconds is None else duration(run.seconds),
        "gain": None if frozen is None else frozen["gain"],
        "verdict": None if frozen is None else frozen["verdict"],
        "num_warnings": len(scores["warnings"]),
        "is_stale": run.is_stale,
    }


def _reference_row(
    reference: dict[str, Any], scale: Scale, rules: tuple[float, ...]
) -> dict[str, Any]:
    return {
        "label": reference["label"],
        "kind": "reference",
        "anchor": None,
        "is_submitted": False,
        "score": reference["score"],
        "interval": None,
        "plot": interval_strip(
            scale,
            reference["score"],
            None,
            rules=rules,
            look="c",
            about=f"{isolated(reference['label'])}: score",
        ),
        **dict.fromkeys(
            ("fold_mean", "fold_std", "how", "folds", "seeds", "time", "gain", "naive")
        ),
        "is_complete": True,
        "verdict": None,
        "num_warnings": 0,
        "is_stale": False,
    }
