"""Copies trained units between machines by content: what is further wins, nothing is mixed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from foldwise.errors import RunError
from foldwise.home import COMPETITION_FILE, Home
from foldwise.stages.display import Display
from foldwise.stages.syncing.placing import place
from foldwise.stages.syncing.snapshot import Snapshot, snapshot_of
from foldwise.stages.syncing.store import Store, copy_costs, is_store


@dataclass(frozen=True)
class Synced:
    """What was copied.

    Attributes:
        units: names of the units of which there is more than before.
        num_bytes: of their files.
        notes: what was not copied, and why.
        no_room: what had no room in a store.
    """

    units: tuple[str, ...]
    num_bytes: int
    notes: tuple[str, ...]
    no_room: tuple[str, ...] = ()


def sync(
    source: Path, target: Path, *, max_bytes: int | None = None, display: Display | None = None
) -> Synced:
    """Bring the units of one folder into another; either is a competition or a store.

    A store is a folder that many machines add to. Contents that are there are not copied again.
    A unit that is done wins over a half-trained one, more steps over fewer, and a tie keeps what
    is there. Into a competition only those units come that are made from its rows and recipes.

    Args:
        source: a competition's folder, or a store.
        target: the same; a folder that is neither becomes a store if it is empty or absent.
        max_bytes: that a store may take on the disk; None: no limit.
        display: where it is said what was copied.

    Raises:
        RunError: a folder is neither.
        DataError: the target has no samples or folds yet, or a record is damaged.
        OSError: a folder cannot be read or written.
    """
    show = display or Display()
    if _is_home(target):
        home = Home(target.resolve())
        given = _read(source)
        placed = place(home, given)
        untimed = copy_costs(given.costs, home.costs)
        done = Synced(tuple(placed.units), placed.num_bytes, (*placed.notes, *untimed))
    else:
        store = _store_at(target)
        known = _done_in(store) if is_store(target) else set()
        given = _read(source, known)
        added = store.add(given, max_bytes=max_bytes)
        done = Synced(added.units, added.num_bytes, added.notes, added.no_room)
    if is_store(source):
        _suspect(Store(source), given)
    _tell(show, source, target, done)
    return done


def _is_home(path: Path) -> bool:
    return (path / COMPETITION_FILE).is_file()


def _read(source: Path, known: set[str] | None = None) -> Snapshot:
    if _is_home(source):
        return snapshot_of(Home(source.resolve()), known or ())
    if is_store(source):
        return Store(source).read()
    raise RunError(
        f"{source}: neither a competition nor a store",
        remedy=f"name a folder that holds {COMPETITION_FILE}, or one that `foldwise sync` made",
    )


def _store_at(target: Path) -> Store:
    store = Store(target)
    if is_store(target):
        store.check()
    elif target.exists() and any(target.iterdir()):
        raise RunError(
            f"{target}: is not empty, and neither a competition nor a store",
            remedy="name another folder, which becomes a store",
        )
    return store


def _done_in(store: Store) -> set[str]:
    """Hashes of the records of units that the store has whole."""
    done = [manifest for manifest in store.read().manifests if manifest.state == "done"]
    return {manifest.files["unit.json"].sha256 for manifest in done}


def _suspect(store: Store, given: Snapshot) -> None:
    """Let the store know what was damaged, so that whoever has it brings it again."""
    # An input that is mounted to be read only cannot be told.
    with contextlib.suppress(OSError):
        store.suspect(given.damaged)


def _tell(show: Display, source: Path, target: Path, done: Synced) -> None:
    for note in done.notes:
        show.say(f"  {note}")
    for note in done.no_room:
        show.warn(note)
    what = (
        f"{len(done.units)} units, {done.num_bytes / 1e6:.1f} MB" if done.units else "nothing new"
    )
    show.say(f"{source} → {target}: {what}")
    for name in done.units:
        show.say(f"  {name}")
