"""Binds and builds every part of a recipe, and collects what refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from torch import nn

from foldwise import device as machine
from foldwise.engine.assemble import Assembly, autocast_dtype
from foldwise.errors import ConfigError, FoldwiseError, OfflineError
from foldwise.models.network import Network
from foldwise.optim.optimizers import build_optimizer
from foldwise.parts import name_of, options_of

Failure = tuple[str, tuple[str, ...], str]
T = TypeVar("T")


def bind_parts(assembly: Assembly) -> list[Failure]:
    """(rule, problems, remedy) of each part that cannot be bound or built."""
    failures = _Failures()
    failures.attempt("formulation", lambda: assembly.formulation)
    if failures.found:
        return failures.found
    failures.attempt("augment", assembly.augments)
    failures.attempt("mix-fit", assembly.mix)
    failures.attempt("loss-fit", assembly.loss)
    failures.attempt("schedule", assembly.stages)
    failures.attempt(
        "precision", lambda: autocast_dtype(assembly.recipe.train.precision, machine.pick())
    )
    num_before = len(failures.found)
    failures.attempt("weights-file", lambda: assembly.weights)
    network = None
    if len(failures.found) == num_before:
        network = failures.attempt("network", assembly.network)
    failures.attempt("optimizer", lambda: _optimizer(assembly, network))
    if network is not None:
        failures.attempt("head", lambda: _check_head(assembly, network))
    return failures.found


@dataclass
class _Failures:
    """Collects what is raised, so that all problems are told at once."""

    found: list[Failure] = field(default_factory=list)

    def attempt(self, rule: str, bind: Callable[[], T]) -> T | None:
        try:
            return bind()
        except FoldwiseError as problem:
            rule = "weights-offline" if isinstance(problem, OfflineError) else rule
            self.found.append((rule, problem.problems, problem.remedy))
            return None


def _optimizer(assembly: Assembly, network: Network | None) -> object:
    """The recipe's optimiser; over a stand-in where the network could not be built."""
    train = assembly.recipe.train
    return build_optimizer(
        network or nn.Linear(1, 1),
        name=name_of(train.optimizer),
        lr=train.lr,
        weight_decay=train.weight_decay,
        options=options_of(train.optimizer),
    )


def _check_head(assembly: Assembly, network: Network) -> None:
    if network.has_features:
        return
    trains_head = any(stage.trainable == "head" for stage in assembly.stages())
    if assembly.is_solved or trains_head:
        raise ConfigError(
            "the network ends in something other than one linear layer, so no head can be solved "
            "or trained alone",
            remedy="use freeze: none, head_start: false and trainable: all, or another network",
        )
