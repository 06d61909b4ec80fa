"""Out-of-fold against test: scores with the places where they are cut, and answers by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.decide.classes import second_share
from foldwise.decide.timeline import Timeline
from foldwise.predictions import Predictions
from foldwise.stages.reporting.decided import read_as_decided
from foldwise.stages.reporting.decision_view import (
    Stored,
    decided_runs,
    decision_view,
    uncut_view,
)
from foldwise.stages.reporting.histograms import Cuts, score_histogram
from foldwise.stages.reporting.mask_decision_view import mask_decision_view
from foldwise.stages.reporting.material import Material, Run
from foldwise.stages.reporting.over_time_view import over_time_view
from foldwise.stages.reporting.strips import marks_strip
from foldwise.stages.reporting.svg import isolated
from foldwise.stages.reporting.words import percent, score_text
from foldwise.stages.scoring.held_out import HeldOut, ordered_columns
from foldwise.tasks.problem import Problem
from foldwise.tasks.timelines import test_timeline

_MAX_COLUMNS = 12
_MAX_CLASSES = 40


def spread_view(material: Material, first: str | None) -> dict[str, Any] | None:
    """Charts and class shares of the submitted or else the best run, and all runs' spreads.

    Args:
        material: with runs.
        first: the run that is handed in.
    """
    runs = [run for run in material.scored if run.kind != "reference"]
    if not runs or material.problem is None or material.folds is None:
        return None
    problem = material.problem
    chosen = next((run for run in runs if run.label == first), runs[0])
    shown = material.tried(lambda: _of_run(problem, chosen))
    if shown is None:
        return None
    decision = shown["decision"]
    return {
        "label": chosen.label,
        **shown,
        "decision": None if decision is None else {**decision, "runs": decided_runs(material)},
        "spreads": [
            {"label": run.label, **run.scores["spread"]}
            for run in runs
            if run.scores is not None and run.scores["spread"] is not None
        ],
    }


def _of_run(problem: Problem, run: Run) -> dict[str, Any]:
    assert run.scores is not None
    test = ordered_columns(
        predictions_file.read(run.folder.test), problem.columns, name=f"{run.label} (test)"
    )
    stored, held = read_as_decided(problem, run.folder)
    return _OF_KINDS[test.kind](problem, run, held, test, stored)


def _of_maps(
    problem: Problem, run: Run, held: HeldOut, test: Predictions, stored: dict[str, Any]
) -> dict[str, Any]:
    """No chart of scores: there are as many as pixels. Answers were counted when it was scored."""
    scores = run.scores
    assert scores is not None
    shown = {"charts": [], "num_columns": 0, "num_test": len(test)}
    parts = {name: np.array(part) for name, part in scores["masks"]["answered"].items()}
    decision = mask_decision_view(scores, stored, problem.competition.classes)
    return {
        **shown,
        "shares": _share_lines(problem, parts) if len(test) else None,
        "decision": {**decision, "label": run.label, **shown},
    }


def _of_vectors(
    problem: Problem, run: Run, held: HeldOut, test: Predictions, found: dict[str, Any]
) -> dict[str, Any]:
    assert run.scores is not None
    stored = Stored.of(found)
    timeline = test_timeline(problem, test.ids)
    columns = _cut_columns(problem, held, test.scores, timeline, stored)
    decision = decision_view(run.scores, stored, problem.competition.classes)
    over_time = over_time_view(
        run.scores["decision"].get("over_time", []), found, problem.competition.columns.order or ""
    )
    if decision is None and over_time is not None:
        decision = uncut_view(run.scores)
    charts = {"charts": _charts(columns), "num_columns": len(columns), "num_test": len(test)}
    return {
        **charts,
        "shares": _shares(problem, held, test.scores, timeline) if len(test) else None,
        "decision": None
        if decision is None
        else {**decision, "over_time": over_time, "masks": None, "label": run.label, **charts},
    }


#: Kind of predictions → what is shown of a run's.
_OF_KINDS = {"vector": _of_vectors, "map": _of_maps}


@dataclass(frozen=True)
class _Column:
    """One column of scores: what it is called, its values, and where it is cut."""

    name: str
    oof: np.ndarray
    test: np.ndarray
    cuts: Cuts | None


def _cut_columns(
    problem: Problem,
    held: HeldOut,
    test: np.ndarray,
    timeline: Timeline | None,
    stored: Stored,
) -> list[_Column]:
    """The scores that are cut, as the cuts see them; where nothing is cut, the raw scores."""
    names: tuple[str, ...] = problem.columns
    oof = held.scores
    classes = problem.competition.classes
    if stored.word is not None:
        oof, test = held.decided_scores, held.decision.scores(test, timeline)
    if stored.word == "threshold":
        names = (classes[1],)
        oof, test = second_share(oof)[:, None], second_share(test)[:, None]
    cuts = stored.cuts(len(names), classes)
    return [
        _Column(name, oof[:, c], test[:, c], cuts[c] if cuts else None)
        for c, name in enumerate(names)
    ]


def _charts(columns: list[_Column]) -> list[dict[str, Any]]:
    """A chart a column, of those whose means differ most where there are many."""
    off = np.array([abs(c.oof.mean() - c.test.mean()) if len(c.test) else 0.0 for c in columns])
    shown = np.sort(np.argsort(-off, kind="stable")[:_MAX_COLUMNS])
    return [
        {
            "name": column.name,
            "plot": score_histogram(
                column.oof,
                column.test,
                x_label="score" if len(columns) == 1 else f"score of {isolated(column.name)}",
                about=_about(column),
                cuts=column.cuts,
            ),
        }
        for column in (columns[c] for c in shown)
    ]


def _about(column: _Column) -> str:
    words = f"{isolated(column.name)}: out-of-fold and test scores"
    if column.cuts is None:
        return words
    return f"{words}, cut at {', '.join(score_text(value) for value in column.cuts.values)}"


def _shares(
    problem: Problem, held: HeldOut, test: np.ndarray, timeline: Timeline | None
) -> dict[str, Any] | None:
    """Each class's share of the labels, of the out-of-fold answers and of the test answers."""
    if not problem.task.has_classes:
        return None
    classes = problem.competition.classes
    parts = {
        "labels": _class_shares(held.target, len(classes)),
        "oof": _class_shares(held.answers, len(classes)),
        "test": _class_shares(held.decision.answers(test, timeline), len(classes)),
    }
    return _share_lines(problem, parts)


