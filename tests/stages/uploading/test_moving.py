"""What is seen of files on their way and of waiting."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from foldwise import device
from foldwise.stages.display import Display
from foldwise.stages.uploading.moving import moving, wait_for
from tests.stages.uploading.conftest import Shown


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock: its hand."""
    hand = [0.0]
    monkeypatch.setattr(device, "monotonic", lambda: hand[0])
    return hand


def terminal() -> tuple[Display, io.StringIO]:
    text = io.StringIO()
    return Display(Console(file=text, force_terminal=True, width=100)), text


def test_lines_come_now_and_then(shown: Shown, clock: list[float]) -> None:
    with moving(shown.display)("a.zip", 50_000_000) as step:
        for seconds in range(50):
            clock[0] = seconds
            step(seconds * 1_000_000)
    lines = [line.strip() for line in shown.text.getvalue().splitlines()]
    assert lines == ["a.zip: 20.0 of 50.0 MB", "a.zip: 40.0 of 50.0 MB"]


def test_a_terminal_shows_a_bar() -> None:
    display, text = terminal()
    with moving(display)("a.zip", 50_000_000) as step:
        step(25_000_000)
    assert "25.0/50.0 MB" in text.getvalue()


def test_waiting_is_said_when_it_changes_and_every_five_minutes(
    shown: Shown, clock: list[float]
) -> None:
    states = iter(["queued"] * 3 + ["running"] * 7 + ["done"])

    def look() -> str:
        clock[0] += 60
        return next(states)

    end = wait_for(look, is_over=lambda it: it == "done", words=str, show=shown.display)
    assert end == "done"
    lines = [line.strip().partition(";")[0] for line in shown.text.getvalue().splitlines()]
    assert lines == [
        "queued, 1 min 00 s so far",
        "running, 4 min 00 s so far",
        "running, 9 min 00 s so far",
    ]


def test_a_terminal_shows_how_it_stands() -> None:
    display, text = terminal()
    states = iter(["queued", "done"])
    wait_for(lambda: next(states), is_over=lambda it: it == "done", words=str, show=display)
    assert text.getvalue() != ""
