"""Choices made from the machine, recorded before they take effect, and what they replace."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from foldwise import device as machine
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.training.unit import Unit

if TYPE_CHECKING:
    from foldwise.models.network import Layout


@dataclass(frozen=True)
class Choices:
    """What a unit computes on.

    Attributes:
        inputs: of the unit that they were made for.
        threads: compute threads.
        device: such as `cpu` or `cuda`.
        layout: how the network lies in memory; None: not decided yet.
        compiled: whether steps are compiled; None: not decided yet.
        parts: that batches are cut into, since memory ran out; None: as the recipe says.
        eval_batch: images that are scored at a time, since memory ran out; None: as usual.
        notes: what the user should know about them.
    """

    inputs: dict[str, Any]
    threads: int
    device: str
    layout: Layout | None = None
    compiled: bool | None = None
    parts: int | None = None
    eval_batch: int | None = None
    notes: tuple[str, ...] = ()


def choose(unit: Unit, threads: int) -> Choices:
    """The choices a begun unit goes on with, or new ones; `begin` makes new ones count.

    Args:
        unit: to be trained.
        threads: that it may use if it is new.
    """
    stored = _stored(unit)
    here = machine.pick().type
    if stored is None or stored.inputs != unit.inputs:
        return Choices(unit.inputs, threads, here)
    if _is_here(stored.device, here):
        return stored
    note = f"begun on {stored.device}, which this machine has not: begun afresh on {here}"
    return Choices(unit.inputs, threads, here, notes=(note,))


def reuse(unit: Unit, threads: int) -> Choices:
    """The choices a trained unit is finished or scored with.

    Args:
        unit: trained.
        threads: that it may use if its choices are lost or its device is not here.
    """
    stored = _stored(unit)
    here = machine.pick().type
    if stored is not None and _is_here(stored.device, here):
        return stored
    notes = () if stored is None else (f"trained on {stored.device}, scored on {here}",)
    layout = None if stored is None else stored.layout
    return Choices(unit.inputs, threads, here, layout, notes=notes)


def begin(unit: Unit, choices: Choices) -> None:
    """Record new choices, after removing all that the folder holds of another unit's work.

    To be called once all is checked that can be: what is removed here cannot be had again.
    """
    if _stored(unit) == choices:
        return
    folder = unit.folder
    # What says that results are there goes first, and what says whose they are is replaced last:
    # killed in between, the rest counts for nothing and is removed at the next start.
    folder.record.unlink(missing_ok=True)
    folder.pending.unlink(missing_ok=True)
    kept = (folder.lock, folder.log, folder.timing, folder.choices)
    for path in folder.path.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path not in kept:
            path.unlink()
    publish_json(folder.choices, asdict(choices))


def amend(unit: Unit, choices: Choices) -> None:
    """Record choices that change while the unit is at work, before they take effect."""
    publish_json(unit.folder.choices, asdict(choices))


def _stored(unit: Unit) -> Choices | None:
    found = read_json(unit.folder.choices)
    if found is None:
        return None
    return Choices(**{**found, "notes": tuple(found["notes"])})


def _is_here(device: str, here: str) -> bool:
    return device in ("cpu", here)
