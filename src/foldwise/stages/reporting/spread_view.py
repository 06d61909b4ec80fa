"""How test scores compare with out-of-fold scores, and the answers' classes with those of train."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.decide.decision import Decision
from foldwise.rundir import read_json
from foldwise.stages.reporting.charts import spread_chart
from foldwise.stages.reporting.material import Material, Run
from foldwise.stages.reporting.strips import marks_strip
from foldwise.stages.reporting.svg import isolated
from foldwise.stages.reporting.words import percent
from foldwise.stages.scoring.held_out import HeldOut, ordered_columns, read_held_out
from foldwise.tasks.problem import Problem

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
    return {
        "label": chosen.label,
        **shown,
        "spreads": [
            {"label": run.label, **run.scores["spread"]}
            for run in runs
            if run.scores is not None and run.scores["spread"] is not None
        ],
    }


def _of_run(problem: Problem, run: Run) -> dict[str, Any]:
    held = read_held_out(problem, run.folder)
    test = ordered_columns(
        predictions_file.read(run.folder.test), problem.columns, name=f"{run.label} (test)"
    ).scores
    decision = Decision.from_json(read_json(run.folder.decision))
    return {
        "charts": _charts(held, test),
        "num_columns": len(problem.columns),
        "shares": _shares(problem, held, decision, test) if len(test) else None,
        "num_test": len(test),
    }


def _charts(held: HeldOut, test: np.ndarray) -> list[dict[str, Any]]:
    """A chart a column, of those whose means differ most where there are many."""
    columns = held.problem.columns
    means = held.scores.mean(axis=0)
    off = np.abs(means - test.mean(axis=0)) if len(test) else np.zeros(len(columns))
    shown = np.sort(np.argsort(-off, kind="stable")[:_MAX_COLUMNS])
    return [
        {
            "name": columns[c],
            "plot": spread_chart(
                held.scores[:, c],
                test[:, c],
                x_label="score" if len(columns) == 1 else f"score of {isolated(columns[c])}",
                about=f"{isolated(columns[c])}: out-of-fold and test scores",
            ),
        }
        for c in shown
    ]


def _shares(
    problem: Problem, held: HeldOut, decision: Decision, test: np.ndarray
) -> dict[str, Any] | None:
    """Each class's share of the labels, of the out-of-fold answers and of the test answers."""
    if not problem.task.has_classes:
        return None
    classes = problem.competition.classes
    parts = {
        "labels": _class_shares(held.target, len(classes)),
        "oof": _class_shares(decision.answers(held.scores), len(classes)),
        "test": _class_shares(decision.answers(test), len(classes)),
    }
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
