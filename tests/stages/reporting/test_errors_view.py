from __future__ import annotations

import numpy as np

from foldwise.metrics.per_class import confusion_matrix
from foldwise.stages.reporting.errors_view import class_table, confusion_view


def _scores(num_classes: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    target = rng.integers(0, num_classes, 4000)
    preds = np.where(rng.random(4000) < 0.8, target, rng.integers(0, num_classes, 4000))
    counts = confusion_matrix(preds, target, num_classes=num_classes).astype(int).tolist()
    labels = [f"c{k}" for k in range(num_classes)]
    rows = [{"class": name, "rows": 0, "precision": None, "recall": 0.5} for name in labels]
    return {"confusion": {"labels": labels, "counts": counts}, "by_class": rows}


def test_matrix_and_totals_are_the_counts() -> None:
    scores = _scores(8)
    view = confusion_view(scores)
    assert view is not None
    counts = np.array(scores["confusion"]["counts"])  # type: ignore[index]
    assert [[cell["count"] for cell in row["cells"]] for row in view["matrix"]] == counts.tolist()
    assert view["num_right"] == np.trace(counts)
    assert view["num_rows"] == 4000


def test_two_hundred_classes_become_the_thirty_commonest_confusions() -> None:
    scores = _scores(200)
    view = confusion_view(scores)
    assert view is not None
    assert view["matrix"] == []
    assert len(view["pairs"]) == 30
    off = np.array(scores["confusion"]["counts"])  # type: ignore[index]
    np.fill_diagonal(off, 0)
    assert [pair["count"] for pair in view["pairs"]] == sorted(off.ravel())[::-1][:30]


def test_columns_without_any_value_are_left_out() -> None:
    view = class_table(_scores(3))
    assert view is not None
    assert view["columns"] == ["recall"]


def test_of_pixels_the_share_of_their_class_is_told() -> None:
    counts = [[1990, 9, 1], [0, 500, 500], [0, 0, 0]]
    found = {"labels": ["a", "b", "c"], "counts": counts, "unit": "pixels"}
    view = confusion_view({"confusion": found})
    assert view is not None
    cells = [[cell["text"] for cell in row["cells"]] for row in view["matrix"]]
    assert cells == [[">99", "<1", "<1"], ["", "50", "50"], ["", "", ""]]
    assert view["unit"] == "pixels"
    assert view["pairs"][0] == {"label": "b", "answer": "c", "count": 500, "share": 0.5}
