"""What still runs at a deadline is broken off, and nothing is left of the alarm."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from foldwise import device as machine
from foldwise.errors import BudgetError
from foldwise.publish import publish_text
from foldwise.stages.scheduling.deadline import kept


def stubborn() -> None:
    try:
        time.sleep(30)
    except Exception:  # Nobody may take the alarm for a mistake of the input.
        time.sleep(30)


def test_what_takes_too_long_is_broken_off_in_time() -> None:
    started = machine.monotonic()
    late = pytest.raises(BudgetError, match="before or while writing the report")
    with late, kept(started + 0.1, "writing the report"):
        stubborn()
    assert machine.monotonic() - started < 5
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_what_is_over_in_time_is_left_alone(tmp_path) -> None:
    with kept(machine.monotonic() + 30, "writing"):
        publish_text(tmp_path / "a.txt", "a")
    with kept(None, "writing"):
        publish_text(tmp_path / "b.txt", "b")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_nothing_is_begun_after_the_deadline() -> None:
    with pytest.raises(BudgetError), kept(machine.monotonic() - 1, "writing"):
        pytest.fail("it was begun")


def test_off_the_main_thread_it_runs_on() -> None:
    found = []

    def work() -> None:
        with kept(machine.monotonic() + 0.05, "working"):
            time.sleep(0.1)
            found.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]
