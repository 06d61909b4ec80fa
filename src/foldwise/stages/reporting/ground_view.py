"""The ground the scores stand on: the audit and the folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise import samples as samples_file
from foldwise.stages.reporting.errors_view import heat
from foldwise.stages.reporting.material import Material
from foldwise.stages.reporting.strips import share_strip
from foldwise.stages.reporting.words import percent, score_text
from foldwise.stages.scoring.error_tables import in_words

_MAX_PAIRS = 12
_MAX_CLASSES = 40
#: More classes make the table of sizes too wide.
_MAX_SIZE_CLASSES = 12
_MAX_SIZES = 12
#: A class's share in a fold over its share in all rows, minus 1, from which a cell is coloured.
_STEPS = (0.05, 0.15, 0.3)


def audit_view(material: Material) -> dict[str, Any] | None:
    """Counts, sizes, duplicates as pairs of pictures, and the shortcut; None before the audit."""
    found = material.audit
    if found is None:
        return None
    top = max((row["count"] for row in found["classes"]), default=1)
    duplicates = found["duplicates"]
    return {
        "num_train": found["num_train"],
        "num_test": found["num_test"],
        "damaged": _damaged(material),
        "classes": [
            {**row, "bar": share_strip(row["count"], top)}
            for row in found["classes"][:_MAX_CLASSES]
        ],
        "num_classes": len(found["classes"]),
        "sizes": _sizes(found),
        "num_sizes": found["num_sizes"],
        "formats": ", ".join(f"{name} ({n:,})" for name, n in found["formats"].items()),
        "modes": ", ".join(f"{name} ({n:,})" for name, n in found["modes"].items()),
        "shortcut": found["shortcut"],
        "num_pairs": duplicates["inside_train"],
        "num_twins": duplicates["num_twins"],
        "num_conflicts": duplicates["num_label_conflicts"],
        "conflicts": _pairs(material, duplicates["label_conflicts"]),
        "twins": _pairs(material, duplicates["twins"]),
        "pairs": _pairs(material, duplicates["pairs"], inside_train=True),
        "warnings": found["warnings"],
    }


def folds_view(material: Material) -> dict[str, Any] | None:
    """Rows of each fold and each class's share in it; None before `split`."""
    problem, folds = material.problem, material.folds
    if problem is None or folds is None:
        return None
    numbers = sorted(set(folds.tolist()))
    inside = [folds == fold for fold in numbers]
    groups = material.tried(lambda: problem.groups)
    view: dict[str, Any] = {
        "folds": numbers,
        "rows": [int(part.sum()) for part in inside],
        "groups": None if groups is None else [len(np.unique(groups[part])) for part in inside],
    }
    if not problem.task.has_classes:
        target = problem.target.astype(np.float64)
        view["values"] = [
            {
                "mean": score_text(float(target[part].mean())),
                "std": score_text(float(target[part].std())),
            }
            for part in inside
        ]
        return {**view, "lines": [], "num_classes": 0, "worst": None}
    strata = problem.task.strata(problem.target)
    is_class = _memberships(problem.competition.classes, strata)
    shares = np.stack([is_class[part].mean(axis=0) for part in inside])
    every = is_class.mean(axis=0)
    off = np.abs(shares - every).max(axis=0)
    shown = np.sort(np.argsort(-off, kind="stable")[:_MAX_CLASSES])
    view["lines"] = [
        {
            "name": problem.competition.classes[c],
            "all": percent(float(every[c])),
            "cells": [
                {"text": percent(float(share)), "look": _leaning(float(share), float(every[c]))}
                for share in shares[:, c]
            ],
        }
        for c in shown
    ]
    return {**view, "num_classes": len(every), "worst": percent(float(off.max())), "values": None}


def _memberships(classes: tuple[str, ...], target: np.ndarray) -> np.ndarray:
    """(N, C) 0/1, whether a row has the class; grades are classes here."""
    if target.ndim == 2:
        return target.astype(np.float64)
    is_class: np.ndarray = target[:, None] == np.arange(len(classes))
    return is_class.astype(np.float64)


def _leaning(share: float, every: float) -> str:
    """Class of a cell: `u1` to `u3` above the share in all rows, `d1` to `d3` below."""
    if every <= 0:
        return ""
    off = share / every - 1
    step = sum(abs(off) >= limit for limit in _STEPS)
    return "" if step == 0 else f"{'u' if off > 0 else 'd'}{step}"


def _sizes(found: dict[str, Any]) -> dict[str, Any] | None:
    table = found["sizes"]
    if table is None:
        return None
    labels = table["labels"]
    keep = len(labels) if len(labels) - 1 <= _MAX_SIZE_CLASSES else 1
    rows = table["rows"][:_MAX_SIZES]
    return {
        "labels": labels[:keep],
        "rows": [
            {
                "size": f"{row['width']} × {row['height']}",
                "cells": [
                    {
                        "count": n,
                        "look": "" if k == 0 else _cell(n, row["counts"][0]),
                    }
                    for k, n in enumerate(row["counts"][:keep])
                ],
            }
            for row in rows
        ],
        "hidden": table["hidden"] + len(table["rows"]) - len(rows),
    }


def _cell(number: int, of: int) -> str:
    return heat(number / of if of else 0.0)


def _damaged(material: Material) -> list[dict[str, str]]:
    if material.problem is None:
        return []
    frame = samples_file.read(material.home.samples).frame
    bad = frame[frame["damaged"] != ""]
    return [
        {"id": str(name), "file": str(file), "reason": str(reason)}
        for name, file, reason in zip(bad["id"], bad["file"], bad["damaged"], strict=True)
    ]


def _pairs(
    material: Material, pairs: list[dict[str, Any]], *, inside_train: bool = False
) -> list[dict[str, Any]]:
    if material.pictures is None:
        return []
    labels = _labels(material)
    if inside_train:
        pairs = [pair for pair in pairs if pair["a"] in labels and pair["b"] in labels]
    return [
        {
            **pair,
            "pictures": [material.pictures.of(pair[side]) for side in ("a", "b")],
            "labels": [labels.get(pair[side], "in test") for side in ("a", "b")],
        }
        for pair in pairs[:_MAX_PAIRS]
    ]


def _labels(material: Material) -> dict[str, str]:
    problem = material.problem
    assert problem is not None
    words = in_words(problem.target, problem.competition.classes)
    return dict(zip(map(str, problem.train.ids), words, strict=True))
