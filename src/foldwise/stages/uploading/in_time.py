"""Whether an upload is scored before the deadline, what would be, and which file goes first."""

from __future__ import annotations

from datetime import UTC, datetime

from foldwise.config.competition import Competition
from foldwise.home import Home
from foldwise.platforms.kaggle_entrance import Entrance
from foldwise.stages.display import Display
from foldwise.stages.ledgering.rows import read_rows
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.deadline_clock import check_in_time, deadline_clock, longest_run_s
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.submitting.ledger import Entry, read_ledger
from foldwise.stages.uploading.packed import Packed

#: A notebook that may run for no longer than this answers nothing worth a try.
_SHORTEST_S = 60.0


def check_time(
    competition: Competition, entry: Entry, pack: Packed | None, *, anyway: bool
) -> None:
    """Refuse what cannot be scored in time, and say what can.

    Args:
        competition: with the deadline that counts; see `with_deadline`.
        entry: what is handed in.
        pack: whose notebook writes it; None: its file is handed in.
        anyway: let it pass.

    Raises:
        BudgetError: it cannot be, and `anyway` is not set.
    """
    now = datetime.now(UTC)
    run_s = None if pack is None else pack.facts.get("seconds")
    clock = deadline_clock(competition, run_s=run_s, by="file" if pack is None else "notebook")
    instead = [] if pack is None else _instead(competition, entry, pack, now)
    check_in_time(clock, now, anyway=anyway, instead=instead)


def with_deadline(competition: Competition, enter: Entrance, show: Display) -> Competition:
    """The competition with the deadline that counts: of two, the earlier one."""
    said = competition.deadline
    if enter.deadline is None or enter.deadline == said:
        return competition
    if said is not None:
        show.warn(
            f"deadline: competition.yaml says {said.isoformat()}, Kaggle says "
            f"{enter.deadline.isoformat()}; the earlier one counts"
        )
    earlier = enter.deadline if said is None else min(said, enter.deadline)
    return competition.model_copy(update={"deadline": earlier})


def fallback_of(
    home: Home, competition: Competition, entry: Entry, pack: Packed | None
) -> Entry | None:
    """The file that goes first, should a notebook fail or be late; None: none need or can.

    It is the best-founded valid one that there is. Where something has a score already, that is
    the fallback.

    Args:
        home: the competition.
        competition: with its deadline, if it says one.
        entry: what is handed in.
        pack: whose notebook writes it; None: it is a file itself.
    """
    clock = deadline_clock(competition, by="file")
    if pack is None or clock is None or competition.submission.by != "file":
        return None
    is_late = clock.left_s(datetime.now(UTC)) < 0
    if is_late or any(row.public is not None for row in read_rows(home)):
        return None
    current = file_hash(home.submission)
    same = [each for each in read_ledger(home) if each.sha256 == current]
    return same[-1] if same else entry


def _instead(competition: Competition, entry: Entry, pack: Packed, now: datetime) -> list[str]:
    """What still is scored in time, for people."""
    file_clock = deadline_clock(competition, by="file")
    if competition.submission.by == "file":
        is_in_time = file_clock is not None and file_clock.left_s(now) >= 0
        command = f"foldwise submit {entry.facts['run']} --upload"
        return [f"hand in its file, which only needs scoring: {command}"] if is_in_time else []
    longest_s, run = longest_run_s(competition, now) or 0.0, pack.facts.get("run")
    if run is None or longest_s < _SHORTEST_S:
        return []
    # Where hidden rows alone are worked on, the run that `push` waits for takes minutes.
    command = (
        f"foldwise pack {run} --on {pack.facts['platform']} --as {pack.name} "
        f"--limit {pack.facts['limit']} --skip-public; foldwise push {pack.name}"
    )
    return [
        f"pack the best part of {run} that is scored in time, a run of {duration(longest_s)} at "
        f"most, then hand that in: {command}"
    ]
