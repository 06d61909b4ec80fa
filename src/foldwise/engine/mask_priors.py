"""What masks begin from before anything is learned: how large each class is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from foldwise.engine.assemble import Assembly

#: A class that is rarer begins here: from further down it takes many steps to come back.
_LEAST = 1e-3


def first_logits(assembly: Assembly, rows: np.ndarray | None = None) -> list[float]:
    """Logits of each class's share of the pixels, so that no step is spent on learning that.

    Args:
        assembly: of a recipe for masks.
        rows: positions of the train rows that are looked at; None: all.

    Returns:
        One for each class: log odds, or logarithms where each pixel has one class.

    Source: Lin et al. (2017), "Focal loss for dense object detection", section 3.3; there with one
    share for all classes.
    """
    masks, looked = assembly.problem.target, slice(None) if rows is None else rows
    pixels = masks.sizes[looked].prod(axis=1).sum()
    if masks.ignored is not None:
        pixels -= masks.ignored.areas[looked].sum()
    areas = masks.areas[looked].sum(axis=0)
    shares = np.clip(areas / max(pixels, 1), _LEAST, 1 - _LEAST)
    logits = np.log(shares)
    if not assembly.formulation.is_exclusive:
        logits -= np.log1p(-shares)
    return [float(logit) for logit in logits]
