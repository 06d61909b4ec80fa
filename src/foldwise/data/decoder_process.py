"""The run's side of one decoding process: its pipes, its open jobs, how it ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from foldwise.data import wire

# A pipe that holds a picture or two lets the decoder go on while the run is busy.
_PIPE_BYTES = 1 << 20
_KILL_S = 2.0
# One thread each: the processes are the parallelism, and threads cost address space. glibc keeps
# up to 64 MiB of freed memory, else every picture's pages are fetched from the kernel anew.
_SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}


class DecoderProcess:
    """A child that decodes; answers come in the order of the jobs.

    Attributes:
        jobs: what it was given and has not answered, the one in work first.
        since: monotonic time of the last sign of life.
        is_ready: it has said that it started.
    """

    def __init__(self, setup: dict[str, Any]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  Lives as long as the child.
        self._child = subprocess.Popen(
            # -P: a file of the user's named json.py must not be imported.
            [sys.executable, "-P", "-m", "foldwise.data.decoder_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            env=_environment(),
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._input, self.output = self._child.stdin.fileno(), self._child.stdout.fileno()
        for descriptor in (self._input, self.output):
            os.set_blocking(descriptor, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux only.
            with contextlib.suppress(OSError):  # Above the user's limit: the pipe stays small.
                fcntl.fcntl(self.output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.jobs: deque[tuple[int, Any]] = deque()
        self.since = time.monotonic()
        self.is_ready = False
        self._outbox: deque[memoryview] = deque()
        self._header = memoryview(bytearray(wire.PREFIX.size))
        self._filled = 0
        self._body: memoryview | None = None
        self._send(setup)

    def give(self, index: int, job: Any, header: dict[str, Any], blob: wire.Blob = b"") -> None:
        """Queue a job; `job` is only remembered."""
        if not self.jobs:
            self.since = time.monotonic()
        self.jobs.append((index, job))
        self._send(header, blob)

    @property
    def input_to_poll(self) -> int | None:
        """Its input's descriptor while something waits to be written there."""
        return self._input if self._outbox else None

    def write(self) -> None:
        """Write what the pipe takes now."""
        while self._outbox:
            try:
                written = os.write(self._input, self._outbox[0])
            except BlockingIOError:
                return
            except BrokenPipeError:  # It died; the end of its output will tell.
                self._outbox.clear()
                return
            self._outbox[0] = self._outbox[0][written:]
            if not self._outbox[0]:
                self._outbox.popleft()

    def read(self) -> Iterator[tuple[dict[str, Any], memoryview] | None]:
        """The whole messages that have come; None at last if the process has ended."""
        while True:
            target = self._header if self._body is None else self._body
            try:
                count = os.readv(self.output, [target[self._filled :]])
            except BlockingIOError:
                return
            if count == 0:
                yield None
                return
            self.since = time.monotonic()
            self._filled += count
            if self._filled == len(target):
                self._filled = 0
                if self._body is None:
                    self._body = memoryview(bytearray(sum(wire.PREFIX.unpack(self._header))))
                else:
                    yield self._message(self._body)
                    self._body = None

    def has_news(self) -> bool:
        """Whether there is something to read this moment."""
        poll = select.poll()
        poll.register(self.output, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self) -> None:
        """End the process now, and free what it held."""
        self._child.kill()
        # A process that hangs in the kernel (a dead network disk) dies when it can, not now.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=_KILL_S)
        for stream in (self._child.stdin, self._child.stdout, self._errors):
            if stream is not None:
                stream.close()

    def ending(self) -> tuple[int, str]:
        """Exit status (negative: signal) of the ended process and what it last said."""
        status = self._child.wait()
        self._errors.seek(0)
        return status, self._errors.read()[-2000:].decode(errors="replace").strip()

    def _send(self, header: dict[str, Any], blob: wire.Blob = b"") -> None:
        self._outbox.extend(memoryview(piece) for piece in wire.pack(header, [blob]) if len(piece))
        self.write()

    def _message(self, body: memoryview) -> tuple[dict[str, Any], memoryview]:
        size = wire.PREFIX.unpack(self._header)[0]
        return json.loads(bytes(body[:size])), body[size:]


def signal_name(status: int) -> str:
    """How a process ended: `signal 11, SIGSEGV` or `status 3`."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {-status}, {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


def _environment() -> dict[str, str]:
    package = str(Path(__file__).resolve().parents[2])
    paths: Sequence[str] = [package, *(path for path in sys.path if path)]
    return {**os.environ, **_SETTINGS, "PYTHONPATH": os.pathsep.join(paths)}
