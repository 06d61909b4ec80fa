"""Whether classes can be balanced as a recipe asks, given its task, formulation and metric."""

from __future__ import annotations

from foldwise.data.balance import Balance, bind_balance
from foldwise.errors import ConfigError
from foldwise.parts import Spec, name_of
from foldwise.tasks.problem import Problem
from foldwise.tasks.task import Task


def bound_balance(spec: Spec, task: Task, formulation: str) -> Balance:
    """A way to balance classes by name.

    Args:
        spec: name, or name and options.
        task: of the competition.
        formulation: of the task, by name.

    Raises:
        ConfigError: it is unknown or has no such option, the task has no classes to balance, or
            the formulation no logits of classes to shift.
    """
    balance, asked = bind_balance(spec), name_of(spec)
    if balance.acts_on != "nothing" and not task.one_of_classes:
        raise ConfigError(
            f"{asked} needs one class per sample, which task {task.name} does not have",
            remedy="use imbalance: none",
        )
    if balance.acts_on == "logits" and not task.formulations[formulation].has_class_logits:
        fits = [name for name, found in task.formulations.items() if found.has_class_logits]
        raise ConfigError(
            f"{asked} shifts the logits of a softmax over classes, which formulation "
            f"{formulation} does not have",
            remedy=f"use formulation: {' or '.join(fits)}; or imbalance: weights, effective_number "
            "or sampler",
        )
    return balance


def check_corrected(name: str, problem: Problem, formulation: str) -> None:
    """Refuse a balance that stays in the probabilities which the metric reads.

    Args:
        name: of what shifts the shares of classes.
        problem: competition with task and metric.
        formulation: of the task, by name.

    Raises:
        ConfigError: the metric reads scores, and the shares cannot be taken out of the
            formulation's logits again.
    """
    formulations = problem.task.formulations
    if problem.metric.takes != "scores" or formulations[formulation].prior:
        return
    corrected = [other for other, found in formulations.items() if found.prior]
    instead = f"use formulation: {' or '.join(corrected)}, or " if corrected else ""
    raise ConfigError(
        f"{name} shifts the scores that {problem.metric_name} reads, and out of those of "
        f"formulation {formulation} that cannot be taken again",
        remedy=f"{instead}take it out",
    )
