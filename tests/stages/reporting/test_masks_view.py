from __future__ import annotations

from typing import Any

from foldwise.stages.reporting.masks_view import masks_view


def _numbers(**changes: Any) -> dict[str, Any]:
    made = {"score": 0.95, "mean_dice": 0.95, "dice_nonempty": 0.4, "headroom": 0.2}
    return {**made, "hit": 3, "there": 4, "false_alarms": 0.02, **changes}


def _scores(**masks: Any) -> dict[str, Any]:
    parts = {"class": "hole", "found": [0, 3], "there": [2, 4], "false": [7, 0]}
    bins = [{"low": 0.0, "high": 0.1, "mean": 0.02, "share": 0.25, "pairs": 8, "groups": 2}]
    ranks = {"class": "hole", "rows": 6, "roc_auc": None, "average_precision": 1.0}
    found = {
        "pairs": {"num": 100, "num_nonempty": 6, "all_empty": 0.94},
        "beside": {"cross_fitted": _numbers(), "naive": _numbers(dice_nonempty=0.5, hit=4)},
        "by_size": [{"smallest": 3, "largest": 1200, "pairs": 6, "dice": 0.4, "missed": 0.25}],
        "parts": {"bins": [[1, 3], [4, 15]], "by_class": [parts]},
        "evidence": [
            {
                "label": "tops",
                "is_fitted": True,
                "bins": bins,
                "by_class": [{**ranks, "there": 0.9, "absent": None}],
            }
        ],
    }
    row = {"class": "hole", "rows": 6, "groups": 4, "dice": 0.95, "dice_nonempty": 0.4}
    return {
        "metric": {"label": "mean Dice"},
        "by_group": {"columns": ["burst"]},
        "by_class": [{**row, "iou": 0.3, "recall": 0.75, "false_alarms": 0.2}],
        "masks": {**found, **masks},
    }


def test_a_run_of_numbers_has_no_masks() -> None:
    assert masks_view({"by_class": []}) is None


def test_cross_fitted_and_naive_stand_side_by_side() -> None:
    view = masks_view(_scores())
    assert view is not None
    told = {row["name"]: (row["value"], row["naive"]) for row in view["beside"]}
    assert told == {
        "mean Dice": ("0.9500", "0.9500"),
        "Dice on non-empty pairs": ("0.4000", "0.5000"),
        "recall of defects": ("75 % (3 of 4)", "100 % (4 of 4)"),
        "share of the headroom over empty masks": ("0.2000", "0.2000"),
        "false alarms": ("2 %", "2 %"),
    }
    assert "empty masks have a mean Dice of 0.9400" in view["beside"][3]["said"]
    assert "of 94 empty pairs" in view["beside"][4]["said"]
    assert view["beside"][2]["said"].startswith("\u2068burst\u2069s with a class")


def test_where_most_truths_are_there_nothing_is_told_of_empty_masks() -> None:
    full = _scores(
        pairs={"num": 100, "num_nonempty": 90, "all_empty": 0.1},
        beside={"cross_fitted": _numbers(), "naive": None},
    )
    view = masks_view({**full, "by_group": None})
    assert view is not None
    assert [row["name"] for row in view["beside"]] == [
        *("mean Dice", "Dice on non-empty pairs", "false alarms")
    ]
    assert not view["has_naive"]
    assert view["unit"] == "image"


def test_parts_are_told_by_size_and_class() -> None:
    view = masks_view(_scores())
    assert view is not None
    small, large = view["parts"]["rows"]
    assert (small["size"], large["size"]) == ("1 to 3", "4 to 15")
    assert small["all"] == {"text": "0 of 2", "look": "w5"}
    assert (small["false"], large["false"]) == (7, 0)
    assert large["cells"] == [{"text": "3 of 4", "look": "w2"}]
    assert [chart["name"] for chart in view["parts"]["charts"]] == ["hole"]
    assert view["classes"][0]["parts"] == "3 of 6"
    assert view["classes"][0]["false_parts"] == 7


def test_masks_are_told_by_size() -> None:
    (row,) = masks_view(_scores())["sizes"]
    assert (row["range"], row["pairs"]) == ("3 to 1,200", 6)
    assert (row["dice"], row["missed"]) == (
        {"text": "0.400", "look": "w3"},
        {"text": "25 %", "look": "w2"},
    )


def test_false_alarms_are_worse_the_more_there_are() -> None:
    (row,) = masks_view(_scores())["classes"]
    assert (row["alarms"], row["alarms_look"]) == ("20 %", "w1")


def test_evidence_is_told_with_its_counts() -> None:
    (one,) = masks_view(_scores())["evidence"]
    assert one["is_fitted"]
    assert one["bins"] == [
        {"range": "0.0 to 0.1", "pairs": 8, "groups": 2, "mean": "0.02", "share": "25 %"}
    ]
    assert one["by_class"][0]["absent"] == "–"
    assert [cell["text"] for cell in one["by_class"][0]["cells"]] == ["–", "1.000"]
