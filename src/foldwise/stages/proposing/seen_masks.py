"""A raw folder read as masks of images: rows, groups and form beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foldwise.config.data import Images
from foldwise.errors import ConfigError
from foldwise.masks.words import IMAGE_WORDS
from foldwise.stages.proposing.asked import Asked, check_asked_ids
from foldwise.stages.proposing.asked_masks import find_asked_masks
from foldwise.stages.proposing.class_folders import is_test
from foldwise.stages.proposing.columns import Meaning, find_meaning
from foldwise.stages.proposing.folders import ImageFolder, image_folders
from foldwise.stages.proposing.images import ImageSource, locate_ids
from foldwise.stages.proposing.mask_images import masks_in_images
from foldwise.stages.proposing.masks import FoundMasks, named_masks
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.readme import Readme
from foldwise.stages.proposing.said import Said
from foldwise.stages.proposing.seen import Seen, image_source, relative, shared_ids
from foldwise.stages.proposing.tables import FoundTables
from foldwise.stages.proposing.words import has_word

#: What the ids of images are called that no table lists.
_ID = "id"


def look_at_masks(data: Path, tables: FoundTables, said: Said, masks: FoundMasks) -> Seen:
    """What a train table says beside masks.

    Raises:
        ConfigError: a flag names what there is not.
        DataError: something that is needed cannot be told.
    """
    assert tables.train is not None
    if said.target:
        raise ConfigError("--target: masks are asked for, and no column of labels")
    asked_names = set() if masks.asked is None else set(masks.asked.names)
    train, test = masks.plain(tables.train), masks.plain(tables.test)
    assert train is not None
    inputs = None if tables.test is tables.sample else test
    if inputs is not None and asked_names:
        assert tables.sample is not None
        check_asked_ids(tables.sample, asked_names, inputs, set(inputs.frame[masks.id]))
    source = image_source(data, train, test, masks.id, said, but=masks.used)
    masks = masks_in_images(masks, data, tables.train, train, test, source.images)
    asked = Asked(masks.id, masks.used, {}, {}, ())
    meaning = find_meaning(train, inputs, asked, source.images.column, said.group)
    sample = None if masks.asked is None else tables.sample
    names = {
        "train": relative(tables.train, data),
        "test": None if tables.test is None else relative(tables.test, data),
        "sample_submission": None if sample is None else relative(sample, data),
    }
    id_note = Note("id", masks.id, "names the samples")
    shared = shared_ids(train, test, masks.id, source.images)
    tables_notes = tables.notes
    if sample is None and tables.sample is not None:
        tables_notes = tuple(n for n in tables.notes if n.topic != "sample submission")
        other = Note("other tables", relative(tables.sample, data), "it asks for no masks")
        tables_notes = (*tables_notes, other)
    notes = (*tables_notes, source.note, id_note, *masks.notes, *meaning.notes, *shared)
    return Seen(names, source, replace(asked, targets=()), meaning, {}, notes, masks, True)


def look_at_mask_folders(data: Path, tables: FoundTables, readme: Readme) -> Seen | None:
    """Masks of a folder of images that no table lists; None: there is no such folder.

    Raises:
        DataError: there are masks, but what they mean cannot be told.
    """
    folders = [f for f in image_folders(data) if not _has_folders_below(f.name, data)]
    asked = find_asked_masks(tables.sample, None)
    for folder in sorted(folders, key=lambda f: -len(f.files)):
        if is_test(folder.name) or folder.name == "." or not _are_images(folder.name):
            continue
        ids = sorted(folder.files)
        masks = named_masks(data, ids, _ID, asked, readme, [folder.name])
        if masks is not None:
            return _seen_in_folders(data, tables, masks, folder, folders)
    return None


def _seen_in_folders(
    data: Path,
    tables: FoundTables,
    masks: FoundMasks,
    folder: ImageFolder,
    folders: Sequence[ImageFolder],
) -> Seen:
    """Where the test images are: in a folder of that name, listed by the sample submission."""
    test = next((f.name for f in folders if is_test(f.name) and _are_images(f.name)), None)
    names: dict[str, Any] = {"train": folder.name, "test": test, "sample_submission": None}
    images = Images(kind="folder", train=folder.name, test=test or ".")
    id_column = masks.id
    if masks.asked is not None and tables.sample is not None:
        names["sample_submission"] = relative(tables.sample, data)
        ending = None if test is None else locate_ids(data, masks.asked.names, test)
        if ending is not None:
            names["test"], id_column = (
                names["sample_submission"],
                str(tables.sample.frame.columns[0]),
            )
            images = images.model_copy(update={"extension": ending})
    notes = (
        Note("images", f"{folder.name}/", f"{len(folder.files)} images, which no table lists"),
        *((Note("test images", f"{test}/", "by its name"),) if test else ()),
        *masks.notes,
    )
    asked = Asked(id_column, (), {}, {}, ())
    source = ImageSource(images, notes[0])
    return Seen(names, source, asked, Meaning((), None, ()), {}, notes, masks, True)


def _are_images(folder: str) -> bool:
    return not has_word(folder.replace("/", " "), IMAGE_WORDS)


def _has_folders_below(folder: str, data: Path) -> bool:
    return any(path.is_dir() for path in (data / folder).iterdir())
