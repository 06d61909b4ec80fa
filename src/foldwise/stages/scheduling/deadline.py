"""A deadline that is kept: what still runs then is broken off, as by Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from foldwise import device as machine
from foldwise.errors import BudgetError


class _TimeUp(BaseException):
    """Passes through `except Exception`, so that nobody takes it for a mistake of the input."""


@contextlib.contextmanager
def kept(stop_at: float | None, doing: str) -> Iterator[None]:
    """Break off what runs inside once its time is up; files being written are left as they were.

    Off the main thread no signal can be had: there the time is looked at before the start only.

    Args:
        stop_at: on the monotonic clock; None: no limit.
        doing: what is done inside, for the message: `writing the report`.

    Raises:
        BudgetError: the time was up, before or during it.
    """
    if stop_at is None:
        yield
        return
    left = stop_at - machine.monotonic()
    late = BudgetError(f"the time was up before or while {doing}")
    if left <= 0:
        raise late
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, left)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    except _TimeUp:
        raise late from None
