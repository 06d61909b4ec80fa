"""A decision: the ordered steps between merged scores and answers, as a value and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foldwise import parts
from foldwise.decide.steps import ANSWER_STEPS, DECISIONS, SCORE_STEPS, StepFunction
from foldwise.errors import ConfigError, DataError

_FORMAT = 1


@dataclass(frozen=True)
class Step:
    """One step: the name of a part, its options, and where they come from.

    Attributes:
        name: a key of `DECISIONS`.
        options: values that JSON can hold.
        fitted: the options were fitted to scores, so that a score on the same rows is naive.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    fitted: bool = False

    @property
    def spec(self) -> dict[str, Any]:
        """The step as config writes it: name and options."""
        return {"name": self.name, **self.options}


@dataclass(frozen=True)
class Decision:
    """Steps in order; the last one gives the answers, those before it give scores.

    Raises:
        ConfigError: no step, unknown steps or options, or an answer step not at the end.
    """

    steps: tuple[Step, ...]
    _functions: tuple[StepFunction, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems: list[str] = []
        functions: list[StepFunction] = []
        for number, step in enumerate(self.steps, start=1):
            try:
                functions.append(parts.bind(DECISIONS, step.spec, what="decision step"))
            except ConfigError as error:
                problems += error.problems
                continue
            is_last = number == len(self.steps)
            if is_last and step.name in SCORE_STEPS:
                problems.append(f"the last step must give answers, but {step.name} gives scores")
            if not is_last and step.name in ANSWER_STEPS:
                problems.append(
                    f"step {number}, {step.name}, gives answers, so it must be the last"
                )
        if not self.steps:
            problems.append("a decision has at least one step")
        if problems:
            raise ConfigError(*problems, remedy=f"answer steps: {', '.join(sorted(ANSWER_STEPS))}")
        object.__setattr__(self, "_functions", tuple(functions))

    @property
    def is_fitted(self) -> bool:
        """Whether any step was fitted to scores."""
        return any(step.fitted for step in self.steps)

    def scores(self, scores: np.ndarray) -> np.ndarray:
        """The scores after all steps but the last, as a metric that takes scores reads them.

        Args:
            scores: (N, C) float.

        Returns:
            (N, C) float64.

        Raises:
            DataError: scores are not finite, or not what a step takes.
        """
        values = np.asarray(scores, dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise DataError(
                f"scores of {len(bad)} of {len(values)} samples are NaN or infinite, "
                f"first at row {bad[0]}"
            )
        for function in self._functions[:-1]:
            values = function(values)
        return values

    def answers(self, scores: np.ndarray) -> np.ndarray:
        """The answers: (N,) classes, grades or numbers, or (N, C) of 0 and 1.

        Args:
            scores: (N, C) float.

        Raises:
            DataError: as `scores`.
        """
        return self._functions[-1](self.scores(scores))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        steps = [
            {"name": step.name, "options": step.options, "fitted": step.fitted}
            for step in self.steps
        ]
        return {"format": _FORMAT, "steps": steps}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Decision:
        """The decision that `to_json` wrote.

        Raises:
            DataError: not a decision of this format.
            ConfigError: unknown steps or options.
        """
        try:
            if value["format"] != _FORMAT:
                raise DataError(f"decision of format {value['format']!r}, this reads {_FORMAT}")
            steps = tuple(
                Step(str(step["name"]), dict(step["options"]), bool(step["fitted"]))
                for step in value["steps"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a decision: {type(error).__name__} {error}") from None
        return cls(steps)
