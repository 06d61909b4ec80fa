"""What a metric is: a function of predictions, targets and row weights, and how to read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from foldwise import parts
from foldwise.errors import ConfigError
from foldwise.row_weights import require_rows, row_weights

#: Scores rows whose predictions and targets are settled, for any weights of theirs.
Reweighted = Callable[[np.ndarray | None], float]


@dataclass(frozen=True)
class Metric:
    """A metric and what must be known to choose, call and show it.

    Attributes:
        function: `f(preds, target, weight=None, *, options) -> float`. Rows weigh as in
            scikit-learn: weight 2 is the row twice, weight 0 is no row. Raises ValueError where
            the metric is undefined.
        takes: `answers` for decided preds, `scores` for (N, C) float.
        label: its name for people.
        words: lower-case phrases by which a README names it. A phrase may be part of another
            metric's (`accuracy`, `balanced accuracy`): the longest one found counts.
        tasks: names of the tasks whose predictions it can score.
        prepare: `prepare(preds, target, *, options)` gives the score as a function of the
            weights alone, so that a bootstrap checks, sorts and counts rows once.
    """

    function: Callable[..., float]
    higher_is_better: bool
    takes: Literal["scores", "answers"]
    label: str
    words: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    lowest: float = -math.inf
    highest: float = math.inf
    prepare: Callable[..., Reweighted] | None = None

    def __call__(
        self, preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """The score of these rows."""
        return self.function(preds, target, weight)

    def prepared(self, preds: np.ndarray, target: np.ndarray) -> Reweighted:
        """The score of these rows as a function of their weights."""
        if self.prepare is not None:
            return self.prepare(preds, target)
        return partial(self.function, preds, target)

    def with_options(self, options: Mapping[str, Any]) -> Metric:
        """The metric with its options bound.

        Raises:
            ConfigError: unknown options or values of the wrong type.
        """
        if not options:
            return self
        checked = parts.checked_options(self.function, options, what=f"metric {self.label!r}")
        prepare = partial(self.prepare, **checked) if self.prepare is not None else None
        return replace(self, function=partial(self.function, **checked), prepare=prepare)


def bind(table: Mapping[str, Metric], spec: parts.Spec, *, code: Path | None = None) -> Metric:
    """The metric that a spec names, its options bound; `parts.bind` for a table of metrics.

    Args:
        table: name to metric.
        spec: a name, `module:attribute`, or a mapping with `name` and options.
        code: folder of the competition's own code.

    Raises:
        ConfigError: unknown metric or option, or the attribute is not a `Metric`.
    """
    metric = parts.find(table, spec, what="metric", code=code)
    if not isinstance(metric, Metric):
        raise ConfigError(
            f"metric {parts.name_of(spec)!r} is a {type(metric).__name__}, not a Metric",
            remedy="wrap it: Metric(function, higher_is_better=..., takes=..., label=...)",
        )
    return metric.with_options(parts.options_of(spec))


def mean_of(values: np.ndarray) -> Reweighted:
    """The weighted mean of (N,) float values as a function of the weights."""
    require_rows(len(values))

    def mean(weight: np.ndarray | None) -> float:
        if weight is None:
            return float(values.mean())
        weights = row_weights(weight, len(values))
        return float((weights * values).sum() / weights.sum())

    return mean


def finite(values: np.ndarray, *, what: str) -> np.ndarray:
    """The values as float64.

    Raises:
        ValueError: some are NaN or infinite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} hold NaN or infinite values")
    return numbers


def divide(part: np.ndarray, whole: np.ndarray, *, otherwise: float) -> np.ndarray:
    """`part / whole` as float64, and `otherwise` where whole is 0."""
    out = np.full(np.shape(whole), otherwise)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
