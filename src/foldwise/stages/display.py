"""What a person sees of long work: a live line per unit on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from foldwise.stages.progress import duration, last_line

_PLAIN_EVERY_S = 20.0


class _Console(Console):
    """One whose reader may go away: hours of work do not end because nobody listens."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass
class Display:
    """Shows messages and the progress of units.

    Attributes:
        console: where to.
        quiet: only what must be known.
    """

    console: Console = field(default_factory=lambda: _Console(highlight=False, soft_wrap=True))
    quiet: bool = False
    _warned: set[str] = field(default_factory=set)
    _spoken: float = field(default_factory=time.monotonic)

    def say(self, text: str, *, style: str | None = None) -> None:
        """A line."""
        if not self.quiet:
            self.console.print(text, style=style, markup=False)

    def warn(self, text: str) -> None:
        """A line that is shown even when quiet, but never twice."""
        if text in self._warned:
            return
        self._warned.add(text)
        self.console.print(f"! {text}", style="yellow", markup=False)

    def silent(self) -> Display:
        """One that shows nothing at all."""
        return Display(Console(quiet=True), quiet=True)

    def ended(self, name: str, error: str | None, *notes: str) -> None:
        """A unit is over."""
        if error is not None:
            self.warn(f"{name}: {error}")
        else:
            self.say("; ".join([f"  {name} done", *filter(None, notes)]))

    @contextlib.contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Progress with time left over `total` things; gives a function to call for each."""
        with Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=self.quiet or not self.console.is_terminal,
        ) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)

    @contextlib.contextmanager
    def watching(self, units: Sequence[tuple[str, Path]]) -> Iterator[Callable[[], None]]:
        """Follow the progress files of units; gives a function to be called now and then."""
        if self.quiet:
            yield lambda: None
        elif self.console.is_terminal:
            with self._live(units) as poll:
                yield poll
        else:
            yield lambda: self._plain(units)

    @contextlib.contextmanager
    def _live(self, units: Sequence[tuple[str, Path]]) -> Iterator[Callable[[], None]]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
        )
        started = time.time()
        with Progress(*columns, console=self.console, transient=True) as progress:
            tasks: dict[str, TaskID] = {}

            def poll() -> None:
                for name, path in units:
                    line = _line(path, started)
                    if line is None:
                        continue
                    task = tasks.setdefault(name, progress.add_task(name, total=1.0, text=""))
                    is_over = (path.parent / "unit.json").exists()
                    text, share = describe(line)
                    progress.update(task, completed=share, text=text, visible=not is_over)

            yield poll

    def _plain(self, units: Sequence[tuple[str, Path]]) -> None:
        now = time.monotonic()
        if now - self._spoken < _PLAIN_EVERY_S:
            return
        self._spoken = now
        for name, path in units:
            line = _line(path, time.time() - _PLAIN_EVERY_S)
            if line is not None and not (path.parent / "unit.json").exists():
                self.say(f"  {name}: {describe(line)[0]}")


def describe(line: dict[str, object]) -> tuple[str, float]:
    """A progress line in words with the time left, and the share that is done."""
    done, total = float(str(line["done"])), max(float(str(line["total"])), 1e-9)
    left, share = line.get("left"), done / total
    tail = "" if left is None else f" · {duration(float(str(left)))} left"
    middle = f" · {line['text']}" if line["text"] else f" {done:.0f}/{total:.0f}"
    return f"{line['phase']}{middle}{tail}", share


def _line(path: Path, since: float) -> dict[str, object] | None:
    with contextlib.suppress(OSError):
        if path.stat().st_mtime >= since:
            return last_line(path)
    return None
