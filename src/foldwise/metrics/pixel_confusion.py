"""Which class is answered in the pixels of each class, from runs."""

from __future__ import annotations

import numpy as np

from foldwise.masks.overlap import intersections
from foldwise.masks.runs import Runs
from foldwise.metrics.mask_counts import rows_of

#: Images whose runs stand side by side at once, once for each class.
_AT_ONCE = 64


def pixel_confusion(answers: Runs, truths: Runs, num_classes: int) -> np.ndarray:
    """(C, C) int64 pixels by true class (rows) and answered class (columns).

    Pixels of no true class, such as those that are not counted, are in no cell.

    Args:
        answers: N * C masks, image by image, class by class within it; exclusive, or a pixel is in
            several columns.
        truths: as many, of the same sizes.
        num_classes: C.

    Raises:
        ValueError: numbers or sizes of masks do not fit.

    >>> from foldwise.masks.runs import encode
    >>> truths, answers = np.array([[[0, 0, 1]], [[1, 1, 0]]]), np.array([[[0, 1, 1]], [[1, 0, 0]]])
    >>> pixel_confusion(encode(answers), encode(truths), 2).tolist()
    [[1, 0], [1, 1]]
    """
    num, _ = rows_of(answers, truths, num_classes)
    found = np.zeros((num_classes, num_classes), np.int64)
    for start in range(0, num, _AT_ONCE):
        images = np.arange(start, min(start + _AT_ONCE, num)) * num_classes
        true = truths.take((images[:, None] + np.arange(num_classes)).ravel())
        for answered in range(num_classes):
            same = answers.take(np.repeat(images + answered, num_classes))
            common = intersections(true, same).reshape(-1, num_classes)
            found[:, answered] += common.sum(axis=0)
    return found
