"""Writes one HTML file to keep or send: every number of the competition and what it rests on."""

from __future__ import annotations

import time
from pathlib import Path

from foldwise import device as machine
from foldwise.home import Home
from foldwise.publish import publish_text
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.reporting.material import gather
from foldwise.stages.reporting.page import page
from foldwise.stages.reporting.words import megabytes


def report(home: Home, *, display: Display | None = None) -> Path:
    """Write `report.html` from whatever the other stages have left so far.

    The file asks for nothing from anywhere: styles, charts and small pictures are in it, and
    names, ids and texts from the data are escaped. What cannot be read is told in it. The same
    material gives the same bytes but for the line that says when it was written and the day's
    count of uploads.

    Args:
        home: the competition.
        display: where the file's size is told.

    Returns:
        The file.

    Raises:
        ConfigError: `competition.yaml` is absent or wrong.
    """
    show = display or Display()
    started = machine.monotonic()
    material = gather(home)
    written = f"Report written {time.strftime('%Y-%m-%d %H:%M:%S %z')}"
    text = page(material, written=written)
    publish_text(home.report, text)
    show.say(
        f"report of {megabytes(len(text.encode()))} written in "
        f"{duration(machine.monotonic() - started)}"
    )
    return home.report
