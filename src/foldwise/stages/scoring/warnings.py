"""What a person must be told about a score, one sentence each."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise import samples as samples_file
from foldwise.metrics.ranking import unscored_classes
from foldwise.predictions import Predictions
from foldwise.stages.scoring.held_out import HeldOut

#: Test over out-of-fold spread outside this range is called out. Means over fold models are less
#: spread out, so the lower end is the farther one.
_SPREAD_RANGE = (0.6, 1.3)
_FEWEST_TEST_ROWS = 20


def spread(held: HeldOut, test: Predictions) -> dict[str, Any] | None:
    """Standard deviations of out-of-fold and test scores; test means are less spread out.

    Returns:
        `oof` and `test`: square root of the mean variance over columns; `ratio` test over oof;
        `num_test`: test rows.
        None without test rows, and of maps.
    """
    if not len(test) or test.kind == "map":
        return None
    oof = float(np.sqrt(held.scores.var(axis=0).mean()))
    other = float(np.sqrt(test.scores.var(axis=0).mean()))
    return {
        "oof": oof,
        "test": other,
        "ratio": other / oof if oof > 0 else None,
        "num_test": len(test),
    }


def warnings(held: HeldOut, scores: dict[str, Any]) -> list[str]:
    """The warnings of a run whose `scores.json` is filled in so far."""
    return [
        *_undefined(scores),
        *_how(scores),
        *_incomplete(scores),
        *_folds(scores),
        *_references(scores),
        *_spread(scores),
        *_classes(held),
        *_damaged(held),
    ]


def _undefined(scores: dict[str, Any]) -> list[str]:
    reason = scores["undefined"]
    return [f"the metric is undefined on these rows: {reason}"] if reason else []


def _how(scores: dict[str, Any]) -> list[str]:
    how = scores["how"]
    return [] if how["got"] == "cross-fitted" else [f"{how['got']} score: {how['sentence']}"]


def _incomplete(scores: dict[str, Any]) -> list[str]:
    if scores["complete"]:
        return []
    missing = ", ".join(map(str, scores["missing_folds"]))
    return [
        f"fold {missing} not done: the score covers {scores['num_rows']} of "
        f"{scores['num_train']} rows"
    ]


def _folds(scores: dict[str, Any]) -> list[str]:
    outside = []
    for fold in scores["folds"]:
        ends, score = fold["expected"], fold["score"]
        if ends is not None and score is not None and not ends[0] <= score <= ends[1]:
            outside.append(
                f"fold {fold['fold']} scores {score:.4f}, outside the {ends[0]:.4f} to "
                f"{ends[1]:.4f} that the other folds lead one to expect (3 standard errors of "
                "as many of their rows): look at its groups and labels"
            )
    return outside


def _references(scores: dict[str, Any]) -> list[str]:
    found, below = [], []
    # Of several frozen heads each has its own entry; the best of them is one of those.
    is_frozen = _frozen_entries(scores["references"])
    for reference in scores["references"]:
        gain = reference["gain"]
        if gain is None or gain["point"] >= 0 or reference["name"] == "highest_member":
            continue  # The last is chosen on these rows: to lose against it says little.
        ends = f" ({gain['low']:+z.4f} to {gain['high']:+z.4f})" if gain["low"] is not None else ""
        by = f"by {-gain['point']:.4f}{ends}"
        if reference["name"] == is_frozen and reference["run"] == f"{scores['run']}/reference":
            found.append(
                f"fine-tuning ended below its own frozen reference {by}: the frozen head "
                f"{reference['run']} is the better member"
            )
        elif reference["name"] == is_frozen:
            below.append(f"{reference['run']} {by}")
        elif reference["name"] == "best_member":
            if reference["verdict"] == "loss":
                found.append(f"its {reference['label']} scores higher {by}")
        elif reference["name"] != "frozen" and (
            reference["verdict"] == "loss" or gain["low"] is None
        ):
            found.append(f"it scores far below the reference {reference['label']!r} {by}")
    if below:
        heads = "reference" if len(below) == 1 else "references"
        found.append(f"it scores below the frozen {heads} {', '.join(below)}")
    return found


def _frozen_entries(references: list[dict[str, Any]]) -> str:
    """The name of those entries that stand for one frozen head each."""
    return "one_frozen" if any(r["name"] == "one_frozen" for r in references) else "frozen"


def _spread(scores: dict[str, Any]) -> list[str]:
    found = scores["spread"]
    if found is None or found["ratio"] is None or found["num_test"] < _FEWEST_TEST_ROWS:
        return []
    low, high = _SPREAD_RANGE
    if low <= found["ratio"] <= high:
        return []
    less = found["ratio"] < low
    return [
        f"test scores are {'less' if less else 'more'} spread out than out-of-fold scores "
        f"(standard deviation {found['test']:.4g} against {found['oof']:.4g}): "
        + (
            "more than averaging fold models explains; thresholds and cuts may not carry over"
            if less
            else "test images may differ from train images"
        )
    ]


def _classes(held: HeldOut) -> list[str]:
    classes = held.problem.competition.classes
    if not held.problem.task.has_classes:
        return []
    is_map = held.problem.task.kind == "map"
    target = held.problem.task.strata(held.target) if is_map else held.target
    missing = [classes[c] for c in unscored_classes(target, len(classes))]
    if not missing:
        return []
    return [f"classes without positives among these rows, not scored: {', '.join(missing)}"]


def _damaged(held: HeldOut) -> list[str]:
    frame = samples_file.read(held.problem.home.samples).frame
    bad = frame[frame["damaged"] != ""]
    if not len(bad):
        return []
    in_test = int((bad["split"] == "test").sum())
    return [
        f"{len(bad)} damaged images are not scored, {in_test} of them in test, where the mean of "
        "the test scores stands in for them"
    ]
