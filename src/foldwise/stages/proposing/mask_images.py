"""The images that masks are of: their sizes for the order of runs, and those that no row names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from foldwise.collecting import ANY_ENDING, image_files, locations
from foldwise.config.competition import Competition
from foldwise.config.data import Images
from foldwise.data.decode import image_size
from foldwise.data.mask_sources import mask_source
from foldwise.data.mask_tables import read_table_masks
from foldwise.errors import DataError
from foldwise.masks.of_samples import Masks
from foldwise.samples import Samples
from foldwise.stages.proposing.masks import FoundMasks, with_order
from foldwise.stages.proposing.note import Note
from foldwise.tables import Table


def masks_in_images(
    masks: FoundMasks, data: Path, table: Table, train: Table, test: Table | None, images: Images
) -> FoundMasks:
    """The masks with what only their images tell.

    Args:
        masks: as the tables tell of them.
        data: the data folder.
        table: the train table as it is.
        train: with a row a sample, named by it alone.
        test: the same of test.
        images: where images are.

    Raises:
        DataError: runs that are wrong, of those looked at.
    """
    files = locations(train, images, images.train, masks.id, data)["file"]
    file_of = dict(zip(train.frame[masks.id], files, strict=True))
    # A row's name may end in its class.
    plain = masks.plain_names(table)
    masks = with_order(masks, table, [data / file_of[name] for name in plain])
    tests = [] if test is None else locations(test, images, images.test, masks.id, data)["file"]
    return _with_unnamed(masks, data, images, {*files, *tests}, has_test=test is not None)


def read_some_masks(competition: Competition, data: Path, train: Samples) -> Masks:
    """The masks of some train samples, before anything is prepared.

    Args:
        competition: says where masks are.
        data: the data folder.
        train: the samples; their images can be decoded.

    Raises:
        DataError: masks are wrong, each named by its row; what would do is a flag, not a key.
    """
    files = list(train.frame["file"])
    sizes = np.array([image_size(data / file) or (0, 0) for file in files], np.int64)
    try:
        return read_table_masks(mask_source(competition, data, train.ids, sizes, files))
    except DataError as error:
        raise DataError(
            *error.problems,
            remedy=f"{error.remedy or 'correct the data'}; nothing is written yet",
        ) from None


def _with_unnamed(
    masks: FoundMasks, data: Path, images: Images, named: set[str], *, has_test: bool
) -> FoundMasks:
    """With the images of the train folder that no row names: they are clean.

    That is plain only where the others are known to be of train: by the folder's name, or since
    the test table names all of test.
    """
    is_by_class = masks.values.keys() & {"class_column", "in_id", "several_rows"}
    if images.kind != "folder" or masks.values["kind"] != "runs" or not is_by_class:
        return masks
    if not has_test and "train" not in images.train.lower():
        return masks
    ending = "" if images.extension == ANY_ENDING else images.extension
    files = [path for path in image_files(data / images.train, "*") if path.name.endswith(ending)]
    unnamed = [path for path in files if path.relative_to(data).as_posix() not in named]
    if not unnamed:
        return masks
    why = f"{len(unnamed)} of {len(files)} images in {images.train} have no row: taken as clean"
    note = Note("without rows", f"{len(unnamed)} images", why)
    values = {**masks.values, "without_rows": True}
    return replace(masks, values=values, notes=(*masks.notes, note))
