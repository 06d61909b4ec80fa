"""Tables, images and columns of a raw folder, before the question is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.config.data import Images
from foldwise.errors import DataError
from foldwise.stages.proposing.asked import Asked
from foldwise.stages.proposing.columns import Meaning
from foldwise.stages.proposing.images import ImageSource, find_images
from foldwise.stages.proposing.masks import FoundMasks
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.said import Said
from foldwise.tables import Table

TRAIN_PREFIX = "train/"


@dataclass(frozen=True)
class Seen:
    """What was seen.

    Attributes:
        tables: key of `competition.yaml` → table or folder, or None.
        source: where the images are.
        asked: what the submission asks for.
        meaning: what other columns are for.
        targets: label column → its cells.
        notes: the guesses.
        masks: of train; None: there are none.
        is_of_masks: whether these are what is read here, and not labels.
    """

    tables: dict[str, Any]
    source: ImageSource
    asked: Asked
    meaning: Meaning
    targets: Mapping[str, Sequence[str]]
    notes: tuple[Note, ...]
    masks: FoundMasks | None = None
    is_of_masks: bool = False


def image_source(
    data: Path,
    train: Table,
    test: Table | None,
    id_column: str,
    said: Said,
    *,
    but: Sequence[str] = (),
) -> ImageSource:
    """Where the images are; columns of `but` do not lead to them."""
    plain = Table(train.path, train.frame.drop(columns=list(but)), train.lines)
    source = find_images(data, plain, test, id_column, said.images)
    if source is None:
        raise DataError(
            f"the images of {train.path.name} cannot be found: no column holds paths that exist "
            f"below {data}, no folder holds files named like column {id_column!r}, and no npy or "
            "npz file has its rows",
            remedy="name what leads to them: --images COLUMN, FOLDER or FILE; or the column that "
            "files are named like: --id COLUMN",
        )
    return source


def shared_ids(
    train: Table, test: Table | None, id_column: str, images: Images
) -> tuple[Note, ...]:
    """What to do where both tables count their rows alike, as far as the images differ."""
    both = set() if test is None else set(train.frame[id_column]) & set(test.frame[id_column])
    is_same_place = images.kind == "folder" and images.train == images.test
    return () if is_same_place else prefix_note(len(both))


def prefix_note(num_shared: int) -> tuple[Note, ...]:
    """A note on ids that train and test share; nothing where they share none."""
    why = (
        f"{num_shared} ids are in test, too, for other images: those of train get {TRAIN_PREFIX!r}"
    )
    return (Note("train ids", TRAIN_PREFIX, why),) if num_shared else ()


def relative(table: Table, data: Path) -> str:
    """The table's name in competition.yaml."""
    return table.path.relative_to(data).as_posix()
