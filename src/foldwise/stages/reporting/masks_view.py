"""Tables of a run of masks: what stands beside its score, classes, sizes, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foldwise.stages.reporting.errors_view import weak
from foldwise.stages.reporting.mask_charts import found_bars, reliability_chart
from foldwise.stages.reporting.strips import share_strip
from foldwise.stages.reporting.svg import isolated
from foldwise.stages.reporting.words import count, percent, score_text
from foldwise.stages.scoring.mask_beside import MOSTLY_EMPTY

#: Charts of single classes; of more those that were found least.
_MAX_CHARTS = 12


def masks_view(scores: dict[str, Any]) -> dict[str, Any] | None:
    """What the page says of masks; None where the run has none.

    Args:
        scores: the run's `scores.json`.
    """
    found = scores.get("masks")
    if found is None:
        return None
    unit = _unit(scores)
    return {
        "beside": _beside(scores, found, unit),
        "has_naive": found["beside"]["naive"] is not None,
        "all_empty": found["pairs"]["all_empty"],
        "is_empty": found["pairs"]["all_empty"] > MOSTLY_EMPTY,
        "num_pairs": found["pairs"]["num"],
        "num_nonempty": found["pairs"]["num_nonempty"],
        "unit": unit,
        "is_grouped": scores["by_group"] is not None,
        "classes": _classes(scores["by_class"], found["parts"]["by_class"]),
        "parts": _parts(found["parts"]),
        "sizes": [_size(each) for each in found["by_size"]],
        "evidence": [_evidence(each) for each in found["evidence"]],
    }


def _unit(scores: dict[str, Any]) -> str:
    """What counts as one where neighbours are alike: the groups' column, or an image."""
    groups = scores["by_group"]
    if groups is None:
        return "image"
    columns = groups["columns"]
    return isolated(columns[0]) if len(columns) == 1 else "group"


def _beside(scores: dict[str, Any], found: dict[str, Any], unit: str) -> list[dict[str, str]]:
    """Rows of the table beside the score: what it is, cross-fitted, naive, what it says."""
    crossed, naive = found["beside"]["cross_fitted"], found["beside"]["naive"]
    pairs = found["pairs"]

    def row(name: str, key: str, said: str) -> dict[str, str]:
        return {
            "name": name,
            "value": score_text(crossed[key]),
            "naive": "" if naive is None else score_text(naive[key]),
            "said": said,
        }

    rows = [row(scores["metric"]["label"], "score", "the competition's")]
    num = count(pairs["num_nonempty"], "pair")
    said = f"how well what is there is drawn: {num} of image and class; blind to false alarms"
    rows.append(row("Dice on non-empty pairs", "dice_nonempty", said))
    if pairs["all_empty"] > MOSTLY_EMPTY:
        rows.append(
            {
                "name": "recall of defects",
                "value": _hits(crossed),
                "naive": "" if naive is None else _hits(naive),
                "said": f"{unit}s with a class of which any pixel was found in any of their images",
            }
        )
        said = f"empty masks have a mean Dice of {score_text(pairs['all_empty'])}; 0 is as good"
        rows.append(row("share of the headroom over empty masks", "headroom", said))
    num_empty = count(pairs["num"] - pairs["num_nonempty"], "empty pair")
    alarms = {
        "name": "false alarms",
        "value": percent(crossed["false_alarms"]),
        "naive": "" if naive is None else percent(naive["false_alarms"]),
        "said": f"of {num_empty} answered by something",
    }
    return [*rows, alarms]


def _hits(numbers: dict[str, Any]) -> str:
    if not numbers["there"]:
        return "–"
    share = numbers["hit"] / numbers["there"]
    return f"{percent(share)} ({numbers['hit']:,} of {numbers['there']:,})"


def _classes(
    by_class: Sequence[dict[str, Any]], parts: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    top = max(row["rows"] for row in by_class)
    return [
        {
            "name": row["class"],
            "rows": row["rows"],
            "bar": share_strip(row["rows"], top, look="c"),
            "groups": row["groups"],
            "cells": [
                {"text": score_text(row[name], 3), "look": weak(row[name])}
                for name in ("dice_nonempty", "iou", "recall")
            ],
            "parts": f"{sum(part['found']):,} of {sum(part['there']):,}",
            "false_parts": sum(part["false"]),
            "alarms": percent(row["false_alarms"]),
            "alarms_look": "" if row["false_alarms"] is None else weak(1 - row["false_alarms"]),
            "dice": score_text(row["dice"]),
        }
        for row, part in zip(by_class, parts, strict=True)
    ]


def _parts(parts: dict[str, Any]) -> dict[str, Any] | None:
    """Parts found by size: a table with a column a class, and a chart each."""
    bins, by_class = parts["bins"], parts["by_class"]
    if not bins:
        return None
    all_found, all_there, all_false = (
        [sum(row[key][at] for row in by_class) for at in range(len(bins))]
        for key in ("found", "there", "false")
    )
    shown = [row for row in by_class if sum(row["there"])]
    shown.sort(key=lambda row: sum(row["found"]) / sum(row["there"]))
    worst = {row["class"] for row in shown[:_MAX_CHARTS]}
    whole = {"class": "all classes", "found": all_found, "there": all_there}
    several = [whole] if len(by_class) > 1 else []
    charts = [row for row in by_class if row["class"] in worst]
    return {
        "names": [row["class"] for row in by_class],
        "rows": [
            {
                "size": f"{low:,} to {high:,}",
                "all": _cell(all_found[at], all_there[at]),
                "false": all_false[at],
                "cells": [_cell(row["found"][at], row["there"][at]) for row in by_class],
            }
            for at, (low, high) in enumerate(bins)
        ],
        "charts": [
            {
                "name": row["class"],
                "plot": found_bars(
                    bins,
                    row["found"],
                    row["there"],
                    about=f"{isolated(row['class'])}: parts found by size",
                ),
            }
            for row in (*several, *charts)
        ],
        "num_left_out": len(shown) - len(charts),
    }


def _size(found: dict[str, Any]) -> dict[str, Any]:
    """Of the masks of one quarter by area: how well they are drawn, and how many are missed."""
    return {
        "range": f"{found['smallest']:,} to {found['largest']:,}",
        "pairs": found["pairs"],
        "dice": {"text": score_text(found["dice"], 3), "look": weak(found["dice"])},
        "missed": {"text": percent(found["missed"]), "look": weak(1 - found["missed"])},
    }


def _cell(found: int, there: int) -> dict[str, str]:
    if not there:
        return {"text": "", "look": ""}
    return {"text": f"{found:,} of {there:,}", "look": weak(found / there)}


def _evidence(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": found["label"],
        "is_fitted": found["is_fitted"],
        "plot": reliability_chart(
            found["bins"],
            x_label=found["label"],
            about=f"share of pairs whose class is there, by the {found['label']}",
        ),
        "bins": [
            {
                "range": f"{each['low']:.1f} to {each['high']:.1f}",
                "pairs": each["pairs"],
                "groups": each["groups"],
                "mean": score_text(each["mean"], 2),
                "share": percent(each["share"]),
            }
            for each in found["bins"]
        ],
        "by_class": [
            {
                "name": row["class"],
                "rows": row["rows"],
                "there": score_text(row["there"], 2),
                "absent": score_text(row["absent"], 2),
                "cells": [
                    {"text": score_text(row[name], 3), "look": weak(row[name])}
                    for name in ("roc_auc", "average_precision")
                ],
            }
            for row in found["by_class"]
        ],
    }
