"""A raw folder read as labels of images: from a table, or a folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldwise.collecting import image_files
from foldwise.config.data import Images
from foldwise.errors import ConfigError, DataError
from foldwise.stages.proposing.asked import Asked, find_asked
from foldwise.stages.proposing.class_folders import ClassFolders, find_class_folders
from foldwise.stages.proposing.columns import Meaning, find_id, find_meaning
from foldwise.stages.proposing.images import ImageSource, locate_ids
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.said import Said
from foldwise.stages.proposing.seen import (
    Seen,
    image_source,
    prefix_note,
    relative,
    shared_ids,
)
from foldwise.stages.proposing.tables import FoundTables
from foldwise.tables import Table

_UNUSED = "neither train nor test by its name; to learn from them, move them into train/<class>/"


def look_at_labels(data: Path, tables: FoundTables, said: Said, train: Table) -> Seen:
    """A table of labels, and the images of its rows.

    Raises:
        ConfigError: a flag names what there is not.
        DataError: something that is needed cannot be told.
    """
    test, sample = tables.test, tables.sample
    inputs = None if test is sample else test  # The sample's columns are answers, not inputs.
    id_column = find_id(train, inputs, sample, said.id)
    asked = find_asked(train, inputs, sample, id_column, said.target)
    source = image_source(data, train, test, id_column, said)
    meaning = find_meaning(train, inputs, asked, source.images.column, said.group)
    names = {
        "train": relative(train, data),
        "test": None if test is None else relative(test, data),
        "sample_submission": None if sample is None else relative(sample, data),
    }
    targets = {name: tuple(train.frame[name]) for name in asked.targets}
    shared = shared_ids(train, test, id_column, source.images)
    notes = (*tables.notes, source.note, *asked.notes, *meaning.notes, *shared)
    return Seen(names, source, asked, meaning, targets, notes)


def look_at_folders(data: Path, tables: FoundTables, said: Said) -> Seen:
    """A folder for each class, and the images in them; raises as `look_at_labels` does."""
    without_meaning = {"--id": said.id, "--target": said.target, "--group": said.group}
    given = [flag for flag, value in (without_meaning | {"--images": said.images}).items() if value]
    folders = find_class_folders(data)
    if folders is None:
        raise DataError(
            f"{data}: neither a table of train rows nor a folder per class was found",
            "wanted: train.csv (or .tsv, .parquet) at its top or one level down, or "
            "train/<class>/<image>",
            remedy="name the train table: --train TABLE" if tables.seen else "",
        )
    if given:
        raise ConfigError(
            f"{', '.join(given)}: no train table was found, only a folder per class",
            remedy="name the train table: --train TABLE",
        )
    images, names = _folder_images(data, folders, tables.sample)
    sample = tables.sample
    cells = (
        {} if sample is None else {str(c): tuple(sample.frame[c]) for c in sample.frame.columns[1:]}
    )
    id_column = "id" if sample is None else str(sample.frame.columns[0])
    asked = Asked(id_column, ("label",), cells, {}, ())
    unused = sorted(folders.unused.items())
    notes = (
        Note(
            "images",
            f"{folders.root}/<class>/",
            f"a folder for each of {len(set(folders.cells))} classes, {len(folders.cells)} images",
        ),
        *((Note("test images", folders.test, "by its name"),) if folders.test else ()),
        *tables.notes,
        *(Note("not used", f"{name}/", f"{num} images: {_UNUSED}") for name, num in unused),
    )
    if folders.test is not None and names["test"] == folders.test:
        train, test = (_names_in(data / name) for name in (folders.root, folders.test))
        notes = (*notes, *prefix_note(len(train & test)))
    source = ImageSource(images, notes[0])
    targets = {"label": folders.cells}
    return Seen(names, source, asked, Meaning((), None, ()), targets, notes)


def _names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in image_files(folder, "**/*")}


def _folder_images(
    data: Path, folders: ClassFolders, sample: Table | None
) -> tuple[Images, dict[str, Any]]:
    """Images and tables; the sample submission lists the test rows if its ids are files."""
    names: dict[str, Any] = {"train": folders.root, "test": folders.test}
    names["sample_submission"] = None if sample is None else relative(sample, data)
    if sample is None or folders.test is None:
        return Images(kind="class_folder"), names
    id_column = str(sample.frame.columns[0])
    ending = locate_ids(data, list(sample.frame[id_column]), folders.test)
    if ending in (None, ""):
        return Images(kind="class_folder"), names
    names["test"] = names["sample_submission"]
    images = Images(kind="class_folder", column=id_column, test=folders.test, extension=str(ending))
    return images, names
