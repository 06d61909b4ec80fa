"""What machines and runs took: hours, money, quota, and what each hour did for the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from foldwise.config.plan import MachineConfig
from foldwise.stages.spending.hours import Stretch, seconds_by_run, stretches
from foldwise.stages.spending.quotas import Quota, quota, used_s
from foldwise.time_records import TimeRecord

_FREE = MachineConfig()


@dataclass(frozen=True)
class MachineAccount:
    """A machine's use.

    Attributes:
        name: in the plan's `machines`.
        devices: what computed there.
        seconds: by the clock, in all.
        period_s: in the period that now is, as its quota counts.
        per: which period.
        money: in all.
        quota: None: it has none.
    """

    name: str
    devices: tuple[str, ...]
    seconds: float
    period_s: float
    per: str
    money: float
    quota: Quota | None


@dataclass(frozen=True)
class RunAccount:
    """What a run took and gave.

    Attributes:
        name: of the run; "": what sessions spent on other things, such as installing.
        seconds: its share of the machines' time, killed and repeated work included.
        money: its share.
        num_processes: that worked for it.
        score: its score; None: not evaluated.
        gain: by how much it is better than the best run begun before it, at least 0; None: the
            first with a score, or none.
    """

    name: str
    seconds: float
    money: float
    num_processes: int
    score: float | None
    gain: float | None

    @property
    def gain_per_hour(self) -> float | None:
        """Gain of the score for each hour it took."""
        return None if self.gain is None or not self.seconds else self.gain / self.seconds * 3600


@dataclass(frozen=True)
class Accounts:
    """All of it; the runs' seconds and money add up to the machines'."""

    machines: tuple[MachineAccount, ...]
    runs: tuple[RunAccount, ...]

    @property
    def seconds(self) -> float:
        """By the clock, on all machines."""
        return sum(machine.seconds for machine in self.machines)

    @property
    def money(self) -> float:
        """On all machines."""
        return sum(machine.money for machine in self.machines)


def accounts(
    records: Sequence[TimeRecord],
    machines: Mapping[str, MachineConfig],
    scores: Mapping[str, float],
    *,
    higher_is_better: bool,
    now: datetime,
) -> Accounts:
    """Add up what was spent.

    Args:
        records: one per process.
        machines: of the plan; a machine that is not named there is free and without quota.
        scores: run → score, of those that have one.
        higher_is_better: of the metric.
        now: with a time zone.
    """
    found = stretches(records)
    names = dict.fromkeys([*machines, *(stretch.machine for stretch in found)])
    by_machine = {name: [s for s in found if s.machine == name] for name in names}
    money: dict[str, float] = {}
    for name, some in by_machine.items():
        price = machines.get(name, _FREE).price
        for run, seconds in seconds_by_run(some).items():
            money[run] = money.get(run, 0.0) + price * seconds / 3600
    return Accounts(
        machines=tuple(
            _machine(name, some, machines.get(name, _FREE), now)
            for name, some in by_machine.items()
        ),
        runs=_runs(records, seconds_by_run(found), money, scores, higher_is_better),
    )


def _machine(
    name: str, found: Sequence[Stretch], config: MachineConfig, now: datetime
) -> MachineAccount:
    seconds = sum(stretch.seconds for stretch in found)
    return MachineAccount(
        name=name,
        devices=tuple(sorted({stretch.device for stretch in found})),
        seconds=seconds,
        period_s=used_s(found, config, now),
        per=config.per,
        money=config.price * seconds / 3600,
        quota=quota(found, config, now),
    )


def _runs(
    records: Sequence[TimeRecord],
    seconds: Mapping[str, float],
    money: Mapping[str, float],
    scores: Mapping[str, float],
    higher_is_better: bool,
) -> tuple[RunAccount, ...]:
    """In the order they were begun; what belongs to no run comes last."""
    begun = [record.run for record in sorted(records, key=lambda r: r.began) if record.run]
    sign = 1 if higher_is_better else -1
    best: float | None = None
    made = []
    for name in [*dict.fromkeys(begun), *([""] if "" in seconds else [])]:
        score, gain = scores.get(name), None
        if score is not None:
            gain = None if best is None else max(0.0, sign * (score - best))
            best = score if best is None else sign * max(sign * score, sign * best)
        made.append(
            RunAccount(
                name=name,
                seconds=seconds.get(name, 0.0),
                money=money.get(name, 0.0),
                num_processes=begun.count(name),
                score=score,
                gain=gain,
            )
        )
    return tuple(made)
