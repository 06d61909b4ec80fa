"""Originals of the few samples whose pixels are shown as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldwise.data.decode import (
    MAX_PIXELS,
    as_picture,
    as_pixels,
    open_array,
    open_bytes,
    to_channels,
)
from foldwise.data.inputs import image_refs
from foldwise.data.sources import ImageRef, read
from foldwise.errors import DataError
from foldwise.tasks.asked import data_folder
from foldwise.tasks.problem import Problem

#: Grey that stands for an image that cannot be read.
_GREY = 200


@dataclass
class Originals:
    """Images of train samples, read one at a time.

    Attributes:
        problem: whose.
        unread: row → what was wrong with it, of those that could not be read.
    """

    problem: Problem
    unread: dict[int, str]

    def of(self, row: int, size: tuple[int, int]) -> np.ndarray:
        """(H, W, 3) uint8 of a train row; grey where it cannot be read or has another size."""
        chosen = self.problem.train.take(np.array([row]))
        (ref,) = image_refs(chosen, data_folder(self.problem.home, self.problem.competition))
        try:
            return original(ref, size)
        except (DataError, OSError) as error:
            self.unread[row] = str(error)
            return np.full((*size, 3), _GREY, np.uint8)


def original(ref: ImageRef, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 of an image; of arrays with other channels the first ones.

    Args:
        ref: where it is.
        size: its height and width as they were prepared.

    Raises:
        DataError: it is damaged, or of another size by now.
        OSError: it cannot be read.
    """
    content = read(ref)
    if isinstance(content, np.ndarray):
        picture = open_array(content)[0]
    else:
        picture = open_bytes(content, max_pixels=max(MAX_PIXELS, size[0] * size[1]))[0]
    if isinstance(picture, np.ndarray):
        picture = as_picture(picture[:, :, : 3 if picture.shape[2] > 3 else 1])
    pixels = as_pixels(to_channels(picture, 3))
    if pixels.shape[:2] != size:
        raise DataError(
            f"{ref.key}: {pixels.shape[0]} x {pixels.shape[1]} pixels, and its masks have "
            f"{size[0]} x {size[1]}",
            remedy="run `foldwise prepare`",
        )
    return pixels
