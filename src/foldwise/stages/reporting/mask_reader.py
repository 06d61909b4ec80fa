"""Images, truths and out-of-fold answers of the few samples that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldwise.errors import DataError
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import Runs, decode
from foldwise.stages.reporting.decided import read_as_decided
from foldwise.stages.reporting.mask_pictures import error_kinds
from foldwise.stages.reporting.material import Run
from foldwise.stages.reporting.originals import Originals
from foldwise.stages.reporting.words import count
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Shown:
    """One sample.

    Attributes:
        pixels: (H, W, 3) uint8.
        truth: its C masks.
        answer: the same, by the decision that has not seen its fold.
    """

    pixels: np.ndarray
    truth: Masks
    answer: Masks

    @property
    def num_classes(self) -> int:
        """C."""
        return self.truth.num_classes

    @property
    def ignored(self) -> np.ndarray | None:
        """(H, W) bool; None: all is counted."""
        return None if self.truth.ignored is None else _pixels(self.truth.ignored, 0)

    def kinds(self, place: int) -> np.ndarray:
        """(H, W) uint8, what is right and wrong of a class."""
        truth, answer = (_pixels(each.runs, place) for each in (self.truth, self.answer))
        return error_kinds(truth, answer, self.ignored)

    def classes(self, masks: Masks) -> np.ndarray:
        """(H, W) int64 class of each pixel, -1 where there is none; of several the last.

        Args:
            masks: its truth or its answer.
        """
        found = np.full(self.pixels.shape[:2], -1, np.int64)
        for place in range(self.num_classes):
            found[_pixels(masks.runs, place)] = place
        return found


class MaskReader:
    """Reads samples one at a time and keeps none.

    Args:
        problem: whose samples.
        run: whose answers.
        ids: of the samples that will be asked for: these are decided, no other map is read.

    Raises:
        DataError: there is no decision, or some samples have no prediction.
    """

    def __init__(self, problem: Problem, run: Run, ids: Sequence[str]) -> None:
        held = read_as_decided(problem, run.folder)[1]
        known = set(ids)
        inside = np.array([str(name) in known for name in problem.train.ids[held.rows]], bool)
        part = held.among(np.flatnonzero(inside))
        self._rows: list[int] = part.rows.tolist()
        self._places = {str(problem.train.ids[row]): at for at, row in enumerate(self._rows)}
        if missing := sorted(known - set(self._places)):
            raise DataError(
                f"{run.label}: its scores tell of {missing[0]}, and it has no prediction for that",
                remedy="run `foldwise evaluate` again",
            )
        self._truths: Masks = part.target
        self._answers: Masks = part.answers
        self._originals = Originals(problem, {})

    @property
    def trouble(self) -> str | None:
        """What is to be said of images that could not be read."""
        unread = self._originals.unread
        if not unread:
            return None
        first = next(iter(unread.values()))
        num = count(len(unread), "image")
        return f"{num} could not be read, and masks are drawn on grey: {first}"

    def sample(self, name: str) -> Shown:
        """A sample with its image."""
        at = self._places[name]
        truth, answer = (each[np.array([at])] for each in (self._truths, self._answers))
        height, width = truth.sizes[0].tolist()
        return Shown(self._originals.of(self._rows[at], (height, width)), truth, answer)


def _pixels(runs: Runs, place: int) -> np.ndarray:
    """(H, W) bool of one mask."""
    return decode(runs.take(np.array([place])))[0].astype(np.bool_)
