"""Metrics by name, what they say by class, and the intervals around them."""

from foldwise.metrics import (
    boundary_f,
    classification,
    dice,
    f_scores,
    ordinal,
    probabilities,
    ranking,
    regression,
    segmentation,
)
from foldwise.metrics.metric import Metric, bind

METRICS: dict[str, Metric] = {
    **classification.METRICS,
    **f_scores.METRICS,
    **probabilities.METRICS,
    **ranking.METRICS,
    **ordinal.METRICS,
    **regression.METRICS,
    **dice.METRICS,
    **segmentation.METRICS,
    **boundary_f.METRICS,
}

__all__ = ["METRICS", "Metric", "bind"]
