"""A decision: the ordered steps between merged scores and answers, as a value and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foldwise import parts
from foldwise.decide.steps import (
    ANSWER_STEPS,
    DECISIONS,
    OVER_TIME,
    SCORE_STEPS,
    StepFunction,
)
from foldwise.decide.timeline import Timeline
from foldwise.errors import ConfigError, DataError
from foldwise.maps.maps import Maps

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

    @property
    def is_over_time(self) -> bool:
        """Whether a row's answer depends on its neighbours in time, so that it needs these."""
        return any(step.name in OVER_TIME for step in self.steps)

    def scores(self, scores: Any, timeline: Timeline | None = None) -> Any:
        """The scores after all steps but the last, as a metric that takes scores reads them.

        Args:
            scores: (N, C) float; or `Maps`, of which there is no step but the last.
            timeline: where the N rows stand in time, for steps over time; all rows of a sequence
                must be among them. None where there are no such steps.

        Returns:
            (N, C) float64, or the maps.

        Raises:
            DataError: scores are not finite, or not what a step takes; a step over time does not
                know where the rows stand.
        """
        if isinstance(scores, Maps):
            return scores
        values = np.asarray(scores, dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise DataError(
                f"scores of {len(bad)} of {len(values)} samples are NaN or infinite, "
                f"first at row {bad[0]}"
            )
        for place in range(len(self.steps) - 1):
            values = self._after(place, values, timeline)
        return values

    def answers(self, scores: Any, timeline: Timeline | None = None) -> Any:
        """The answers: (N,) classes, grades or numbers, (N, C) of 0 and 1, or `Masks`.

        Args:
            scores: as for `scores`.
            timeline: as for `scores`.

        Raises:
            DataError: as `scores`.
        """
        return self._after(-1, self.scores(scores, timeline), timeline)

    def _after(self, place: int, values: Any, timeline: Timeline | None) -> Any:
        name, function = self.steps[place].name, self._functions[place]
        if name not in OVER_TIME:
            return function(values)
        if timeline is None:
            raise DataError(
                f"{name} needs to know where the rows stand in time",
                remedy="say submission.over_time in competition.yaml, as when it was decided",
            )
        assert len(timeline) == len(values), (len(timeline), len(values))
        return function(values, timeline)

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
