"""Whether a raw folder is about labels or about masks of its images, and what there is of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from foldwise.errors import DataError
from foldwise.stages.proposing.asked_masks import find_asked_masks
from foldwise.stages.proposing.masks import FoundMasks, find_masks
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.readme import Readme
from foldwise.stages.proposing.said import Said
from foldwise.stages.proposing.seen import Seen
from foldwise.stages.proposing.seen_labels import look_at_folders, look_at_labels
from foldwise.stages.proposing.seen_masks import look_at_mask_folders, look_at_masks
from foldwise.stages.proposing.tables import FoundTables
from foldwise.tasks import TASKS


def look_at_data(
    data: Path, tables: FoundTables, said: Said, readme: Readme, *, wants_masks: bool | None = None
) -> Seen:
    """What the rows, images and columns are.

    Args:
        data: the data folder.
        tables: of it.
        said: what is known already.
        readme: the text beside the data.
        wants_masks: whether masks are what is asked; None: what the sample submission asks for, or
            without one masks where there are some.

    Raises:
        ConfigError: a flag names what there is not.
        DataError: something that is needed cannot be told.
    """
    masks = None if wants_masks is False else _found_masks(data, tables, said, readme, wants_masks)
    if masks is not None and _are_wanted(masks, tables, said, wants_masks):
        return look_at_masks(data, tables, said, masks)
    if tables.train is None and wants_masks is not False:
        beside = _found_folders(data, tables, readme, wants_masks)
        if beside is not None:
            return beside
    if wants_masks:
        raise DataError(
            f"{data}: no masks of the train images were found: no column of runs, no column of "
            "paths of mask images, no folder of these named like the ids, and no JSON of COCO's",
            remedy="see `masks` in docs/reference/competition.md for how to say where they are",
        )
    if tables.train is None:
        return look_at_folders(data, tables, said)
    seen = look_at_labels(data, tables, said, tables.train)
    return seen if masks is None else _beside_labels(seen, masks)


def _found_masks(
    data: Path, tables: FoundTables, said: Said, readme: Readme, wants_masks: bool | None
) -> FoundMasks | None:
    """Masks; where labels are asked, such as cannot be understood are none."""
    try:
        return find_masks(data, tables, readme, said.id)
    except DataError:
        if wants_masks or find_asked_masks(tables.sample, tables.test) is not None:
            raise
        return None


def _found_folders(
    data: Path, tables: FoundTables, readme: Readme, wants_masks: bool | None
) -> Seen | None:
    """A folder of images and one of their masks; folders of classes may look as if."""
    try:
        return look_at_mask_folders(data, tables, readme)
    except DataError:
        if wants_masks or find_asked_masks(tables.sample, None) is not None:
            raise
        return None


def _beside_labels(seen: Seen, masks: FoundMasks) -> Seen:
    """Labels that are asked for, with masks that could be."""
    names = [name for name, task in TASKS.items() if task.kind == "map"]
    where = f"{masks.notes[0].reason}: --task {' or '.join(names)} asks for these instead"
    return replace(seen, masks=masks, notes=(*seen.notes, Note("masks", "", where)))


def _are_wanted(
    masks: FoundMasks, tables: FoundTables, said: Said, wants_masks: bool | None
) -> bool:
    """Whether masks are what is asked, and not labels beside them."""
    if wants_masks is not None:
        return wants_masks
    return not said.target and (masks.asked is not None or tables.sample is None)
