"""What a person reads of a blend: its members, what it is worth, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from foldwise import parts
from foldwise.stages.display import Display
from foldwise.stages.scoring.references import find_reference

_WORDS = {
    "gain": "gain",
    "loss": "loss: it is better to leave it",
    "undecided": "undecided: not shown to be better than what is simpler",
}


def tell(show: Display, record: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    """Show a blend's members, its gains and notes.

    Args:
        show: where.
        record: the blend's.
        scores: its `scores.json`.
    """
    if show.quiet:
        return
    show.console.print(members_table(record, scores))
    if "gate" in record:
        show.say(f"gate: {record['gate']['name']}, which says whether a class is in an image")
    lines, decided = gain_lines(record), gain_as_decided(record, scores)
    for line in lines:
        show.say(line)
    if decided is not None:
        size = _with_ends(decided["gain"]["point"], decided["gain"])
        show.say(f"each by its own decision, as handed in: {size} over the best member")
    highest = gain_over_highest(record, scores)
    if highest is not None:
        size = _with_ends(highest["gain"]["point"], highest["gain"])
        show.say(f"over {highest['run']} by its own decision, highest on these rows: {size}")
    if lines:
        last = decided if decided is not None and is_of_maps(record) else record["gain"]
        show.say(f"verdict: {_WORDS[last['verdict']]}")
    for note in record["notes"]:
        show.say(note)
    advice = (record["diversity"] or {}).get("advice")
    if advice:
        show.say(advice)
    for member in record["members"]:
        for note in member["notes"]:
            show.warn(f"{member['name']}: {note}")


def members_table(record: Mapping[str, Any], scores: Mapping[str, Any]) -> Table:
    """Each member with weight, own score, and what the blend owes to it."""
    metric = scores["metric"]["label"]
    table = Table(title=f"{scores['run']}: {parts.name_of(record['method'])}", title_justify="left")
    alone = f"{metric} alone, fixed decision" if is_of_maps(record) else f"{metric} alone"
    titles = ("member", "weight", alone, "lost without it", "adds cross-fitted")
    for title in titles:
        is_name = title == "member"
        table.add_column(title, justify="left" if is_name else "right", overflow="fold")
    for member in record["members"]:
        worth = member["worth"] or {"lost_without": None, "added": None}
        table.add_row(
            member["name"],
            f"{member['weight']:z.3f}",
            f"{member['score']:z.4f}",
            "" if worth["lost_without"] is None else f"{worth['lost_without']:+z.4f}",
            "" if worth["added"] is None else _with_ends(worth["added"], worth),
        )
    used = {member["worth"]["num_rows"] for member in record["members"] if member["worth"]}
    if used and max(used) < scores["num_rows"]:
        table.caption = f"the last two columns from {max(used)} of {scores['num_rows']} rows"
    return table


def gain_lines(record: Mapping[str, Any]) -> list[str]:
    """What a blend is worth over its best member and over the plain mean; positive is better.

    The plain mean of all members is not compared with itself, nor the single member of a pair.
    """
    gain = record["gain"]
    if (
        "gate" in record and len(record["members"]) == 1
    ):  # A pair: what its gate is worth, its decision says.
        return []
    lines = [_line(f"over the best member ({gain['best_member']})", gain["over_best"])]
    is_mean = parts.name_of(record["method"]) == "mean"
    if not is_mean or len(set(gain["weights"].values())) > 1:
        lines.append(_line("over the plain mean of all members", gain["over_mean"]))
    covers = gain["over_best"]["covers"]
    if covers is not None:
        lines.append(f"95 % intervals in brackets: {covers}")
    elif gain["over_best"]["cross_fitted"] is None:
        lines.append("one fold is too few to cross-fit")
    else:
        lines.append("too few rows or groups for an interval")
    return lines


def is_of_maps(record: Mapping[str, Any]) -> bool:
    """Whether a blend is of maps; then only its gain as decided is a verdict."""
    return bool(record["blend"]["takes"] == "maps")


def gain_as_decided(record: Mapping[str, Any], scores: Mapping[str, Any]) -> Any | None:
    """The gain over the best member where answers are decided otherwise than by the fixed decision.

    Args:
        record: the blend's; its own gains are those of scores, under the fixed decision.
        scores: its `scores.json`.

    Returns:
        The reference `best_member` of the scores, with its paired `gain`; None where it is no news.
    """
    return _if_news(
        find_reference(scores, "best_member"), record["gain"]["over_best"]["cross_fitted"]
    )


def gain_over_highest(record: Mapping[str, Any], scores: Mapping[str, Any]) -> Any | None:
    """The gain over the member that scores highest on these rows, each by its own decision.

    Args:
        record: the blend's.
        scores: its `scores.json`.

    Returns:
        The reference `highest_member` of the scores, which was chosen on the rows it is scored on;
        None where the best member is that one, or the record's naive gain is this one.
    """
    return _if_news(find_reference(scores, "highest_member"), record["gain"]["over_best"]["naive"])


def _if_news(reference: Any | None, told: float | None) -> Any | None:
    """The reference if the gain over it is another than the one that is told already."""
    if reference is None or reference["gain"] is None or told is None:
        return None
    return reference if abs(reference["gain"]["point"] - told) > 1e-9 else None


def _line(over: str, gain: Mapping[str, Any]) -> str:
    naive = f"{over}: {gain['naive']:+z.4f} naive"
    if gain["cross_fitted"] is None:
        return naive
    return f"{naive}, {_with_ends(gain['cross_fitted'], gain)} cross-fitted"


def _with_ends(value: float, ends: Mapping[str, Any]) -> str:
    if ends["low"] is None:
        return f"{value:+z.4f}"
    return f"{value:+z.4f} ({ends['low']:+z.4f} to {ends['high']:+z.4f})"
