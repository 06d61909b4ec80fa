"""Masks of test images that nothing can be said of: they are damaged, or not there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.config.competition import Competition
from foldwise.data.decode import image_size
from foldwise.home import Home
from foldwise.masks.of_samples import Masks
from foldwise.samples import Samples
from foldwise.tasks.asked import data_folder
from foldwise.tasks.constant import constant_scores
from foldwise.tasks.problem import Problem

_MAX_NAMED = 5


@dataclass(frozen=True)
class StandIns:
    """What is answered for them.

    Attributes:
        names: (N,) str, the samples.
        masks: of the same, in their order.
        notes: what was done, one sentence each.
    """

    names: np.ndarray
    masks: Masks
    notes: tuple[str, ...]


def stand_ins(problem: Problem, test: Samples, *, is_size_needed: bool) -> StandIns | None:
    """What is answered to every pixel where no network has looked, for those of damaged images.

    An image that is damaged further down still says in its header how large it is.

    Args:
        problem: with its train rows.
        test: all test samples, damaged ones too.
        is_size_needed: whether a sample whose size nobody knows is to have masks of the commonest
            size; else it has none.

    Returns:
        None: there is no such sample, or what would be answered is no pixel at all.
    """
    lost = test.take(~np.isin(test.ids, problem.test.ids))
    lost = with_sizes(lost, problem.home, problem.competition)
    is_known = has_size(lost)
    if is_size_needed:
        lost = with_common_size(lost, problem.test, problem.train)
    else:
        lost = lost.take(is_known)
    if not len(lost):
        return None
    masks = problem.default_decision().answers(constant_scores(problem, lost).scores)
    if not is_size_needed and not masks.present.any():
        return None
    shown = ", ".join(lost.ids[:_MAX_NAMED]) + (" ..." if len(lost) > _MAX_NAMED else "")
    notes = [f"{len(lost)} damaged test images get {_said(problem, masks)}: {shown}"]
    if is_size_needed and not is_known.all():
        height, width = masks.sizes[~is_known][0]
        notes.append(
            f"of {(~is_known).sum()} of them nothing says how large they are: their masks have "
            f"the commonest size, {height} x {width}"
        )
    return StandIns(lost.ids, masks, tuple(notes))


def with_sizes(samples: Samples, home: Home, competition: Competition) -> Samples:
    """The samples with height and width by their files' headers, where these are not known.

    Args:
        samples: whose `height` or `width` is 0 where it is not known.
        home: the competition.
        competition: says where images are, and how large one may be.
    """
    frame, data = samples.frame, data_folder(home, competition)
    most, sizes = competition.decoding.max_megapixels * 1e6, _sizes(samples)
    for row in np.flatnonzero(~has_size(samples)).tolist():
        path = data / str(frame["file"].iloc[row])
        # Nothing but a plain file is opened: what waits for a writer would never end.
        found = image_size(path) if not frame["array"].iloc[row] and path.is_file() else None
        sizes[row] = found if found is not None and np.prod(found) <= most else (0, 0)
    return Samples(frame.assign(height=sizes[:, 0], width=sizes[:, 1]))


def with_common_size(samples: Samples, *others: Samples) -> Samples:
    """The samples; those of unknown size get the commonest of the first others that have any."""
    for part in others:
        sizes = _sizes(part)[has_size(part)]
        if len(sizes):
            different, counts = np.unique(sizes, axis=0, return_counts=True)
            height, width = np.where(
                has_size(samples)[:, None], _sizes(samples), different[counts.argmax()]
            ).T
            return Samples(samples.frame.assign(height=height, width=width))
    return samples


def has_size(samples: Samples) -> np.ndarray:
    """(N,) bool, whether it is known how large each sample's image is."""
    height, width = _sizes(samples).T
    found: np.ndarray = (height > 0) & (width > 0)
    return found


def _sizes(samples: Samples) -> np.ndarray:
    return np.array(samples.frame[["height", "width"]], dtype=np.int64)


def _said(problem: Problem, masks: Masks) -> str:
    found = [problem.columns[place] for place in np.flatnonzero(masks.present[0])]
    return f"{', '.join(found)} everywhere" if found else "empty masks"
