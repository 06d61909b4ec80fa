"""How a recipe balances classes: what is drawn or weighed, and taken out of the logits again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from foldwise.config.recipe import Recipe
from foldwise.data.balance import Balance
from foldwise.engine.drawing import Sampler, bound_sampler, offset_of_shares, standing
from foldwise.parts import name_of
from foldwise.tasks.balancing import bound_balance, check_corrected
from foldwise.tasks.extra_rows import ExtraRows, fitted_target
from foldwise.tasks.problem import Problem
from foldwise.tasks.task import Formulation


@dataclass(frozen=True)
class Balancing:
    """The balance of classes that a recipe asks for.

    Attributes:
        problem: competition, samples, targets.
        recipe: resolved.
        formulation_name: how the task is put to the network.
        formulation: the same.
    """

    problem: Problem
    recipe: Recipe
    formulation_name: str
    formulation: Formulation

    @cached_property
    def sampler(self) -> Sampler | None:
        """How rows are drawn, or None: each once an epoch, or as `imbalance` says.

        Raises:
            ConfigError: the sampler is unknown or does not fit task, formulation or metric.
        """
        return bound_sampler(self.recipe, self.problem, self.formulation_name)

    @cached_property
    def balance(self) -> Balance:
        """How classes are balanced.

        Raises:
            ConfigError: it is unknown, the task or formulation has no classes to balance, or the
                metric reads scores that could not be put right again.
        """
        spec = self.recipe.imbalance
        found = bound_balance(spec, self.problem.task, self.formulation_name)
        if found.acts_on != "nothing":
            check_corrected(name_of(spec), self.problem, self.formulation_name)
        return found

    def class_weights(self, rows: np.ndarray, extra: ExtraRows | None = None) -> np.ndarray | None:
        """(n,) chance or weight of each row when training begins; mean 1; None: all alike.

        Train rows come first, then the extra rows.

        Raises:
            ConfigError: as `sampler` and `balance` say.
        """
        if self.sampler is not None:
            return self.sampler(standing(self.problem, rows, extra))
        if self.balance.acts_on not in ("order", "losses"):
            return None
        labels = fitted_target(self.problem, rows, extra)
        return self.balance.row_weights(labels, self.problem.num_classes)

    def logit_shift(self, rows: np.ndarray, extra: ExtraRows | None = None) -> np.ndarray | None:
        """(O,) added to the logits of these rows in training only; None: nothing is."""
        if self.balance.acts_on != "logits":
            return None
        labels = fitted_target(self.problem, rows, extra)
        return self.balance.log_ratio(labels, self.problem.num_classes)

    @property
    def corrects_prior(self) -> bool:
        """Whether the balanced class shares are taken out of the logits again.

        Only where the metric reads probabilities; decided answers keep the balance asked for.
        """
        shifts = self.balance.acts_on != "nothing" or self.recipe.train.sampler is not None
        return shifts and self.formulation.prior and self.problem.metric.takes == "scores"

    def prior_offset(self, rows: np.ndarray) -> np.ndarray | None:
        """(O,) added to the logits of a network trained on these rows; None: nothing is."""
        if not self.corrects_prior:
            return None
        target, num_classes = self.problem.target[rows], self.problem.num_classes
        if self.sampler is None:
            return self.balance.log_ratio(target, num_classes)
        shares = self.class_weights(rows)
        assert shares is not None, "only samplers of steady shares are corrected"
        return offset_of_shares(shares, target, num_classes)
