"""Ctrl-C in a process that trains: its state is saved before it ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interruption:
    """Whether somebody asked for an end; looked at between steps."""

    is_asked: bool = False


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """Note SIGINT instead of breaking off wherever it comes; whoever is inside ends in order.

    Off the main thread no signal can be had: nothing is ever asked there.
    """
    asked = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        asked.is_asked = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
