"""Where a run errs: confusion, classes, groups and single samples, ready to be shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from foldwise.stages.reporting.charts import recall_curve, scatter_chart
from foldwise.stages.reporting.material import Material
from foldwise.stages.reporting.strips import share_strip
from foldwise.stages.reporting.svg import isolated
from foldwise.stages.reporting.words import score_text

#: Beyond so many classes a matrix cannot be read; the commonest confusions are listed instead.
_MAX_MATRIX = 30
_MAX_PAIRS = 30
_MAX_CURVES = 12
_MAX_WORST = 16
_LEVELS = 10


def heat(share: float) -> str:
    """Class of a cell whose colour says a share in [0, 1]; faint for small shares already.

    >>> heat(0.0), heat(0.001), heat(1.0)
    ('h0', 'h1', 'h10')
    """
    return f"h{int(np.ceil(_LEVELS * min(max(share, 0.0), 1.0) ** 0.6))}"


def weak(value: float | None) -> str:
    """Class of a cell whose colour says how far a value in [0, 1] is from 1.

    >>> weak(1.0), weak(0.8), weak(0.1)
    ('', 'w1', 'w5')
    """
    return "" if value is None or value > 0.95 else f"w{int(np.ceil(5 * (1 - value) - 1e-9))}"


def confusion_view(scores: dict[str, Any]) -> dict[str, Any] | None:
    """The matrix with shares of each true class, or the commonest confusions of many classes.

    Rows are counted in its cells; of pixels, which are too many to be read, the percentage of their
    class is given.
    """
    found = scores["confusion"]
    if found is None:
        return None
    labels, counts = found["labels"], np.asarray(found["counts"], dtype=np.int64)
    rows = counts.sum(axis=1)
    shares = counts / np.maximum(rows[:, None], 1)
    is_small = len(labels) <= _MAX_MATRIX
    unit = found.get("unit", "rows")
    matrix = [
        {
            "label": labels[i],
            "place": i,
            "rows": int(rows[i]),
            "cells": [
                {
                    "count": int(n),
                    "text": _cell(int(n), float(share), unit),
                    "look": heat(float(share)),
                    "share": float(share),
                }
                for n, share in zip(counts[i], shares[i], strict=True)
            ],
        }
        for i in range(len(labels) if is_small else 0)
    ]
    return {
        "labels": labels,
        "unit": unit,
        "matrix": matrix,
        "is_dense": len(labels) > 12,
        "pairs": _confused(labels, counts, shares, 10 if is_small else _MAX_PAIRS),
        "num_right": int(np.trace(counts)),
        "num_rows": int(counts.sum()),
    }


def class_table(scores: dict[str, Any]) -> dict[str, Any] | None:
    """Rows by class with a bar each, and which columns there are."""
    rows = scores["by_class"]
    if not rows:
        return None
    names = ["precision", "recall", "f1", "average_precision", "roc_auc"]
    shown = [name for name in names if any(row.get(name) is not None for row in rows)]
    top = max(row["rows"] for row in rows)
    return {
        "columns": [name.replace("_", " ").replace("roc auc", "ROC AUC") for name in shown],
        "rows": [
            {
                "name": row["class"],
                "rows": row["rows"],
                "bar": share_strip(row["rows"], top, look="c"),
                "cells": [
                    {
                        "value": row[name],
                        "text": score_text(row[name], 3),
                        "look": weak(row[name]),
                    }
                    for name in shown
                ],
            }
            for row in rows
        ],
    }


def curves_view(scores: dict[str, Any]) -> dict[str, Any] | None:
    """Precision against recall, of the classes that rank worst where there are many."""
    average = {row["class"]: row.get("average_precision") for row in scores["by_class"]}
    curves = [curve for curve in scores["curves"] if average.get(curve["class"]) is not None]
    if not curves:
        return None
    shown = sorted(curves, key=lambda curve: average[curve["class"]] or 0.0)[:_MAX_CURVES]
    return {
        "shown": [
            {
                "name": curve["class"],
                "average": average[curve["class"]],
                "plot": recall_curve(
                    curve["recall"],
                    curve["precision"],
                    about=f"{isolated(curve['class'])}: precision against recall",
                ),
            }
            for curve in shown
        ],
        "num_all": len(curves),
    }


def scatter_view(scores: dict[str, Any]) -> Markup | None:
    """Scores against the truth, where one score says how much."""
    if not scores["scatter"]:
        return None
    return scatter_chart(
        scores["scatter"],
        x_label="truth",
        y_label="out-of-fold score",
        about="out-of-fold score against truth",
    )


def groups_view(scores: dict[str, Any]) -> dict[str, Any] | None:
    """Groups with the worst rows first."""
    found = scores["by_group"]
    if found is None:
        return None
    top = max((group["distance"] for group in found["groups"]), default=1.0)
    return {
        "measure": "mean distance",
        "said": "the mean distance of scores from perfect ones",
        **found,
        "groups": [
            {**group, "bar": share_strip(group["distance"], top, look="b")}
            for group in found["groups"]
        ],
    }


def samples_view(material: Material, scores: dict[str, Any]) -> dict[str, Any]:
    """The worst samples and some that went well, with their pictures."""
    return {
        "worst": [_sample(material, sample) for sample in scores["worst"][:_MAX_WORST]],
        "well": [_sample(material, sample) for sample in scores["well"]],
    }


def _sample(material: Material, sample: dict[str, Any]) -> dict[str, Any]:
    pictures = material.pictures
    return {
        **sample,
        "picture": None if pictures is None else pictures.of(sample["id"]),
        "is_right": sample["label"] == sample["answer"],
        "said": [(name, score_text(value, 3)) for name, value in sample["scores"].items()][:2],
    }


def _cell(number: int, share: float, unit: str) -> str:
    if unit == "rows" or not number:
        return str(number or "")
    if 0.995 <= share < 1:
        return ">99"
    return f"{100 * share:.0f}" if share >= 0.005 else "<1"


def _confused(
    labels: list[str], counts: np.ndarray, shares: np.ndarray, most: int
) -> list[dict[str, Any]]:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    pairs = [(int(at) // len(labels), int(at) % len(labels)) for at in order]
    return [
        {
            "label": labels[i],
            "answer": labels[j],
            "count": int(off[i, j]),
            "share": float(shares[i, j]),
        }
        for i, j in pairs
        if off[i, j]
    ]
