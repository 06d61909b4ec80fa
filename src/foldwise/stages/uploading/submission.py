"""Hands a submission in on Kaggle, each content once, and brings its score into the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.errors import BudgetError, ConfigError, PlatformError, RulesError, RunError
from foldwise.home import Home
from foldwise.platforms import kaggle_line
from foldwise.platforms import kaggle_submissions as kaggle
from foldwise.platforms.kaggle_entrance import (
    Allowed,
    Entrance,
    allowed,
    entrance,
    rules_not_accepted,
)
from foldwise.platforms.kaggle_line import AnyLine
from foldwise.publish import locked
from foldwise.stages.display import Display
from foldwise.stages.ledgering.listing import row_line, uploads_on
from foldwise.stages.ledgering.moments import now
from foldwise.stages.ledgering.row import Row, entry_row
from foldwise.stages.ledgering.rows import read_rows, save_rows
from foldwise.stages.progress import duration
from foldwise.stages.sessions.opening import submission_of
from foldwise.stages.submitting.ledger import Entry
from foldwise.stages.uploading import dataset as datasets
from foldwise.stages.uploading import notebook as notebooks
from foldwise.stages.uploading.in_time import check_time, fallback_of, with_deadline
from foldwise.stages.uploading.memory import Memory
from foldwise.stages.uploading.moving import moving, wait_for
from foldwise.stages.uploading.packed import Packed, called, read_packed
from foldwise.stages.uploading.place import slug_on_platform

_KIND = "submission"
_WAIT_S = 600
#: After a call of which nobody knows whether it was taken, the list is looked at this late, too.
_LATE_LOOKS_S = (10.0, 30.0)
_RECENT_S = 600.0


@dataclass(frozen=True)
class _Content:
    """What is handed in.

    Attributes:
        mark: tells it from any other content; stands in the submission's description.
        pack: the pack whose notebook writes it; None: it is the entry's file.
        file: name of what the notebook writes.
    """

    mark: str
    pack: tuple[str, str, int] | None
    file: str = ""


def upload(
    home: Home,
    entry: Entry,
    *,
    pack: str | None = None,
    anyway: bool = False,
    wait: bool = True,
    dry_run: bool = False,
    display: Display | None = None,
) -> Row:
    """Hand in an entry of the ledger, wait for its score and note it.

    The same content is never handed in twice: Kaggle's list is looked at first. Interrupted, the
    same command goes on. What is picked as final is left alone. Before a notebook that must run
    until a deadline goes a file, where files are taken and nothing has a score yet.

    Args:
        home: the competition; its `platform` names it on Kaggle.
        entry: what is handed in, already checked.
        pack: hand in what the notebook of this pack writes, which `push` has run.
        anyway: although it may not be scored before the deadline.
        wait: for the score; else it is noted by the same command later.
        dry_run: say every call to Kaggle instead of making it.
        display: where progress is shown.

    Returns:
        The ledger's row, stored.

    Raises:
        ConfigError: competition.yaml names no platform, or the wrong thing is handed in.
        BudgetError: it cannot be scored in time, or no upload is left for the day.
        RulesError: no upload is left for good, or the competition is closed.
        PlatformError: Kaggle refuses it or could not score it, or cannot be asked.
        LockedError: another process hands in for this competition.
    """
    said = display or Display()
    show = said.silent() if dry_run else said
    slug = slug_on_platform(home)
    competition = load(home.competition, Competition)
    _check_kind(home, competition, pack)
    packed = None if pack is None else read_packed(home, pack)
    memory = Memory(home, is_written=not dry_run)
    with memory.line(said.say) as line:
        with memory.alone("submit"):
            enter = entrance(line, slug)
            _check_open(slug, enter)
            content = _content(line, memory, entry, packed, slug)
            found = _found(line, memory, slug, content.mark, show)
            if found is None:
                dated = with_deadline(competition, enter, show)
                check_time(dated, entry, packed, anyway=anyway)
                num_left = _num_left(home, competition, allowed(line, slug), enter)
                first = fallback_of(home, competition, entry, packed)
                if first is not None:
                    _hand_in_first(home, line, memory, slug, first, num_left, show)
                ref = _hand_in(line, memory, slug, entry, content, show)
                row = _noted(home, entry, dry_run, uploaded=now(), status="pending")
                show.say(f"handed in {entry.path.name} to {slug}: Kaggle's number {ref}")
            else:
                ref = found.ref
                # Another run may give the same file; an upload counts once, for whose it was.
                is_own = found.description.startswith(entry.path.name)
                row = _noted(home, entry, dry_run, uploaded=found.time if is_own else None)
                show.say(f"{entry.path.name} was handed in before: Kaggle's number {ref}")
        if wait:
            row = _scored(home, line, entry, ref, dry_run, show)
    return row


def _check_kind(home: Home, competition: Competition, pack: str | None) -> None:
    if competition.submission.by == "notebook" and pack is None:
        raise ConfigError(
            f"{home.competition}: submission.by: notebook, so no file can be handed in",
            remedy="hand in what a pack's notebook writes: foldwise push PACK, then "
            "foldwise submit RUN --upload --notebook PACK",
        )


def _check_open(slug: str, enter: Entrance) -> None:
    if not enter.is_entered:
        raise rules_not_accepted(slug)
    if enter.is_closed:
        raise RulesError(f"Kaggle takes no submissions to {slug}: they are switched off")


def _content(
    line: AnyLine, memory: Memory, entry: Entry, packed: Packed | None, slug: str
) -> _Content:
    if packed is None:
        return _file_of(entry)
    where = owner, name, _ = called(packed, memory.username(line), slug)
    version, uploaded = None, datasets.version_of(line, memory, packed, where)
    if uploaded is not None:
        notebook = notebooks.notebook_of(packed, where, slug, uploaded)
        version = notebooks.version_of(line, memory, notebook)
    if version is None:
        raise RunError(
            f"the notebook of {packed.name}, as it is now, has not run on Kaggle yet",
            remedy=f"foldwise push {packed.name}",
        )
    mark, file = f"notebook {owner}/{name} version {version}", submission_of(packed.facts)
    return _Content(mark, (owner, name, version), file)


def _file_of(entry: Entry) -> _Content:
    return _Content(f"sha256 {entry.sha256[:16]}", None)


def _found(
    line: AnyLine, memory: Memory, slug: str, mark: str, show: Display
) -> kaggle.Upload | None:
    """The submission of this content on Kaggle; None if it was never handed in."""
    asked = memory.read(_KIND, mark)
    if line.is_rehearsal and "ref" in asked:
        list(kaggle.uploads(line, slug))
        return kaggle.Upload(asked["ref"], "pending", None, "", None, None, "")
    is_recent = "asked" in asked and _age_s(asked["asked"]) < _RECENT_S
    for wait in (0.0, *(_LATE_LOOKS_S if is_recent and "ref" not in asked else ())):
        if wait:
            show.say(f"an earlier try may have been taken: looking again in {wait:.0f} s")
            kaggle_line.pause(wait)
        for each in kaggle.uploads(line, slug):
            if each.description.endswith(mark) or each.ref == asked.get("ref"):
                return each
    return None


def _age_s(time: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()


def _num_left(home: Home, competition: Competition, left: Allowed, enter: Entrance) -> int | None:
    """Uploads that are left today, by the ledger's count or Kaggle's; None: nothing limits them.

    Raises:
        BudgetError: none is.
        RulesError: none is, for good.
    """
    if left.is_last and left.num_left == 0:
        raise RulesError(f"no upload is left for good: {left.num_total} were made")
    limits = [each for each in (competition.rules.daily_submissions, enter.daily) if each]
    used = max(left.num_today, uploads_on(read_rows(home), now()[:10]))
    # Before the first upload there is no team, and all of Kaggle's counts are 0.
    counts = [limit - used for limit in limits] + ([left.num_left] if left.num_total else [])
    if not counts or min(counts) > 0:
        return min(counts, default=None)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    next_day = midnight + timedelta(days=1)
    of = f" of {min(limits)}" if limits else ""
    raise BudgetError(
        f"no upload is left today: {used}{of} are used",
        remedy=f"the next one is possible at {next_day:%Y-%m-%d %H:%M} UTC, in "
        f"{duration((next_day - datetime.now(UTC)).total_seconds())}",
    )


def _hand_in_first(
    home: Home,
    line: AnyLine,
    memory: Memory,
    slug: str,
    first: Entry,
    num_left: int | None,
    show: Display,
) -> None:
    """Hand in a fallback, unless it is there already or would take the last upload of the day.

    Whatever becomes of it, what was asked for is handed in next.
    """
    content, name = _file_of(first), first.path.name
    if _found(line, memory, slug, content.mark, show) is not None:
        return
    if num_left is not None and num_left < 2:
        show.warn(f"one upload is left today, so {name} does not go first, as a fallback")
        return
    try:
        ref = _hand_in(line, memory, slug, first, content, show)
    except PlatformError as error:
        show.warn(f"{name} was to go first, as a fallback, and was not taken: {error}")
        return
    _noted(home, first, line.is_rehearsal, uploaded=now(), status="pending")
    show.say(
        f"handed in {name} first, should the notebook fail or be late: Kaggle's number {ref}; its "
        f"score is noted by: foldwise submit {first.facts['run']} --upload"
    )


def _hand_in(
    line: AnyLine, memory: Memory, slug: str, entry: Entry, content: _Content, show: Display
) -> int:
    # The ledger's import knows a submission by the first word of its description.
    description = f"{entry.path.name} by foldwise, {content.mark}"
    asked = {"asked": datetime.now(UTC).isoformat()}
    if content.pack is None:
        name = f"{entry.path.name}{entry.file.suffix}"
        token = kaggle.send_file(line, slug, entry.file, name=name, shown=moving(show))
        memory.write(_KIND, content.mark, asked)
        ref = kaggle.submit_file(line, slug, token, description=description)
    else:
        owner, name, version = content.pack
        memory.write(_KIND, content.mark, asked)
        ref = kaggle.submit_notebook(
            line, slug, owner, name, version, file=content.file, description=description
        )
    memory.write(_KIND, content.mark, {"ref": ref})
    return ref


def _scored(home: Home, line: AnyLine, entry: Entry, ref: int, dry_run: bool, show: Display) -> Row:
    """Wait for the score and note it.

    Raises:
        PlatformError: Kaggle could not score it; that is noted, too.
    """
    end = wait_for(
        lambda: kaggle.upload_of(line, ref),
        is_over=lambda found: found is not None and found.state != "pending",
        words=lambda _: f"{entry.path.name}: waiting for its score",
        show=show,
    )
    assert end is not None, "it is over only once it is there"
    scores = {"public": end.public, "private": end.private}
    known = {name: value for name, value in scores.items() if value is not None}
    row = _noted(home, entry, dry_run, status=end.state, failure=end.failure, **known)
    if end.state != "complete":
        raise PlatformError(
            f"Kaggle could not score {entry.path.name}: {end.failure or 'no reason said'}",
            remedy="correct that; it counts as an upload of today, unless Kaggle says otherwise",
        )
    show.say(row_line(row))
    return row


def _noted(home: Home, entry: Entry, dry_run: bool, *, failure: str = "", **facts: Any) -> Row:
    """The entry's row in the ledger with these facts; a comment that is there stays."""
    with locked(home.submissions / ".lock", doing="writing the ledger", wait_s=_WAIT_S):
        rows = [row for row in read_rows(home) if row.folder == entry.path.name]
        row = rows[0] if rows else entry_row(entry)
        given = {name: value for name, value in facts.items() if value is not None}
        changed = replace(row, comment=row.comment or failure, **given)
        return changed if dry_run or changed == row else save_rows(home, [changed])[0]
