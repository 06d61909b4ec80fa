"""The same scores for every sample: what train rows say where no network has looked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from foldwise.maps.maps import Maps, constant_maps
from foldwise.predictions import Predictions
from foldwise.samples import Samples
from foldwise.tasks.problem import Problem


def constant_scores(
    problem: Problem, samples: Samples, rows: np.ndarray | slice = slice(None)
) -> Predictions:
    """Of all samples alike; under the default decision they give the answer that they are for.

    Numbers are the mean of the train rows' targets. Maps say of each class nowhere, or everywhere
    where that has the higher Dice; of exclusive classes the commonest one everywhere.

    Args:
        problem: with train rows.
        samples: to be answered; of maps as large as their images are said to be.
        rows: of the train rows, by position or mask, what they are made from.
    """
    kind = problem.task.kind
    scores = _CONSTANTS[kind](problem, samples, rows)
    return Predictions(samples.ids, scores, problem.columns, kind=kind)


def _mean(problem: Problem, samples: Samples, rows: np.ndarray | slice) -> np.ndarray:
    mean = problem.one_hot[rows].mean(axis=0, dtype=np.float64)
    return np.tile(mean, (len(samples), 1))


def _everywhere(problem: Problem, samples: Samples, rows: np.ndarray | slice) -> Maps:
    truths, masks = problem.target[rows], problem.competition.masks
    if masks is not None and masks.exclusive:
        is_everywhere = np.arange(truths.num_classes) == truths.areas.sum(axis=0).argmax()
    else:
        whole, areas = truths.sizes.prod(axis=1)[:, None], truths.areas
        is_everywhere = (2 * areas / (areas + whole)).mean(axis=0) > (areas == 0).mean(axis=0)
    sizes = samples.frame[["height", "width"]].to_numpy(dtype=np.int64)
    return constant_maps(sizes, np.where(is_everywhere, 255, 0).astype(np.uint8))


_CONSTANTS: Mapping[str, Callable[[Problem, Samples, np.ndarray | slice], Any]] = {
    "vector": _mean,
    "map": _everywhere,
}
