"""The tables and sentences of a comparison on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from foldwise.stages.comparing.sentences import correction, peeking
from foldwise.stages.display import Display


def tell(show: Display, found: dict[str, Any]) -> None:
    """Show a comparison's result; warnings even when quiet."""
    if not show.quiet:
        _show_tables(show, found)
    for note in found["notes"]:
        show.warn(note)
    for entry in found["against_first"]:
        for sentence in entry["sentences"]:
            show.say(sentence)
        for warning in entry["warnings"]:
            show.warn(warning)
    if "against_best" in found:
        show.say(correction(len(found["runs"])))
    if any(entry["how"] != "samples" for entry in found["against_first"]):
        show.say(peeking(found["level"]))


def _show_tables(show: Display, found: dict[str, Any]) -> None:
    scores = Table(title=f"{found['metric']} on {found['num_rows']} rows", title_justify="left")
    for column in ("run", "all seeds", "one seed", "seeds", "spread of seeds"):
        scores.add_column(column, justify="left" if column == "run" else "right", overflow="fold")
    for run in found["runs"]:
        scores.add_row(
            run["name"], _number(run["score"]), _number(run["seed_mean"]),
            str(len(run["seeds"]) or "none"), _number(run["seed_sd"]),
        )  # fmt: skip
    show.console.print(scores)
    best = f"best by {found['best_by']}"
    for key, title in (("against_first", "first"), ("against_best", best)):
        if key in found:
            show.console.print(_pairs(found[key], title, found["level"]))


def _pairs(entries: Sequence[dict[str, Any]], title: str, level: float) -> Table:
    name = entries[0]["reference"]
    table = Table(title=f"against the {title}, {name}", title_justify="left")
    for column in ("run", "better by", f"{level:.0%} interval", "paired seeds", "p", "verdict"):
        table.add_column(
            column, justify="left" if column in ("run", "verdict") else "right", overflow="fold"
        )
    for entry in entries:
        ends = "none" if entry["low"] is None else f"{entry['low']:+.4f} to {entry['high']:+.4f}"
        table.add_row(
            entry["challenger"], f"{entry['difference']:+.4f}", ends, str(len(entry["seeds"])),
            _number(entry["p_corrected"]), entry["verdict"],
        )  # fmt: skip
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
