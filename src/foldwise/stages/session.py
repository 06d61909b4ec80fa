"""Trains a pack in a notebook: restores, trains, saves now and then, and ends in time."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from foldwise import device as machine
from foldwise.config.duration import seconds
from foldwise.errors import BudgetError
from foldwise.home import Home
from foldwise.publish import locked, publish_bytes
from foldwise.stages.costs import accounts_of
from foldwise.stages.display import Display
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS
from foldwise.stages.progress import duration
from foldwise.stages.recipes import load_plan
from foldwise.stages.sessions.clock import STOP_S, SessionClock, container_age_s
from foldwise.stages.sessions.mounted import find_data, find_stores
from foldwise.stages.sessions.opening import open_home, read_pack, restore
from foldwise.stages.sessions.processes import Saving, Training
from foldwise.time_records import Meter, machine_name

STORE = "store"
#: How often what is trained is saved, where nobody says.
EVERY = "10m"
_POLL_S = 0.5


@dataclass(frozen=True)
class SessionEnd:
    """How a session ended.

    Attributes:
        is_done: all there was to train is trained.
        is_saved: the last save went well and lacks nothing.
        code: of the training; None: it was stopped in time.
    """

    is_done: bool
    is_saved: bool
    code: int | None


def session(
    pack: Path,
    *,
    source: Path,
    output: Path,
    limit: str | None = None,
    every: str = EVERY,
    work: Path | None = None,
    display: Display | None = None,
) -> SessionEnd:
    """Train what of a pack is not done, until all is or the session must end.

    Units that are done in any store below `source` or in `output` are not trained again, and
    half-trained ones go on. What is trained is saved into `output/store` now and then, since a
    session may be killed with no notice, and at the end.

    Args:
        pack: its folder.
        source: below it lie the data and stores of earlier sessions.
        output: folder that outlives the session.
        limit: how long the session may be, from the start of its container on the pack's platform;
            None: as the platform allows.
        every: how often is saved.
        work: folder to work in; None: among the system's temporary ones.
        display: where progress is shown.

    Raises:
        RunError: it is no pack for training.
        DataError: the data are not there.
        BudgetError: no time is left, or no quota.
        LockedError: another session works in the same folder.
    """
    show = display or Display()
    facts = read_pack(pack, "train")
    platform = NOTEBOOK_PLATFORMS[facts["platform"]]
    name = machine_name()
    is_there = name == platform.name
    clock = SessionClock(seconds(limit or platform.limit), container_age_s() if is_there else 0.0)
    place = work or Path(tempfile.gettempdir()) / "foldwise" / facts["name"]
    place.mkdir(parents=True, exist_ok=True)
    with locked(place / ".lock", doing=f"a session of {facts['name']}"):
        data = find_data(source, facts["marks"], place / "unpacked")
        home = open_home(pack, data, place / "competition")
        store = output / STORE
        restore(home, find_stores([source, output]), show)
        # First the meter: what the container was there already is used of the quota.
        meter = Meter(home.costs, "session", clock.age_s)
        _keep_quota(home, name, clock, show)
        saving = Saving(home.path, store, platform.max_bytes)
        end = _train(home, name, clock, seconds(every), saving, meter, show)
    _copy_results(home, output)
    left = "all is trained" if end.is_done else "run the notebook again to go on"
    show.say(f"{left}; what is trained is in {store}")
    return end


def _train(
    home: Home,
    name: str,
    clock: SessionClock,
    every_s: float,
    saving: Saving,
    meter: Meter,
    show: Display,
) -> SessionEnd:
    show.say(f"training for up to {duration(max(0.0, clock.left_s - clock.reserve_s))}")
    training, parent = Training(home.path, name), os.getppid()
    next_save = machine.monotonic() + every_s
    try:
        while training.code is None and not clock.is_over and os.getppid() == parent:
            time.sleep(_POLL_S)
            meter.beat()
            if machine.monotonic() >= next_save:
                saving.begin()
                next_save = machine.monotonic() + every_s
            _take_in(saving, clock, show)
    except KeyboardInterrupt:
        show.warn("stopped by the keyboard: saving")
    code = training.code
    if code is None:
        show.say("the time is up: stopping and saving")
        training.stop(STOP_S)
    meter.end()
    is_saved = saving.finish(max(30.0, clock.left_s))
    if not is_saved:
        show.warn(f"not all is saved in {saving.store}: {saving.problems}")
    return SessionEnd(is_done=code == 0, is_saved=is_saved, code=code)


def _take_in(saving: Saving, clock: SessionClock, show: Display) -> None:
    """Look whether a save has ended, and how."""
    if not saving.poll():
        return
    if saving.problems:
        show.warn(f"{saving.store}: not all is saved, tried again later: {saving.problems}")
        return
    clock.saved(saving.durations[-1])
    show.say(f"saved in {duration(saving.durations[-1])}, {duration(clock.left_s)} left")


def _keep_quota(home: Home, name: str, clock: SessionClock, show: Display) -> None:
    """Shorten the session to what is left of the machine's quota.

    Raises:
        BudgetError: nothing is.
    """
    left_s = _quota_left_s(home, name, datetime.now(UTC), show)
    if left_s is not None and left_s < clock.left_s:
        show.warn(f"{name}: {duration(left_s)} are left of its quota")
        clock.shorten(left_s)
    if clock.is_over:
        raise BudgetError(
            "there is no time left to train and save",
            remedy="give the session more with --limit, or wait until the quota is renewed",
        )


def _quota_left_s(home: Home, name: str, now: datetime, show: Display) -> float | None:
    """What is left of the machine's quota; None: a session of this machine uses none up."""
    config = load_plan(home).machines.get(name) if home.plan.is_file() else None
    if config is None or (config.counts == "gpu" and machine.accelerator() == "cpu"):
        return None
    damaged: list[str] = []
    found = accounts_of(home, now, damaged=damaged)
    for problem in damaged:
        show.warn(f"not counted: {problem}")
    quota = next((one.quota for one in found.machines if one.name == name), None)
    return None if quota is None else quota.left_s


def _copy_results(home: Home, output: Path) -> None:
    """Put what people look at beside the store."""
    for path in (home.report, home.submission):
        if path.exists():
            publish_bytes(output / path.name, path.read_bytes())
