"""Training and saving beside each other, each in a process that a hanging folder cannot stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foldwise import device as machine
from foldwise.time_records import MACHINE_VARIABLE

#: How long a save may take when nothing is known of it.
_SAVE_S = 600.0


class Training:
    """`foldwise run` on a competition.

    Args:
        home: the competition's folder.
        name: of the machine, for the records of time.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._process = _started(["run", str(home)], {MACHINE_VARIABLE: name})

    @property
    def code(self) -> int | None:
        """How it ended; None: it still works."""
        return self._process.poll()

    def stop(self, within_s: float) -> None:
        """End it as by Ctrl-C: units save their state; killed if that takes too long."""
        if self.code is None:
            self._process.send_signal(signal.SIGINT)
            _ended(self._process, within_s)


@dataclass
class Saving:
    """Brings what is trained into a store, one `foldwise sync` at a time.

    A store that cannot be reached, hangs or is full is told, and tried again the next time.

    Attributes:
        home: the competition's folder.
        store: where to.
        max_bytes: that the store may take.
        durations: of the saves that went well, in seconds.
        problems: what the last save said, if it went wrong or something had no room.
    """

    home: Path
    store: Path
    max_bytes: int | None = None
    durations: list[float] = field(default_factory=list)
    problems: str = ""
    _process: subprocess.Popen[str] | None = None
    _started: float = 0.0

    @property
    def is_on(self) -> bool:
        """Whether a save is being made."""
        return self._process is not None

    def begin(self) -> None:
        """Start a save, unless one is being made."""
        if self._process is None:
            limit = [] if self.max_bytes is None else ["--max-bytes", str(self.max_bytes)]
            command = ["sync", str(self.home), str(self.store), *limit, "--quiet"]
            self._process = _started(command, {}, is_heard=True)
            self._started = machine.monotonic()

    def poll(self, within_s: float = _SAVE_S) -> bool:
        """Whether a save ended now; one that takes longer than allowed is broken off."""
        if self._process is None:
            return False
        passed = machine.monotonic() - self._started
        if self._process.poll() is None and passed <= within_s:
            return False
        if self._process.poll() is None:
            _given_up(self._process)
            self.problems = f"broken off after {passed:.0f} s"
        else:
            said = self._process.communicate()[0].strip()
            self.problems = said if self._process.returncode else ""
            if not self._process.returncode:
                self.durations.append(passed)
        self._process = None
        return True

    def finish(self, within_s: float) -> bool:
        """Make a whole save now and wait for it.

        Returns:
            Whether it went well.
        """
        deadline = machine.monotonic() + within_s
        while self.is_on and not self.poll(deadline - self._started):
            time.sleep(0.1)
        self.begin()
        while self.is_on and not self.poll(deadline - self._started):
            time.sleep(0.1)
        return not self.problems


def _started(
    arguments: Sequence[str], variables: dict[str, str], *, is_heard: bool = False
) -> subprocess.Popen[str]:
    """A `foldwise` of this Python that dies with this process."""
    return subprocess.Popen(
        [sys.executable, "-m", "foldwise", *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE if is_heard else None,
        stderr=subprocess.STDOUT if is_heard else None,
        text=True,
        process_group=0,  # An interrupt of the notebook is the session's to pass on, once.
        preexec_fn=machine.die_with_parent,
    )


def _ended(process: subprocess.Popen[str], within_s: float) -> None:
    try:
        process.wait(max(within_s, 1.0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _given_up(process: subprocess.Popen[str]) -> None:
    """Kill a process, but do not wait long for it: the kernel keeps what hangs in a dead mount."""
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
