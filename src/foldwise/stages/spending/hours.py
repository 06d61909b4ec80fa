"""Whose each hour was: processes side by side share it, so that sums are hours by the clock."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from foldwise.time_records import TimeRecord


@dataclass(frozen=True)
class Stretch:
    """A time in which the same processes worked on one machine.

    Attributes:
        machine: in the plan's `machines`.
        device: what computed; `cpu`: no GPU.
        began: seconds since 1970.
        ended: the same.
        runs: that processes worked for, one entry a process; empty: a session did something else.
    """

    machine: str
    device: str
    began: float
    ended: float
    runs: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began

    @property
    def has_gpu(self) -> bool:
        """Whether it was spent on a machine with a GPU."""
        return self.device != "cpu"


def stretches(records: Sequence[TimeRecord]) -> list[Stretch]:
    """The time of all records, cut where a process began or ended; none counts twice.

    A session and the units trained in it overlap, and so do units side by side: the machine was
    used once.
    """
    by_host: dict[tuple[str, str], list[TimeRecord]] = defaultdict(list)
    for record in records:
        by_host[record.machine, record.host].append(record)
    found = [
        stretch for (machine, _), some in by_host.items() for stretch in _of_host(machine, some)
    ]
    return sorted(found, key=lambda stretch: (stretch.began, stretch.machine))


def seconds_by_run(found: Iterable[Stretch]) -> dict[str, float]:
    """Run → its share of the time; "" is what sessions spent on other things.

    >>> one = Stretch("kaggle", "Tesla T4", 0.0, 60.0, ("a", "b", "b"))
    >>> seconds_by_run([one])
    {'a': 20.0, 'b': 40.0}
    """
    shares: dict[str, float] = defaultdict(float)
    for stretch in found:
        for run in stretch.runs or ("",):
            shares[run] += stretch.seconds / max(len(stretch.runs), 1)
    return dict(shares)


def _of_host(machine: str, records: Sequence[TimeRecord]) -> Iterator[Stretch]:
    moments: dict[float, list[TimeRecord]] = defaultdict(list)
    for record in records:
        for moment in (record.began, record.began + record.seconds):
            moments[moment].append(record)
    at_work: dict[str, TimeRecord] = {}
    cuts = sorted(moments)
    for began, ended in itertools.pairwise(cuts):
        for record in moments[began]:
            if record.began == began and record.seconds:
                at_work[record.id] = record
            else:
                at_work.pop(record.id, None)
        if at_work:
            devices = sorted({record.device for record in at_work.values()} - {"cpu"})
            yield Stretch(
                machine=machine,
                device=devices[0] if devices else "cpu",
                began=began,
                ended=ended,
                runs=tuple(record.run for record in at_work.values() if record.run is not None),
            )
