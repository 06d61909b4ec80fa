"""The time a unit's training still takes, from what its epochs have really taken so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from foldwise.stages.scheduling.phases import Kind
from foldwise.stages.scheduling.rates import Rates


@dataclass
class _Spent:
    seconds: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.count += 1

    @property
    def mean(self) -> float:
        return self.seconds / self.count


@dataclass
class Pace:
    """Times steps of each kind, and what comes between epochs.

    Kinds that have not been trained yet are expected to take what the forecast says, by as much
    longer or shorter as those that have.

    Attributes:
        kinds: of each epoch.
        num_steps: of an epoch.
        valid_share: rows that are scored after an epoch, for each that is trained on.
        rates: the forecast; None: kinds are told apart by their pixels alone.
        clock: seconds.
    """

    kinds: Sequence[Kind]
    num_steps: int
    valid_share: float = 0.0
    rates: Rates | None = None
    clock: Callable[[], float] = time.monotonic
    _steps: dict[Kind, _Spent] = field(default_factory=dict)
    _ends: _Spent = field(default_factory=_Spent)
    _mark: float | None = None

    def step(self, epoch: int) -> None:
        """A step of this epoch is over; the first of all only starts the clock."""
        seconds = self._lap()
        if seconds is not None:
            self._steps.setdefault(self.kinds[epoch], _Spent()).add(seconds)

    def epoch_end(self) -> None:
        """The held-out rows are scored and the state is saved."""
        seconds = self._lap()
        if seconds is not None:
            self._ends.add(seconds)

    def left(self, epoch: int, step: int) -> float | None:
        """Seconds after this step of this epoch; None: nothing is known yet."""
        if not self._steps:
            return None
        coming = (self.num_steps - step - 1) * self._step_s(self.kinds[epoch])
        coming += sum(self.num_steps * self._step_s(kind) for kind in self.kinds[epoch + 1 :])
        return coming + (len(self.kinds) - epoch) * self._end_s(self.kinds[epoch])

    def _lap(self) -> float | None:
        before, self._mark = self._mark, self.clock()
        return None if before is None else self._mark - before

    def _step_s(self, kind: Kind) -> float:
        if kind in self._steps:
            return self._steps[kind].mean
        spent = sum(found.seconds for found in self._steps.values())
        expected = sum(found.count * self._expected(seen) for seen, found in self._steps.items())
        return self._expected(kind) * spent / expected

    def _end_s(self, kind: Kind) -> float:
        if self._ends.count:
            return self._ends.mean
        # A pass forward takes as long as a step of the head alone.
        forward = self._step_s(kind) * Kind("head", kind.size).work / kind.work
        return self.valid_share * self.num_steps * forward

    def _expected(self, kind: Kind) -> float:
        """Of an image, in a unit of its own."""
        return kind.work if self.rates is None else 1.0 / self.rates.of(kind)
