from __future__ import annotations

from typing import Any

import pytest

from foldwise.stages.reporting.mask_decision_view import mask_decision_view

CLASSES = ("hole", "crack", "dent")
FIXED = {"thresholds": 0.5, "smallest_areas": 0}


def _step(*, fitted: bool = False, name: str = "masks", **options: Any) -> dict[str, Any]:
    return {"name": name, "options": options, "fitted": fitted}


def _gain(point: float, low: float | None) -> dict[str, Any]:
    high = None if low is None else 2 * point - low
    return {"point": point, "low": low, "high": high, "covers": "54 groups", "num_rows": 108}


def _scores() -> dict[str, Any]:
    groups = zip(CLASSES, (18, 5, 7), strict=True)
    return {
        "score": 0.6,
        "how": {"got": "cross-fitted"},
        "metric": {"higher_is_better": True},
        "decision": {"naive_score": 0.65},
        "by_class": [{"class": name, "groups": num} for name, num in groups],
    }


def _stored(step: dict[str, Any], *folds: dict[str, Any], **choice: Any) -> dict[str, Any]:
    kinds = {str(k): "fitted" if fold["fitted"] else "fixed" for k, fold in enumerate(folds)}
    made = {"asked": "auto", "reason": "r", "gain": None, "masks": [], "folds": kinds}
    return {
        "steps": [step],
        "folds": {str(k): {"steps": [fold]} for k, fold in enumerate(folds)},
        "inputs": {"fixed": {"steps": [_step(**FIXED)]}},
        "choice": {**made, **choice},
    }


def test_values_stand_by_class_beside_the_fixed_ones_and_the_folds() -> None:
    final = _step(fitted=True, thresholds=[0.25, 0.4, 0.4], smallest_areas=[9, 2000, 2000])
    other = _step(fitted=True, thresholds=[0.2, 0.4, 0.4], smallest_areas=[7, 2000, 2000])
    view = mask_decision_view(_scores(), _stored(final, final, other), CLASSES)["masks"]
    assert view["columns"] == ["threshold", "smallest part, px"]
    first, second, _ = view["lines"]
    assert first["cells"] == [
        {"value": "0.250", "fixed": "0.500", "folds": "0.200 to 0.250"},
        {"value": "9", "fixed": "0", "folds": "7 to 9"},
    ]
    assert second["cells"][1] == {"value": "2,000", "fixed": "0", "folds": "2,000"}
    assert "fewer than 8 groups show each" in view["shared"]
    assert view["shared"].endswith("chance: \u2068crack\u2069 (5), \u2068dent\u2069 (7).")


def test_options_that_do_nothing_anywhere_are_left_out() -> None:
    plain = _step(fitted=True, **FIXED, top_scores=[0.0, 0.0, 0.0], fill=False)
    gated = _step(
        fitted=True,
        **FIXED,
        chances=[[0.0, 1.0, 1.0]] * 3,
        least_chances=[0.0, 0.3, 0.3],
        largest_only=[True, False, True],
    )
    assert (
        len(mask_decision_view(_scores(), _stored(plain, plain), CLASSES)["masks"]["columns"]) == 2
    )
    view = mask_decision_view(_scores(), _stored(plain, plain, gated), CLASSES)["masks"]
    assert view["columns"][2:] == ["least chance that it is there", "largest part alone"]
    assert view["lines"][1]["cells"][2] == {
        "value": "0.000",
        "fixed": "0.000",
        "folds": "0.000 to 0.300",
    }
    assert view["lines"][0]["cells"][3]["folds"] == "yes in 1 of 2"


def test_a_class_that_is_never_answered_is_told() -> None:
    never = _step(fitted=True, thresholds=[256 / 255, 0.5, 0.5], smallest_areas=[0, 0, 0])
    view = mask_decision_view(_scores(), _stored(never), CLASSES)["masks"]
    assert view["lines"][0]["cells"][0]["value"] == "none answered"


def test_each_rung_stands_over_the_last_that_won() -> None:
    tried = [
        {
            "steps": ["shapes"],
            "is_used": False,
            "reason": "does not",
            "gain": _gain(0.001, -0.1),
        },
        {"steps": ["gated_chances"], "is_used": True, "reason": "does", "gain": _gain(0.02, 0.01)},
    ]
    stored = _stored(_step(**FIXED, fitted=True), gain=_gain(0.3, 0.2), reason="wins", masks=tried)
    view = mask_decision_view(_scores(), stored, CLASSES)
    assert [row["name"] for row in view["plots"]["rows"]] == [
        "a threshold and smallest area for all classes over the fixed decision",
        "shapes over a threshold and smallest area for all classes",
        "chances by gate and top pixels over the best before it",
    ]
    assert [row["verdict"] for row in view["plots"]["rows"]] == ["gain", "undecided", "gain"]
    assert view["masks"]["ladder"] == ["Wins.", "Does not.", "Does."]


def test_a_gain_without_an_interval_is_no_rung_to_stand_on() -> None:
    stored = _stored(_step(**FIXED), gain=_gain(0.3, None))
    stored["choice"]["masks"] = [
        {"steps": ["gated_chances"], "is_used": False, "reason": "r", "gain": _gain(0.1, None)}
    ]
    rows = mask_decision_view(_scores(), stored, CLASSES)["plots"]["rows"]
    assert [row["name"] for row in rows][
        1
    ] == "chances by gate and top pixels over the best before it"


@pytest.mark.parametrize(
    ("asked", "words"), [("auto", "they won cross-fitted"), ("fitted", "asked")]
)
def test_it_is_said_why_values_are_fitted(asked: str, words: str) -> None:
    stored = _stored(_step(**FIXED, fitted=True), asked=asked)
    assert words in mask_decision_view(_scores(), stored, CLASSES)["sentence"]


def test_folds_that_chose_otherwise_are_named() -> None:
    fitted, fixed = _step(**FIXED, fitted=True), _step(**FIXED)
    view = mask_decision_view(_scores(), _stored(fitted, fitted, fixed, fitted), CLASSES)
    assert view["folds"].startswith("The folds do not agree: without 1 the fixed decision")
    assert mask_decision_view(_scores(), _stored(fitted, fitted), CLASSES)["folds"] is None


def test_the_surest_class_has_no_values() -> None:
    step = _step(name="surest_class")
    view = mask_decision_view(_scores(), _stored(step), CLASSES)
    assert view["masks"]["lines"] == []
    assert view["masks"]["shared"] is None
    assert "highest probability" in view["sentence"]
