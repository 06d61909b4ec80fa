"""Binds and builds every part of a recipe, and collects what refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import nn

from foldwise import device as machine
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.engine.assemble import Assembly
from foldwise.engine.extra import extra_problems
from foldwise.engine.frozen import frozen_problems
from foldwise.engine.map_problems import map_problems
from foldwise.engine.precision import autocast_dtype
from foldwise.engine.prototypes import prototype_problems
from foldwise.engine.second_level import bound_head, chosen_formulation
from foldwise.engine.viewing import check_shown, check_views
from foldwise.errors import ConfigError, FoldwiseError, OfflineError
from foldwise.home import Home
from foldwise.models.freezing import Trainable, set_trainable
from foldwise.models.network import Network
from foldwise.parts import options_of
from foldwise.stages.examining.bound import Failure
from foldwise.tasks.image_sets import image_places
from foldwise.tasks.problem import Problem, open_problem
from foldwise.views import View, views_of

T = TypeVar("T")


def bind_recipe(home: str, recipe: str, name: str) -> list[Failure]:
    """What cannot be bound or built of a recipe; the job behind `bound.unbound`.

    Args:
        home: the competition's folder.
        recipe: resolved, as JSON.
        name: of the recipe.
    """
    resolved = from_values(json.loads(recipe), Recipe, source=f"recipe {name}")
    problem = open_problem(Home(Path(home)))
    if resolved.is_second_level:
        return bind_second_level(problem, resolved)
    return bind_parts(Assembly(problem, resolved))


def bind_parts(assembly: Assembly) -> list[Failure]:
    """Each part that cannot be bound or built."""
    recipe = assembly.recipe
    failures = _Failures()
    attempt = failures.attempt
    attempt("formulation", "formulation", lambda: assembly.formulation)
    if failures.found:
        return failures.found
    for index, spec in enumerate(recipe.augment):
        attempt("augment", f"augment.{index}", partial(assembly.feed.check_augment, [spec]))
    views = _bind_views(assembly, failures)
    attempt("mix-fit", "mix", assembly.mix)
    attempt("loss-fit", "loss", assembly.loss)
    balance = attempt("imbalance", "imbalance", lambda: assembly.balancing.balance)
    attempt("sampler", "train.sampler", lambda: assembly.balancing.sampler)
    stages = attempt("schedule", "train.schedule", assembly.stages)
    attempt("sharpness", "train.sharpness", assembly.sharpness)
    attempt(
        "precision",
        "train.precision",
        lambda: autocast_dtype(recipe.train.precision, machine.pick()),
    )
    num_before = len(failures.found)
    attempt("weights-file", "model.pretrained", lambda: assembly.weights)
    attempt("columns", "model.columns", partial(_read_columns, assembly))
    attempt("auxiliary", "auxiliary", lambda: assembly.auxiliary)
    find_places = partial(image_places, assembly.problem, recipe.input)
    if attempt("several-images", "input.images", find_places) is not None:
        attempt("several-images", "input.frames", lambda: assembly.feed.image_sets)
    if len(failures.found) == num_before:
        attempt("several-images", "model.siamese", assembly.siamese)
    network = None
    for rule, problems in frozen_problems(recipe).items():
        failures.found += [Failure(rule, p.key, (p.found,), p.remedy) for p in problems]
    failures.found += [
        Failure("extra-rows", p.key, (p.found,), p.remedy) for p in extra_problems(assembly)
    ]
    prototypes = prototype_problems(recipe, assembly.formulation_name, assembly.formulation)
    failures.found += [Failure("prototypes", p.key, (p.found,), p.remedy) for p in prototypes]
    unfit = map_problems(recipe, assembly.problem.competition, assembly.problem.task)
    failures.found += [Failure("map-fit", p.key, (p.found,), p.remedy) for p in unfit]
    if len(failures.found) == num_before and None not in (balance, stages):
        network = attempt("network", "model", assembly.network)
    if network is not None:
        for key, found in views.items():
            attempt("views", key, partial(check_views, network, found, recipe.input.size))
        if views and assembly.gives_maps:
            attempt("views", "views", partial(check_shown, assembly.views, recipe.input.size))
    # Layers' rates need the layers; without a network that would be a second error of one cause.
    if network is not None or "layer_decay" not in options_of(recipe.train.optimizer):
        attempt("optimizer", "train.optimizer", lambda: _optimizer(assembly, network))
    if network is not None:
        attempt("head", "model", lambda: _check_head(assembly, network))
        _check_trainable(assembly, network, failures)
    return failures.found


def bind_second_level(problem: Problem, recipe: Recipe) -> list[Failure]:
    """Each part of a second-level recipe that cannot be bound."""
    failures, problem = _Failures(), problem.asked_by(recipe)
    unfit = map_problems(recipe, problem.competition, problem.task)
    if found := [Failure("map-fit", p.key, (p.found,), p.remedy) for p in unfit]:
        return found
    failures.attempt("head", "head", lambda: bound_head(recipe))
    chosen = None
    if not failures.found:
        key = "head" if recipe.formulation is None else "formulation"
        chosen = failures.attempt(
            "formulation", key, lambda: chosen_formulation(problem.task, recipe)
        )
    if chosen is not None:
        recipe = recipe.model_copy(update={"formulation": chosen[0]})
    assembly = Assembly(problem, recipe)
    failures.attempt("columns", "columns", partial(_read_columns, assembly))
    if chosen is not None:
        failures.attempt(
            "imbalance", "imbalance", lambda: assembly.balancing.class_weights(np.arange(1))
        )
    return failures.found


@dataclass
class _Failures:
    """Collects what is raised, so that all problems are told at once."""

    found: list[Failure] = field(default_factory=list)

    def attempt(self, rule: str, key: str, bind: Callable[[], T]) -> T | None:
        try:
            return bind()
        except FoldwiseError as problem:
            rule = "weights-offline" if isinstance(problem, OfflineError) else rule
            self.found.append(Failure(rule, key, problem.problems, problem.remedy))
            return None


def _bind_views(assembly: Assembly, failures: _Failures) -> dict[str, tuple[View, ...]]:
    """Key → views of each spec; none where one of them cannot be bound."""
    found: dict[str, tuple[View, ...]] = {}
    for index, spec in enumerate(assembly.recipe.views):
        views = failures.attempt("views", f"views.{index}", partial(views_of, [spec]))
        found |= {} if views is None else {f"views.{index}": views}
    if len(found) < len(assembly.recipe.views):
        return {}
    failures.attempt("views", "views", lambda: assembly.views)
    return found


def _read_columns(assembly: Assembly) -> None:
    for samples in (assembly.problem.train, assembly.problem.test):
        assembly.feed.column_values(samples)


def _optimizer(assembly: Assembly, network: Network | None) -> object:
    """The recipe's optimiser; over a stand-in where the network could not be built."""
    return assembly.optimizer(network or nn.Linear(1, 1))


def _check_trainable(assembly: Assembly, network: Network, failures: _Failures) -> None:
    """What the stages train must be there; the head is `_check_head`'s."""
    stages, own = assembly.stages(), bool(assembly.recipe.train.schedule.stages)
    wanted: dict[str, Trainable] = {}
    for index, stage in enumerate(stages):
        key = f"train.schedule.stages.{index}.trainable" if own else "train.trainable"
        if stage.trainable != "head":
            wanted[key] = stage.trainable
    for key, what in wanted.items():
        failures.attempt("trainable", key, partial(set_trainable, network, what))


def _check_head(assembly: Assembly, network: Network) -> None:
    if network.has_features:
        return
    trains_head = network.end is None and any(
        stage.trainable == "head" for stage in assembly.stages()
    )
    if assembly.is_solved or trains_head:
        raise ConfigError(
            "the network ends in something other than one linear layer, so no head can be solved "
            "or trained alone",
            remedy="use freeze: none, head_start: false and trainable: all, or another network",
        )
