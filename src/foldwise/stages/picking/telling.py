"""The picks as a person sees them: a table of the candidates and the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from foldwise.stages.display import Display


def tell(show: Display, result: Mapping[str, Any]) -> None:
    """Show the candidates, the most promising first, and why the picks were chosen."""
    for reason in result["left_out"].values():
        show.warn(f"left out: {reason}")
    if show.quiet:
        return
    split = result["split"]
    title = (
        f"{result['metric']['label']} on {split['num_private']} private {split['units']}; "
        f"public share {split['public_share']:g}"
    )
    table = Table(title=title, title_justify="left")
    for column in ("", "run", "cv", "public", "private", "90 %", "first", "climbs"):
        table.add_column(
            column, justify="left" if column in ("", "run") else "right", overflow="fold"
        )
    sign = -1 if result["metric"]["higher_is_better"] else 1
    rows = sorted(result["candidates"], key=lambda row: sign * row["private"]["expected"])
    for row in rows:
        private, climb = row["private"], row["climb"]
        table.add_row(
            "*" if row["is_picked"] else "",
            row["name"],
            f"{row['cv']:.4f}" + ("" if row["how"] == "cross-fitted" else f" {row['how']}"),
            "" if row["public"] is None else f"{row['public']:.4f}",
            f"{private['expected']:.4f}",
            f"{private['low']:.4f} to {private['high']:.4f}",
            f"{row['chance_first']:.0%}",
            f"{climb[0]:+.0f} to {climb[-1]:+.0f}",
        )
    show.console.print(table)
    show.say(f"pick {', '.join(result['picks'])}")
    for reason in result["reasons"]:
        show.say(f"  {reason}")
