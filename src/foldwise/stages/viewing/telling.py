"""What `views` says: the table, the proposed set, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from foldwise.config.writing import in_flow
from foldwise.stages.display import Display
from foldwise.stages.progress import duration


def tell(show: Display, found: Mapping[str, Any]) -> None:
    """Show what was found of a run's views."""
    if not show.quiet:
        show.console.print(_table(found))
    tell_left_out(show, found["left_out"])
    for name, why in found["doubts"].items():
        show.warn(f"{name}: {why}")
    for sentence in sentences(found):
        show.say(sentence)


def tell_left_out(show: Display, left_out: Mapping[str, str]) -> None:
    """Say which views are not measured, and why."""
    for name, why in left_out.items():
        show.say(f"  not measured: {name}: {why}")


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What to do, in sentences; the line to paste last."""
    plain, chosen, own = found["plain"], found["chosen"], found["own"]
    is_proved = found["proposed"] == list(chosen["views"]) and len(chosen["views"]) > 1
    proposed = chosen if is_proved else plain
    said = []
    if is_proved:
        said.append(f"{_listed(chosen)} wins cross-fitted, the choice included: {_gain(chosen)}")
    elif len(chosen["views"]) > 1:
        said.append(
            f"no set is proved to be better than the image as it is; the best found, "
            f"{_listed(chosen)}, cross-fitted: {_gain(chosen)}, at {_times(chosen, plain)} the time"
        )
    else:
        said.append("no view raises the score of the image as it is")
    if list(own["views"]) not in (list(proposed["views"]), list(chosen["views"])):
        said.append(f"the recipe's own, {_listed(own)}: {_gain(own)}")
    said += found.get("notes", ())
    seconds = proposed["seconds"] * found["num_test"] / 1000
    said.append(
        f"proposed, {proposed['seconds']:.3g} s for 1,000 images on this machine, about "
        f"{duration(seconds)} for the {found['num_test']} test rows and one network (reading them, "
        f"once for all views, adds {found['read']:.3g} s for 1,000):"
    )
    said.append(f"  views: {in_flow(list(proposed['views']))}")
    return said


def _table(found: Mapping[str, Any]) -> Table:
    title = (
        f"{found['run']}: {found['metric']} {_score(found['plain'])} by the image as it is, "
        f"{found['num_rows']} rows, {found['num_folds']} folds"
    )
    table = Table(title=title, title_justify="left")
    for column in ("with it", "score", "gain", "interval", "s / 1,000 images", "verdict"):
        is_word = column in ("with it", "verdict")
        table.add_column(column, justify="left" if is_word else "right", overflow="fold")
    for worth in sorted(found["single"], key=lambda worth: -_point(worth)):
        _add(table, worth["views"][-1], worth)
    table.add_section()
    for worth in found["steps"]:
        _add(table, f"{len(worth['views'])} views: + {worth['views'][-1]}", worth)
    return table


def _add(table: Table, name: str, worth: Mapping[str, Any]) -> None:
    gain = worth["gain"]
    is_known = gain is not None and gain["low"] is not None
    ends = f"{gain['low']:+.4f} to {gain['high']:+.4f}" if is_known else "none"
    point = "–" if gain is None else f"{gain['point']:+z.4f}"
    table.add_row(
        name, _score(worth), point, ends, f"{worth['seconds']:.3g}", worth["verdict"]
    )  # fmt: skip


def _gain(worth: Mapping[str, Any]) -> str:
    gain = worth["gain"]
    if gain is None:
        return "undefined"
    if gain["low"] is None:
        return f"{gain['point']:+z.4f}, no interval can be given"
    return f"{gain['point']:+z.4f}, {gain['low']:+z.4f} to {gain['high']:+z.4f} ({gain['covers']})"


def _times(worth: Mapping[str, Any], plain: Mapping[str, Any]) -> str:
    return f"{worth['seconds'] / max(plain['seconds'], 1e-9):.1f} times"


def _listed(worth: Mapping[str, Any]) -> str:
    return in_flow(list(worth["views"]))


def _point(worth: Mapping[str, Any]) -> float:
    return 0.0 if worth["gain"] is None else float(worth["gain"]["point"])


def _score(worth: Mapping[str, Any]) -> str:
    return "undefined" if worth["score"] is None else f"{worth['score']:.4f}"
