"""Looks for what would make a score lie: duplicates, twins, shortcuts, rare classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from foldwise.auditing.duplicates import DuplicateReport
from foldwise.auditing.several import find_among_samples
from foldwise.auditing.tables import class_counts, find_size_shortcut, size_by_class
from foldwise.config.writing import fingerprint
from foldwise.data.cache import Cache
from foldwise.data.hashes import MAX_EQUAL, near_pairs
from foldwise.data.spec import THUMB
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.samples import Samples
from foldwise.stages.display import Display
from foldwise.tasks.problem import Problem, open_problem

_VERSION = 2
_MAX_LISTED = 200
_MAX_SIZES = 40


def audit(
    home: Home, *, problem: Problem | None = None, display: Display | None = None
) -> dict[str, Any]:
    """Audit the samples and write `audit.json`.

    Returns:
        What was written: counts, sizes by class, duplicate groups and pairs, train-test twins,
        label conflicts, the size shortcut, and `warnings`, one sentence each.
    """
    show = display or Display()
    problem = problem or open_problem(home)
    inputs = {
        "version": _VERSION,
        "samples": fingerprint(
            [
                *problem.samples.ids,
                *problem.samples.image_hashes.ravel(),
                problem.target.tobytes().hex(),
            ]
        ),
    }
    if home.is_fresh("audit", inputs, home.audit):
        return dict(read_json(home.audit))
    duplicates = _duplicates(problem)
    found = _findings(problem, duplicates)
    publish_json(home.audit, found)
    home.set_fresh("audit", inputs)
    for warning in found["warnings"]:
        show.warn(warning)
    return found


def thumbnails(home: Home, samples: Samples) -> np.ndarray:
    """(N, 32, 32, 3) uint8."""
    cache = Cache.open(home.cache, THUMB)
    return np.stack([cache.get(sha) for sha in samples.hashes])


def _labels(problem: Problem) -> list[object]:
    """The label of each sample as text; None for test rows."""
    columns = problem.competition.columns.target
    if not columns:
        return [*_classes_shown(problem), *[None] * len(problem.test)]
    cells = [problem.train.cells(column) for column in columns]
    return [" ".join(row) for row in zip(*cells, strict=True)] + [None] * len(problem.test)


def _classes_shown(problem: Problem) -> list[str]:
    """The classes that each train sample shows, where no column says so."""
    names = problem.competition.classes
    shown = problem.task.strata(problem.target)
    return [
        " ".join(name for name, there in zip(names, row, strict=True) if there) for row in shown
    ]


def _duplicates(problem: Problem) -> DuplicateReport:
    return find_among_samples(
        problem.samples,
        thumbnails(problem.home, problem.samples.every_image()),
        near_pairs,
        labels=_labels(problem) if problem.task.has_classes else None,
    )


def _findings(problem: Problem, duplicates: DuplicateReport) -> dict[str, Any]:
    samples, train = problem.samples, problem.train
    sizes = train.frame[["width", "height"]].to_numpy()
    labels = _labels(problem)[: len(train)]
    is_classes = problem.task.one_of_classes
    table = size_by_class(sizes, labels) if is_classes else None
    shortcut = find_size_shortcut(sizes, labels) if is_classes else None
    inside = duplicates.pairs[
        (duplicates.pairs["i"] < len(train)) & (duplicates.pairs["j"] < len(train))
    ]
    found = {
        "num_train": len(train),
        "num_test": len(problem.test),
        "classes": _records(class_counts(labels)) if is_classes else _label_counts(problem),
        "sizes": None if table is None else _size_table(table),
        "num_sizes": len(np.unique(sizes, axis=0)),
        "modes": samples.frame["mode"].value_counts().to_dict(),
        "formats": samples.frame["format"].value_counts().to_dict(),
        "duplicates": {
            "groups": duplicates.groups.tolist(),
            "ids": list(samples.ids),
            "inside_train": len(inside),
            "pairs": _pairs(duplicates.pairs, samples),
            "twins": _pairs(duplicates.twins, samples),
            "label_conflicts": _pairs(duplicates.label_conflicts, samples),
            "num_twins": _num_twins(duplicates, samples),
            "is_cut": duplicates.is_cut,
            "most_equal": _most_equal(samples.every_image()),
            "num_label_conflicts": len(duplicates.label_conflicts),
        },
        "shortcut": None
        if shortcut is None
        else {
            "level": shortcut.level,
            "left_out": shortcut.left_out,
            "majority": shortcut.majority,
            "note": shortcut.note,
        },
    }
    found["warnings"] = _warnings(problem, found)
    return found


def _warnings(problem: Problem, found: dict[str, Any]) -> list[str]:
    warnings = []
    duplicates = found["duplicates"]
    least = "at least " if duplicates["is_cut"] else ""
    if duplicates["inside_train"]:
        warnings.append(
            f"{least}{_counted(duplicates['inside_train'], 'pair')} of (near) duplicate images "
            "inside train: they share a fold"
        )
    if duplicates["num_twins"]:
        warnings.append(
            f"test images with a (near) duplicate in train: {least}"
            f"{duplicates['num_twins']}; "
            "the leaderboard will look better than new images would"
        )
    if duplicates["num_label_conflicts"]:
        warnings.append(
            f"different labels on {least}"
            f"{_counted(duplicates['num_label_conflicts'], 'pair')} of (near) duplicates"
        )
    if duplicates["most_equal"] > MAX_EQUAL:
        warnings.append(
            f"{duplicates['most_equal']} different images share one perceptual hash (all flat, or "
            "of one fixed camera): most of them were compared with a few only, so some "
            "duplicates may be in different folds; a group column is surer"
        )
    shortcut = found["shortcut"]
    if shortcut is not None and shortcut["note"]:
        warnings.append(shortcut["note"])
    if problem.task.one_of_classes:
        counts = np.bincount(problem.target, minlength=problem.num_classes)
        rare = [
            f"{name} ({count})"
            for name, count in zip(problem.competition.classes, counts, strict=True)
            if count < 10
        ]
        if rare:
            warnings.append(f"classes with fewer than 10 images: {', '.join(rare)}")
    return warnings


def _num_twins(duplicates: DuplicateReport, samples: Samples) -> int:
    """Test rows that have a (near) duplicate in train; the pairs are of contents, not of rows."""
    is_test = (samples.frame["split"] == "test").to_numpy()
    if samples.num_images > 1:
        return int(np.isin(duplicates.groups, duplicates.groups[~is_test])[is_test].sum())
    ends = duplicates.twins[["i", "j"]].to_numpy().ravel()
    contents = set(samples.hashes[ends[is_test[ends]]])
    return sum(sha in contents for sha in samples.hashes[is_test])


def _most_equal(images: Samples) -> int:
    """The most images of different content that share one perceptual hash."""
    counts = images.frame.drop_duplicates("sha256")["phash"].value_counts()
    return int(counts.max()) if len(counts) else 0


def _label_counts(problem: Problem) -> list[dict[str, Any]]:
    if not problem.task.has_classes:
        return []
    ones = problem.task.strata(problem.target).sum(axis=0)
    return [
        {"label": name, "count": int(count), "share": float(count) / len(problem.target)}
        for name, count in zip(problem.competition.classes, ones, strict=True)
    ]


def _size_table(table: pd.DataFrame) -> dict[str, Any]:
    shown = table.head(_MAX_SIZES)
    return {
        "labels": [str(name) for name in shown.columns],
        "rows": [
            {"width": int(width), "height": int(height), "counts": [int(v) for v in counts]}
            for (width, height), counts in zip(shown.index, shown.to_numpy(), strict=True)
        ],
        "hidden": max(0, len(table) - _MAX_SIZES),
    }


def _pairs(pairs: pd.DataFrame, samples: Samples) -> list[dict[str, Any]]:
    ids = samples.ids
    return [
        {
            "a": str(ids[row["i"]]),
            "b": str(ids[row["j"]]),
            "kind": row["kind"],
            "distance": int(row["distance"]),
            "likeness": round(float(row["likeness"]), 4),
        }
        for row in pairs.head(_MAX_LISTED).to_dict("records")
    ]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"label": str(row["label"]), "count": int(row["count"]), "share": float(row["share"])}
        for row in frame.to_dict("records")
    ]


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
