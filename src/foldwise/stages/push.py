"""Brings a pack to its platform, runs its notebook there, and fetches what that wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from foldwise.home import Home
from foldwise.platforms.kaggle_line import AnyLine
from foldwise.publish import locked
from foldwise.stages.display import Display
from foldwise.stages.session import STORE
from foldwise.stages.sync import sync
from foldwise.stages.uploading.dataset import upload_pack
from foldwise.stages.uploading.memory import Memory
from foldwise.stages.uploading.notebook import (
    Version,
    fetch_output,
    notebook_of,
    push_once,
    wait_for_run,
)
from foldwise.stages.uploading.packed import Packed, called, read_packed
from foldwise.stages.uploading.place import slug_on_platform


@dataclass(frozen=True)
class Pushed:
    """What `push` did.

    Attributes:
        version: of the notebook; None where none was pushed.
        output: folder of what it wrote; None: it was not waited for.
    """

    version: Version | None
    output: Path | None


def push(
    home: Home,
    pack: str,
    *,
    again: bool = False,
    wait: bool = True,
    dry_run: bool = False,
    display: Display | None = None,
) -> Pushed:
    """Upload a pack as a private dataset, run its notebook with the network off, fetch its output.

    Each step is done once for each content, and what was interrupted goes on: the same command
    again looks what Kaggle has. What a training notebook saved is brought into the competition.

    Args:
        home: the competition; its `platform` names it on Kaggle.
        pack: name of a pack, or its folder.
        again: run the notebook once more though nothing changed: the next session of training.
        wait: until it has run; else only start it.
        dry_run: say every call to Kaggle instead of making it.
        display: where progress is shown.

    Raises:
        ConfigError: competition.yaml names no platform.
        RunError: there is no such pack for Kaggle.
        PlatformError: Kaggle refuses something, or cannot be asked.
        LockedError: another process pushes for this competition, or fetches the same.
    """
    said = display or Display()
    show = said.silent() if dry_run else said  # Of what is not done, no success is told.
    competition = slug_on_platform(home)
    packed = read_packed(home, pack)
    memory = Memory(home, is_written=not dry_run)
    with memory.line(said.say) as line:
        with memory.alone("push"):
            where = called(packed, memory.username(line), competition)
            dataset_version = upload_pack(line, memory, packed, where, show)
            notebook = notebook_of(packed, where, competition, dataset_version)
            version = push_once(line, memory, notebook, again=again, goes_on=packed.trains)
        show.say(
            f"notebook {version.ref}: {'pushed' if version.is_new else 'was pushed already'}"
            f"; --again runs it once more"
        )
        if not wait:
            return Pushed(version, None)
        wait_for_run(line, version, show)
        output = _fetched(line, version, packed, show)
    if packed.trains and (output / STORE).is_dir():
        sync(output / STORE, home.path, display=show)
    return Pushed(version, output)


def _fetched(line: AnyLine, version: Version, pack: Packed, show: Display) -> Path:
    outputs = pack.folder.parent / f"{pack.folder.name}-output"
    folder = outputs / f"v{version.number}"
    if line.is_rehearsal:
        fetch_output(line, version, folder, show)
        return folder
    with locked(outputs / ".lock", doing=f"fetching what {version.ref} wrote"):
        fetched = fetch_output(line, version, folder, show)
    show.say(f"{version.ref} has run; {len(fetched)} files of it are in {folder}")
    return folder
