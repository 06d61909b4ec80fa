"""Shows files on their way, and what is waited for elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from foldwise import device as machine
from foldwise.platforms import kaggle_line
from foldwise.platforms.kaggle_datasets import Shown
from foldwise.platforms.kaggle_transfer import Step
from foldwise.stages.display import Display
from foldwise.stages.progress import duration

T = TypeVar("T")

_EVERY_S = 20.0
#: Between two looks, in seconds; the last one stays.
_LOOKS = (5.0, 10.0, 20.0, 30.0, 60.0)
_SAID_EVERY_S = 300.0


def moving(show: Display) -> Shown:
    """What shows the progress of a file: a bar on a terminal, sparse lines elsewhere."""

    @contextlib.contextmanager
    def shown(name: str, size: int) -> Iterator[Step]:
        if show.quiet or not show.console.is_terminal:
            yield _Lines(show, name, size)
            return
        columns = (TextColumn("  {task.description}"), BarColumn(bar_width=24), DownloadColumn())
        with Progress(
            *columns, TimeRemainingColumn(), console=show.console, transient=True
        ) as progress:
            task = progress.add_task(name, total=size or None)
            yield lambda done: progress.update(task, completed=done)

    return shown


class _Lines:
    """A line now and then."""

    def __init__(self, show: Display, name: str, size: int) -> None:
        self._show, self._name, self._size = show, name, size
        self._said = machine.monotonic()

    def __call__(self, done: int) -> None:
        now = machine.monotonic()
        if now - self._said < _EVERY_S:
            return
        self._said = now
        of = f" of {self._size / 1e6:.1f}" if self._size else ""
        self._show.say(f"  {self._name}: {done / 1e6:.1f}{of} MB")


def wait_for(
    look: Callable[[], T], *, is_over: Callable[[T], bool], words: Callable[[T], str], show: Display
) -> T:
    """Look again and again until it is over; it may be interrupted, and gone on with.

    Args:
        look: asks how it stands.
        is_over: whether it will not change any more.
        words: how it stands, for people.
        show: where that is said: when it changes, and every five minutes.

    Returns:
        How it stands in the end.
    """
    started = said_at = machine.monotonic()
    said, num_looks = "", 0
    status = show.console.status("") if show.console.is_terminal and not show.quiet else None
    with status or contextlib.nullcontext():
        while not is_over(found := look()):
            now = machine.monotonic()
            text = words(found)
            line = f"{text}, {duration(now - started)} so far"
            if status is not None:
                status.update(f"  {line}")
            elif text != said or now - said_at >= _SAID_EVERY_S:
                show.say(f"  {line}; Ctrl-C is safe, the same command goes on waiting")
                said, said_at = text, now
            kaggle_line.pause(_LOOKS[min(num_looks, len(_LOOKS) - 1)])
            num_looks += 1
    return found
