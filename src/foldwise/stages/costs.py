"""Tells what training took: hours and money by run and machine, and what is left of quotas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.table import Table

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.metrics import METRICS, bind
from foldwise.stages.display import Display
from foldwise.stages.recipes import load_plan
from foldwise.stages.spending.accounts import Accounts, MachineAccount, RunAccount, accounts
from foldwise.time_records import read_records

#: What is said of sessions' time that no unit was trained in.
OVERHEAD = "(between units)"


@dataclass(frozen=True)
class _Column:
    title: str
    is_number: bool = True


_MACHINES = (
    _Column("machine", False),
    _Column("device", False),
    *map(_Column, ("hours", "money", "counted", "left")),
    _Column("renewed (UTC)", False),
)
_RUNS = (
    _Column("run", False),
    *map(_Column, ("hours", "money", "processes", "score", "gain", "gain/h")),
)


def costs(home: Home, *, now: datetime | None = None, display: Display | None = None) -> Accounts:
    """Add up the time of all processes, killed and repeated ones included.

    Args:
        home: the competition; nothing in it is written.
        now: with a time zone; None: the clock.
        display: where the tables are shown.

    Raises:
        ConfigError: competition or plan are wrong.
        DataError: a record of time is damaged.
    """
    show = display or Display()
    found = accounts_of(home, now or datetime.now(UTC))
    if not found.runs:
        show.say("nothing was trained yet")
        return found
    show.console.print(_table(_MACHINES, [_machine_cells(one) for one in found.machines]))
    show.console.print(_table(_RUNS, [_run_cells(one) for one in found.runs]))
    total = f"{hours(found.seconds)} h in all"
    show.say(total + (f", {found.money:.2f} of money" if found.money else ""))
    untold = _untold(home, found)
    if untold:
        show.warn(f"trained before time was recorded, so not counted: {', '.join(untold)}")
    return found


def accounts_of(home: Home, now: datetime, *, damaged: list[str] | None = None) -> Accounts:
    """What `costs` tells.

    Args:
        home: the competition.
        now: with a time zone.
        damaged: takes in which records of time cannot be read; None: that is an error.
    """
    competition = load(home.competition, Competition)
    metric = bind(METRICS, competition.metric, code=home.code)
    machines = load_plan(home).machines if home.plan.is_file() else {}
    scores = {}
    for name in home.run_names():
        known = read_json(home.run(name).scores)
        if known is not None and known["score"] is not None:
            scores[name] = float(known["score"])
    return accounts(
        read_records(home.costs, damaged=damaged),
        machines,
        scores,
        higher_is_better=metric.higher_is_better,
        now=now,
    )


def hours(seconds: float) -> str:
    """Hours with as many digits as say something.

    >>> hours(45), hours(5400), hours(90_000)
    ('0.013', '1.50', '25.0')
    """
    whole = seconds / 3600
    return f"{whole:.3f}" if whole < 0.1 else f"{whole:.2f}" if whole < 10 else f"{whole:.1f}"


def _untold(home: Home, found: Accounts) -> list[str]:
    """Runs of recipes with trained units of which no process was counted."""
    told = {account.name for account in found.runs}
    return [
        name
        for name in home.run_names()
        if name not in told and any((home.runs / name / "units").glob("*/unit.json"))
    ]


def _machine_cells(one: MachineAccount) -> tuple[str, ...]:
    left = renewed = ""
    if one.quota is not None:
        left, renewed = hours(one.quota.left_s), f"{one.quota.renewed:%a %Y-%m-%d %H:%M}"
    counted = f"{hours(one.period_s)} this {one.per}"
    device = ", ".join(one.devices)
    return one.name, device, hours(one.seconds), _money(one.money), counted, left, renewed


def _run_cells(one: RunAccount) -> tuple[str, ...]:
    return (
        one.name or OVERHEAD,
        hours(one.seconds),
        _money(one.money),
        str(one.num_processes or ""),
        "" if one.score is None else f"{one.score:.4f}",
        "" if one.gain is None else f"{one.gain:.4f}",
        "" if one.gain_per_hour is None else f"{one.gain_per_hour:.3g}",
    )


def _money(value: float) -> str:
    return f"{value:.2f}" if value else ""


def _table(columns: tuple[_Column, ...], rows: list[tuple[str, ...]]) -> Table:
    """A table of the columns in which something stands."""
    shown = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for place in shown:
        column = columns[place]
        table.add_column(
            column.title, justify="right" if column.is_number else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    return table
