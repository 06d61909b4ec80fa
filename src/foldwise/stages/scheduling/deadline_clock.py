"""The deadline clock: when an upload must start at the latest, so that its score still counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from foldwise.config.clock import ClockConfig
from foldwise.config.competition import Competition
from foldwise.config.duration import seconds
from foldwise.errors import BudgetError
from foldwise.stages.display import Display
from foldwise.stages.progress import duration

_MINUTE, _HOUR = 60.0, 3600.0


@dataclass(frozen=True)
class Part:
    """Something that passes between the start of an upload and its score.

    Attributes:
        name: queue, run or scoring.
        expected_s: what it takes as a rule.
        margin_s: what it may take beyond that.
    """

    name: str
    expected_s: float
    margin_s: float

    @property
    def total_s(self) -> float:
        """What is kept for it."""
        return self.expected_s + self.margin_s


@dataclass(frozen=True)
class Clock:
    """What must fit in before a deadline.

    Attributes:
        deadline: with its time zone.
        parts: in the order in which they come.
    """

    deadline: datetime
    parts: tuple[Part, ...]

    @property
    def latest_start(self) -> datetime:
        """The latest safe start, in the deadline's time zone."""
        # In UTC, since across a change of clocks the hours of a zone are no distance in time.
        total = timedelta(seconds=sum(part.total_s for part in self.parts))
        return (self.deadline.astimezone(UTC) - total).astimezone(self.deadline.tzinfo)

    def left_s(self, now: datetime) -> float:
        """Seconds from `now` to the latest safe start; negative once it has passed."""
        return (self.latest_start.astimezone(UTC) - now.astimezone(UTC)).total_seconds()

    def left_until_deadline_s(self, now: datetime) -> float:
        """Seconds from `now` to the deadline; negative once it has passed."""
        return (self.deadline.astimezone(UTC) - now.astimezone(UTC)).total_seconds()


@dataclass(frozen=True)
class _Allowance:
    """What a platform is known to take, where competition.yaml does not say."""

    queue_s: float
    queue_margin_s: float
    run_s: float
    run_slowdown: float
    scoring_s: float
    scoring_margin_s: float


#: Kaggle: a GPU is waited for longest on the last day; nearly the same notebook took 5.5 hours
#: and then over 9 (docs/platforms.md); code competitions mostly allow 9.
_KAGGLE = _Allowance(10 * _MINUTE, 50 * _MINUTE, 9 * _HOUR, 2.0, 5 * _MINUTE, 25 * _MINUTE)
_ALLOWANCES: Mapping[str, _Allowance] = {"kaggle": _KAGGLE}
#: Uploaded by hand, to who knows what.
_ELSEWHERE = _Allowance(10 * _MINUTE, 50 * _MINUTE, 9 * _HOUR, 2.0, 10 * _MINUTE, 50 * _MINUTE)


def deadline_clock(
    competition: Competition, *, run_s: float | None = None, by: str | None = None
) -> Clock | None:
    """The clock of a competition; None if it has no deadline.

    Args:
        competition: with deadline, platform and limits.
        run_s: forecast of the organiser's run of the notebook, in seconds; None: the longest that
            is allowed.
        by: `file` or `notebook`, whatever is handed in; None: as `submission.by` says.
    """
    if competition.deadline is None:
        return None
    config, known = competition.limits.clock, _allowance(competition)
    scoring = Part(
        "scoring",
        _said(config.scoring, known.scoring_s),
        _said(config.scoring_margin, known.scoring_margin_s),
    )
    if (by or competition.submission.by) == "file":
        return Clock(competition.deadline, (scoring,))
    queue = Part(
        "queue",
        _said(config.queue, known.queue_s),
        _said(config.queue_margin, known.queue_margin_s),
    )
    longest = _longest_allowed_s(competition)
    expected = longest if run_s is None else min(run_s, longest)
    slowest = min(longest, expected * _slowdown(config, known))
    return Clock(competition.deadline, (queue, Part("run", expected, slowest - expected), scoring))


def longest_run_s(competition: Competition, now: datetime) -> float | None:
    """The longest forecast of a notebook's run that, begun now, is still scored in time.

    Args:
        competition: with deadline, platform and limits.
        now: with its time zone.

    Returns:
        Seconds, 0 if there is no time for any; None if there is no deadline.
    """
    clock = deadline_clock(competition, run_s=0.0, by="notebook")
    if clock is None:
        return None
    left = max(0.0, clock.left_s(now))
    longest = _longest_allowed_s(competition)
    # A run that may take all that is allowed is ended there, so nothing is kept beyond it.
    if left >= longest:
        return longest
    return left / _slowdown(competition.limits.clock, _allowance(competition))


def check_in_time(
    clock: Clock | None, now: datetime, *, anyway: bool = False, instead: Sequence[str] = ()
) -> None:
    """Refuse an upload that may not be scored before the deadline.

    Args:
        clock: of the competition; None: it has no deadline.
        now: with its time zone.
        anyway: let it pass.
        instead: what still is scored in time, the best first.

    Raises:
        BudgetError: it is too late for it, and `anyway` is not set.
    """
    if clock is None or anyway or clock.left_s(now) >= 0:
        return
    late = duration(-clock.left_s(now))
    raise BudgetError(
        f"too late to be scored in time: the latest safe start was {_moment(clock.latest_start)}, "
        f"{late} ago",
        clock_line(clock, now),
        remedy="; or ".join(
            [
                *instead,
                "upload it all the same with --anyway, or correct deadline and limits.clock in "
                "competition.yaml",
            ]
        ),
    )


def clock_line(clock: Clock, now: datetime) -> str:
    """The clock in one line: what is left, and what it rests on."""
    end = f"deadline {_moment(clock.deadline)}"
    if clock.left_until_deadline_s(now) < 0:
        return f"{end} is over"
    left = clock.left_s(now)
    so_much = f"in {_long(left)}" if left >= 0 else f"{_long(-left)} ago"
    return f"{end}: latest safe upload {latest_words(clock)}, {so_much}"


def latest_words(clock: Clock) -> str:
    """The latest safe start, and what it keeps for each part."""
    kept = ", ".join(
        f"{part.name} {duration(part.expected_s)} + {duration(part.margin_s)} margin"
        for part in clock.parts
    )
    return f"{_moment(clock.latest_start)} ({kept})"


def say_clock(competition: Competition, show: Display) -> None:
    """Show the clock of a competition that has a deadline; once it is too late, as a warning."""
    clock, now = deadline_clock(competition), datetime.now(UTC)
    if clock is not None:
        say = show.say if clock.left_s(now) >= 0 else show.warn
        say(clock_line(clock, now))


def _allowance(competition: Competition) -> _Allowance:
    platform = (competition.platform or "").partition(":")[0]
    return _ALLOWANCES.get(platform, _ELSEWHERE)


def _longest_allowed_s(competition: Competition) -> float:
    return _said(competition.limits.inference, _allowance(competition).run_s)


def _slowdown(config: ClockConfig, known: _Allowance) -> float:
    return known.run_slowdown if config.run_slowdown is None else config.run_slowdown


def _said(text: str | None, otherwise: float) -> float:
    return otherwise if text is None else seconds(text)


def _moment(moment: datetime) -> str:
    zone = moment.tzname() or moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M} {zone}"


def _long(seconds_left: float) -> str:
    days, rest = divmod(seconds_left, 86400)
    return f"{days:.0f} d {rest // 3600:.0f} h" if days else duration(seconds_left)
