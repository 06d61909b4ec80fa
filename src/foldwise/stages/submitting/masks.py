"""A submission of masks: written in the form that is asked for, and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.home import Home
from foldwise.masks.of_samples import Masks, joined_masks
from foldwise.samples import Samples
from foldwise.stages.submitting.lost_images import stand_ins
from foldwise.stages.submitting.mask_checks import check_mask_table
from foldwise.stages.submitting.mask_images import check_mask_images, write_mask_images
from foldwise.stages.submitting.mask_shape import mask_shape
from foldwise.stages.submitting.mask_table import refuse_unknown, write_mask_table
from foldwise.tasks.problem import Problem


def write_masks_submission(
    path: Path, problem: Problem, masks: Masks, *, name: str
) -> tuple[str, ...]:
    """Publish the answers for the test samples, in the form that is asked for.

    Damaged test images get what is answered where no network has looked: see `lost_images`.

    Args:
        path: the file, a `.csv` or a `.zip`.
        problem: with its test rows.
        masks: N * C, of `problem.test` in its order.
        name: the run's, for messages.

    Returns:
        What was done beyond copying, one sentence each.

    Raises:
        RunError: the sample submission asks for other samples, or masks overlap where an image
            holds one class a pixel.
        ConfigError, DataError: as `mask_shape`.
    """
    competition, names = problem.competition, problem.test.ids
    assert competition.masks is not None
    assert len(masks) == len(names)
    every = samples_file.read(problem.home.samples).part("test")
    is_table = competition.submission.form == "table"
    found = stand_ins(problem, every, is_size_needed=not is_table)
    if found is not None:
        names = np.concatenate([names, found.names])
        masks = joined_masks([masks, found.masks])
    notes = () if found is None else found.notes
    if is_table:
        shape = mask_shape(problem.home, competition)
        refuse_unknown(shape, set(every.ids), name=name)
        return notes + write_mask_table(path, shape, names, masks, competition.masks)
    write_mask_images(path, names, masks, competition)
    return notes


def masks_asked(home: Home, competition: Competition) -> tuple[str, ...]:
    """Ids of the samples whose masks are asked for; all of the test table where it is images.

    Raises:
        ConfigError, DataError: as `mask_shape`.
    """
    if competition.submission.form == "table":
        return tuple(dict.fromkeys(mask_shape(home, competition).samples))
    return tuple(samples_file.read(home.samples).part("test").ids)


def check_masks_submission(home: Home, competition: Competition, path: Path) -> list[str]:
    """What is wrong with a submission of masks; empty if it is right.

    Raises:
        ConfigError, DataError: the sample submission is wrong itself, or nothing is prepared.
    """
    test = samples_file.read(home.samples).part("test")
    if competition.submission.form == "table":
        return check_mask_table(path, mask_shape(home, competition), _sizes(test), competition)
    # Of an image that cannot be looked at nobody knows how large it is, and it is asked for too.
    sizes = dict.fromkeys(test.ids) | _sizes(test)
    return check_mask_images(path, sizes, competition)


def submission_ending(competition: Competition) -> str:
    """The ending of the file that is handed in."""
    return ".zip" if competition.submission.form == "images" else ".csv"


def _sizes(test: Samples) -> dict[str, tuple[int, int]]:
    """Sample → height and width, of the images of which it is known."""
    whole = test.take(((test.frame["damaged"] == "") & (test.frame["height"] > 0)).to_numpy())
    sizes = np.stack([whole.frame["height"], whole.frame["width"]], axis=1).astype(int).tolist()
    return {name: (high, wide) for name, (high, wide) in zip(whole.ids, sizes, strict=True)}
