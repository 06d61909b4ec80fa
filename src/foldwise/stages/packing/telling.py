"""Shows a plan: score against time, the order of work, and what was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from foldwise.stages.answering.rounds import Round
from foldwise.stages.display import Display
from foldwise.stages.packing.choosing import Answering
from foldwise.stages.packing.planning import Option
from foldwise.stages.progress import duration


def tell(found: Answering, show: Display) -> None:
    """Show the frontier, the rounds and what was left out."""
    chosen = found.planned.chosen
    if not show.quiet:
        show.console.print(_frontier(found.planned.frontier, chosen))
        show.console.print(_rounds(found.rounds, found.start_s))
    score = found.planned.score
    told = "" if score is None else f", {score:.4f} cross-fitted"
    show.say(
        f"chosen: {chosen.subset.node.name}{told}; about {duration(chosen.seconds)} of "
        f"{duration(found.limit_s)}"
    )
    for note in found.notes:
        show.warn(note)


def _frontier(options: Sequence[Option], chosen: Option) -> Table:
    table = Table(title="score against time", title_justify="left")
    for column in ("members", "score", "time"):
        table.add_column(column, justify="left" if column == "members" else "right")
    labels = {option.label for option in options}
    for option in [*options, *([] if chosen.label in labels else [chosen])]:
        mark = " (chosen)" if option.label == chosen.label else ""
        score = option.subset.score
        shown = "" if score is None else f"{score:.4f}"
        table.add_row(option.label + mark, shown, duration(option.seconds))
    return table


def _rounds(rounds: Sequence[Round], start_s: float) -> Table:
    table = Table(title="order of work: a whole submission after each round", title_justify="left")
    for column in ("round", "units", "handed in", "score", "done after"):
        table.add_column(column, justify="left" if column in ("units", "handed in") else "right")
    spent = start_s
    for number, each in enumerate(rounds, start=1):
        spent += each.seconds + each.hand_in_s
        score = "" if each.score is None else f"{each.score:.4f}"
        table.add_row(
            str(number), ", ".join(each.units), each.node.name, score, duration(spent)
        )  # fmt: skip
    return table
