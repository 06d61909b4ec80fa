"""Steps over time in a decision: as `submission.over_time` asks for them, and fitted to a run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foldwise import parts
from foldwise.config.competition import Submission
from foldwise.decide import ANSWER_STEPS, OVER_TIME, Decision, Step, Timeline
from foldwise.decide.classes import second_share
from foldwise.decide.fit_hysteresis import check_metric, fit_hysteresis
from foldwise.decide.fit_reach import fit_reach, with_step
from foldwise.errors import ConfigError, NoExactFitError
from foldwise.parts import Spec, name_of, options_of
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class TimeSteps:
    """The steps over time that a competition asks for.

    Attributes:
        before: steps from scores to scores, in order.
        answer: the step in the place of the answer's, or None.
    """

    before: tuple[Step, ...]
    answer: Step | None

    def smoothed(self, held: HeldOut) -> Decision:
        """The rows' decision with all steps before the answer, fitted where they are not given.

        Args:
            held: out-of-fold scores with one decision for all rows.
        """
        decision = held.decision
        for step in self.before:
            if _is_given(step):
                decision = with_step(decision, step)
            else:
                assert held.timeline is not None, "steps over time are asked for"
                decision = fit_reach(
                    decision, step, held.timeline, lambda found: _score(held, found)
                )
        return decision

    def held_on(self, held: HeldOut) -> Decision:
        """The rows' decision with hysteresis in the place of its last step.

        Raises:
            NoExactFitError: it cannot be fitted to the metric.
        """
        assert self.answer is not None
        assert held.timeline is not None, "steps over time are asked for"
        *before, last = held.decision.steps
        step = self.answer if _is_given(self.answer) else _fitted(held, self.answer, last)
        return Decision((*before, step))


def asked_steps(problem: Problem) -> TimeSteps | None:
    """The steps that `submission.over_time` names; None if it names none.

    Raises:
        ConfigError: unknown steps or options, steps that do not suit the task, or that
            `submission.decision` or the metric leaves no way to choose.
    """
    submission = problem.competition.submission
    if submission.over_time is None:
        return None
    specs = submission.over_time.steps
    problems = [text for spec in specs for text in _problems_of(problem, spec)]
    if not problems:
        problems = [*_problems_of_order(specs), *_problems_of_choice(problem, submission, specs)]
    if problems:
        raise ConfigError(*problems, remedy=f"steps over time: {', '.join(OVER_TIME)}")
    steps = [_step(problem, spec) for spec in specs]
    is_answer = [step.name in ANSWER_STEPS for step in steps]
    return TimeSteps(
        tuple(step for step, last in zip(steps, is_answer, strict=True) if not last),
        steps[-1] if is_answer[-1] else None,
    )


def _step(problem: Problem, spec: Spec) -> Step:
    name, options = name_of(spec), options_of(spec)
    if name != "moving_average" and _is_exclusive(problem):
        options["exclusive"] = True
    return Step(name, options)


def _is_exclusive(problem: Problem) -> bool:
    return problem.task.one_of_classes and len(problem.columns) > 1


def _has_events(problem: Problem) -> bool:
    """Whether labels, or the second of two classes, come and go over time."""
    if problem.columns != problem.competition.classes:
        return False
    return not problem.task.one_of_classes or len(problem.columns) == 2


def _is_given(step: Step) -> bool:
    return _needed(step.name) <= step.options.keys()


def _needed(name: str) -> set[str]:
    """Options that a step must have, be they given or fitted."""
    parameters = inspect.signature(OVER_TIME[name]).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}


def _problems_of(problem: Problem, spec: Spec) -> list[str]:
    """What is wrong with one step by itself."""
    name, options = name_of(spec), options_of(spec)
    needed = _needed(name) if name in OVER_TIME else set()
    free = dict.fromkeys(needed - options.keys(), 1.0)
    try:
        bound = parts.bind(OVER_TIME, {"name": name, **options, **free}, what="step over time")
    except ConfigError as error:
        return list(error.problems)
    found = []
    if "exclusive" in options:
        found.append(f"{name}: exclusive follows from the task; take it out")
    if free and len(free) < len(needed):
        found.append(f"{name}: give both enter and leave, or none to have them fitted")
    if name in ("peaks", "hysteresis") and not _has_events(problem):
        found.append(f"{name} is for labels that come and go: several labels, or two classes")
    elif not free and not found:
        exclusive = {"exclusive": True} if "exclusive" in _step(problem, spec).options else {}
        nothing = np.zeros((0, len(problem.columns)))
        try:
            bound(nothing, Timeline(np.zeros(0, dtype=np.int64), np.zeros(0)), **exclusive)
        except ConfigError as error:
            found += error.problems
    return found


def _problems_of_order(specs: tuple[Spec, ...]) -> list[str]:
    names = [name_of(spec) for spec in specs]
    found = [f"{name} stands there twice" for name in sorted(set(names)) if names.count(name) > 1]
    if "hysteresis" in names[:-1]:
        found.append("hysteresis gives answers, so it must be the last")
    return found


def _problems_of_choice(
    problem: Problem, submission: Submission, specs: tuple[Spec, ...]
) -> list[str]:
    """Steps that could not be chosen as `submission.decision` says."""
    asked = [_step(problem, spec) for spec in specs]
    free = [step.name for step in asked if not _is_given(step)]
    found = []
    if submission.decision == "fixed" and free:
        found.append(f"decision: fixed leaves nothing to be fitted, but {', '.join(free)} must be")
    if asked[-1].name != "hysteresis":
        return found
    if submission.gives == "scores":
        found.append("hysteresis gives answers, and the submission holds scores (gives: scores)")
    elif submission.decision == "auto" and problem.metric.takes == "scores":
        found.append(
            f"{problem.metric.label} reads scores, so hysteresis could never win; "
            "decision: fitted or fixed uses it as given"
        )
    elif "hysteresis" in free:
        try:
            check_metric(problem.metric_name, _average(problem), exclusive=_is_exclusive(problem))
        except NoExactFitError as error:
            found.append(f"{error}; or give enter and leave")
    return found


def _average(problem: Problem) -> str:
    return str(options_of(problem.competition.metric).get("average", "macro"))


def _fitted(held: HeldOut, step: Step, last: Step) -> Step:
    """Hysteresis fitted to the rows."""
    problem, exclusive = held.problem, bool(step.options.get("exclusive"))
    scores, target = held.decision.scores(held.scores, held.timeline), held.target
    options = options_of(problem.competition.metric)
    if exclusive:
        scores, target = second_share(scores)[:, None], target[:, None]
    assert held.timeline is not None
    enter, leave = fit_hysteresis(
        scores,
        held.timeline,
        target,
        metric=problem.metric_name,
        exclusive=exclusive,
        weight=held.weight,
        fixed=_thresholds(last),
        **{key: options[key] for key in ("beta", "average") if key in options},
    )
    return Step(step.name, {**step.options, "enter": enter, "leave": leave}, fitted=True)


def _thresholds(last: Step) -> Any:
    """Where the answer's step has its thresholds so far; the surest of two has one half."""
    options: Mapping[str, Any] = last.options
    return options.get("values", options.get("value", 0.5))


def _score(held: HeldOut, decision: Decision) -> float:
    """Higher is better; -inf where it is undefined."""
    metric = held.problem.metric
    try:
        score = replace(held, decision=decision, by_fold=None).score(metric)
    except ValueError:
        return -np.inf
    return score if metric.higher_is_better else -score