def _share_lines(problem: Problem, parts: dict[str, np.ndarray]) -> dict[str, Any]:
    """Marks of each class's shares of labels, out-of-fold and test answers, each (C,)."""
    classes = problem.competition.classes
    _, expected = problem.shares()
    is_shifted = expected is not None and problem.row_weights is not None
    top = max(float(part.max()) for part in parts.values())
    top = max(top, float(expected.max())) if is_shifted and expected is not None else top
    off = np.abs(parts["test"] - parts["labels"])
    shown = np.sort(np.argsort(-off, kind="stable")[:_MAX_CLASSES])
    lines = []
    for c in shown:
        marks = [(float(parts["labels"][c]), "o"), (float(parts["oof"][c]), "a")]
        marks.append((float(parts["test"][c]), "b"))
        if is_shifted and expected is not None:
            marks.insert(0, (float(expected[c]), "rule"))
        lines.append(
            {
                "name": classes[c],
                "strip": marks_strip(marks, top),
                **{name: percent(float(part[c])) for name, part in parts.items()},
                "expected": percent(float(expected[c]))
                if is_shifted and expected is not None
                else None,
            }
        )
    return {
        "lines": lines,
        "is_shifted": is_shifted,
        "num_classes": len(classes),
        "top": percent(top),
    }


def _class_shares(answers: np.ndarray, num_classes: int) -> np.ndarray:
    """(C,) share of rows that have each class."""
    if answers.ndim == 2:
        return np.asarray(answers.mean(axis=0), dtype=np.float64)
    counts = np.bincount(answers.astype(np.int64), minlength=num_classes)
    return np.asarray(counts / max(len(answers), 1))
