"""What every process costs in time: one small file each, kept up to date while it works."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from foldwise import device as machine
from foldwise.errors import DataError
from foldwise.json_files import read_json
from foldwise.publish import publish_json

#: A kill loses at most so much of the count.
EVERY_S = 15.0
#: Environment variable with the machine's name in the plan's `machines`.
MACHINE_VARIABLE = "FOLDWISE_MACHINE"
#: Set by the platform itself → what the machine is called.
_PLATFORMS = {"KAGGLE_KERNEL_RUN_TYPE": "kaggle", "COLAB_RELEASE_TAG": "colab"}


@dataclass(frozen=True)
class TimeRecord:
    """One process and how long it worked.

    Attributes:
        id: names its file; of no other process anywhere.
        name: what was done, such as `b/fold0-seed0`; `session`: a whole notebook session.
        machine: in the plan's `machines`.
        host: the computer's own name.
        device: such as `2 x Tesla T4`, or `cpu`.
        began: seconds since 1970, by the clock on the wall.
        seconds: since then, by the monotonic clock.
        is_over: whether it ended by itself, well or not; else it was killed or still works.
    """

    id: str
    name: str
    machine: str
    host: str
    device: str
    began: float
    seconds: float = 0.0
    is_over: bool = False

    @property
    def run(self) -> str | None:
        """The run it worked for; None: a session."""
        run, _, unit = self.name.partition("/")
        return run if unit else None


@dataclass
class Meter:
    """Counts the time of one process, in a file of its own.

    A write that fails is made good by the next one, which has the whole count: work is not given
    up because its cost could not be written down.

    Attributes:
        folder: of the records.
        name: what is done.
        age_s: seconds that it works already.
    """

    folder: Path
    name: str
    age_s: float = 0.0
    _record: TimeRecord = field(init=False)
    _started: float = field(init=False)
    _written: float = field(init=False, default=-EVERY_S)

    def __post_init__(self) -> None:
        self._started = machine.monotonic() - self.age_s
        began = time.time() - self.age_s
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(began))
        self._record = TimeRecord(
            id=f"{moment}-{secrets.token_hex(6)}",
            name=self.name,
            machine=machine_name(),
            host=socket.gethostname(),
            device=machine.accelerator(),
            began=round(began, 3),
        )
        self._write()

    def beat(self) -> None:
        """Write the count if it has not been written for a while."""
        if machine.monotonic() - self._written >= EVERY_S:
            self._write()

    def end(self) -> None:
        """Write the whole count."""
        self._record = replace(self._record, is_over=True)
        self._write()

    def _write(self) -> None:
        self._written = machine.monotonic()
        seconds = round(self._written - self._started, 3)
        self._record = replace(self._record, seconds=seconds)
        with contextlib.suppress(OSError):
            publish_json(self.folder / f"{self._record.id}.json", asdict(self._record))


def machine_name() -> str:
    """What this machine is called: by the environment, the platform, or its own name."""
    if name := os.environ.get(MACHINE_VARIABLE):
        return name
    for variable, name in _PLATFORMS.items():
        if variable in os.environ:
            return name
    return socket.gethostname()


def read_record(path: Path) -> TimeRecord:
    """A record from its file.

    Raises:
        DataError: the file is damaged.
    """
    try:
        return TimeRecord(**read_json(path))
    except TypeError as error:
        raise DataError(
            f"{path}: no record of time: {error}", remedy="delete it; its time is not counted"
        ) from None


def read_records(folder: Path, *, damaged: list[str] | None = None) -> list[TimeRecord]:
    """All records of a folder, the oldest first.

    Args:
        folder: of the records.
        damaged: takes in what is wrong with those that cannot be read, which then count nothing.

    Raises:
        DataError: one is damaged, and there is no list to say so.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read_record(path))
        except DataError as error:
            if damaged is None:
                raise
            damaged += error.problems
    return sorted(found, key=lambda record: (record.began, record.id))
