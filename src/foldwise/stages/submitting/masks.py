"""A submission of masks: written in the form that is asked for, and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.masks.of_samples import Masks
from foldwise.samples import Samples
from foldwise.stages.submitting.mask_checks import check_mask_table
from foldwise.stages.submitting.mask_images import check_mask_images, write_mask_images
from foldwise.stages.submitting.mask_shape import mask_shape
from foldwise.stages.submitting.mask_table import refuse_unknown, write_mask_table
from foldwise.tasks.problem import Problem


def write_masks_submission(
    path: Path, problem: Problem, masks: Masks, *, name: str
) -> tuple[str, ...]:
    """Publish the answers for the test samples, in the form that is asked for.

    Args:
        path: the file, a `.csv` or a `.zip`.
        problem: with its test rows.
        masks: N * C, of `problem.test` in its order.
        name: the run's, for messages.

    Returns:
        What was done beyond copying, one sentence each.

    Raises:
        RunError: the sample submission asks for other samples, a damaged image has no size to
            answer with, or masks overlap where an image holds one class a pixel.
        ConfigError, DataError: as `mask_shape`.
    """
    competition, names = problem.competition, problem.test.ids
    assert competition.masks is not None
    assert len(masks) == len(names)
    every = samples_file.read(problem.home.samples).part("test")
    if competition.submission.form == "table":
        shape = mask_shape(problem.home, competition)
        refuse_unknown(shape, set(every.ids), name=name)
        return write_mask_table(path, shape, names, masks, competition.masks)
    damaged = sorted(set(every.ids) - set(names))
    if damaged:
        raise RunError(
            f"{name}: {len(damaged)} test images are damaged, so that nothing says how large "
            f"their masks are to be: {', '.join(damaged[:5])}",
            remedy="replace them",
        )
    write_mask_images(path, names, masks, competition)
    return ()


def check_masks_submission(home: Home, competition: Competition, path: Path) -> list[str]:
    """What is wrong with a submission of masks; empty if it is right.

    Raises:
        ConfigError, DataError: the sample submission is wrong itself, or nothing is prepared.
    """
    test = samples_file.read(home.samples).part("test")
    if competition.submission.form == "table":
        return check_mask_table(path, mask_shape(home, competition), _sizes(test), competition)
    return check_mask_images(path, _sizes(test), competition)


def submission_ending(competition: Competition) -> str:
    """The ending of the file that is handed in."""
    return ".zip" if competition.submission.form == "images" else ".csv"


def _sizes(test: Samples) -> dict[str, tuple[int, int]]:
    """Sample → height and width, of the images that could be decoded."""
    whole = test.whole()
    sizes = np.stack([whole.frame["height"], whole.frame["width"]], axis=1).astype(int).tolist()
    return {name: (high, wide) for name, (high, wide) in zip(whole.ids, sizes, strict=True)}
