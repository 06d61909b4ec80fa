"""What a metric is: a function of predictions, targets and row weights, and how to read it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from foldwise import parts
from foldwise.errors import ConfigError
from foldwise.metrics.mask_counts import count_masks
from foldwise.row_weights import require_rows, row_weights

#: Scores rows whose predictions and targets are settled, for any weights of theirs.
Reweighted = Callable[[np.ndarray | None], float]


class Rows(Protocol):
    """What has a row for each sample: an array, or counts of masks."""

    def __len__(self) -> int:
        """Samples."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Some of the samples, by position or by a mask over them."""

    @property
    def size(self) -> int:
        """Numbers in all, which is what scoring reads."""


@dataclass(frozen=True)
class Metric:
    """A metric and what must be known to choose, call and show it.

    Attributes:
        function: `f(preds, target, weight=None, *, options) -> float`. Rows weigh as in
            scikit-learn: weight 2 is the row twice, weight 0 is no row. Raises ValueError where
            the metric is undefined. For masks `f(counts, weight=None, *, options)`: the truths
            are in the counts.
        takes: `answers` for decided preds, `scores` for (N, C) float, `masks` for what `count`
            gives.
        label: its name for people.
        words: lower-case phrases by which a README names it. A phrase may be part of another
            metric's (`accuracy`, `balanced accuracy`): the longest one found counts.
        tasks: names of the tasks whose predictions it can score.
        prepare: `prepare(preds, target, *, options)`, or `prepare(counts, *, options)`, gives the
            score as a function of the weights alone, so that a bootstrap checks, sorts and counts
            rows once.
        count: for masks, `count(answers, truths, num_classes, ignored=None, *, options)` says of
            each image what the score needs: an array or another value of `Rows`. Scores and
            bootstraps read that and no mask again. Its options are among those of `function`.
    """

    function: Callable[..., float]
    higher_is_better: bool
    takes: Literal["scores", "answers", "masks"]
    label: str
    words: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    lowest: float = -math.inf
    highest: float = math.inf
    prepare: Callable[..., Reweighted] | None = None
    count: Callable[..., Any] = count_masks

    def __call__(self, preds: Rows, target: Rows, weight: np.ndarray | None = None) -> float:
        """The score of these rows; for masks the preds are counts, and the target has their rows.

        Raises:
            ValueError: the score is undefined, or preds and target do not fit.
        """
        return self.function(*self._read(preds, target), weight)

    def prepared(self, preds: Rows, target: Rows) -> Reweighted:
        """The score of these rows as a function of their weights."""
        read = self._read(preds, target)
        return partial(self.function, *read) if self.prepare is None else self.prepare(*read)

    def with_options(self, options: Mapping[str, Any]) -> Metric:
        """The metric with its options bound.

        Raises:
            ConfigError: unknown options or values of the wrong type.
        """
        if not options:
            return self
        checked = parts.checked_options(self.function, options, what=f"metric {self.label!r}")
        prepare = partial(self.prepare, **checked) if self.prepare is not None else None
        known = inspect.signature(self.count).parameters
        count = partial(self.count, **{k: v for k, v in checked.items() if k in known})
        function = partial(self.function, **checked)
        return replace(self, function=function, prepare=prepare, count=count)

    def _read(self, preds: Rows, target: Rows) -> tuple[Rows, ...]:
        if self.takes != "masks":
            return preds, target
        if len(preds) != len(target):
            raise ValueError(f"counts have the shape of {len(preds)} rows, not of {len(target)}")
        return (preds,)


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


def ratio_of(part: np.ndarray, whole: np.ndarray, *, nothing: str) -> Reweighted:
    """The weighted sum of (N,) parts over that of their wholes, as a function of the weights.

    Where no row with a weight has a whole, that function raises ValueError, saying `nothing`.
    """
    both = np.stack([part, whole]).astype(np.float64)

    def ratio(weight: np.ndarray | None) -> float:
        found, total = both @ row_weights(weight, len(whole))
        if total == 0:
            raise ValueError(nothing)
        return float(found / total)

    return ratio


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
