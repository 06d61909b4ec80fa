"""Whether all parts that config files name can be bound: told by file and line, before any work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from foldwise import parts
from foldwise.blending import BLENDS
from foldwise.cluster.local import Job, run_jobs
from foldwise.config.loading import origins
from foldwise.config.plan import Plan
from foldwise.config.reading import shown
from foldwise.config.recipe import Recipe
from foldwise.data.steps import normalised_steps
from foldwise.errors import ConfigError, FoldwiseError
from foldwise.home import Home
from foldwise.stages.examining.over_time import check_over_time
from foldwise.stages.examining.questions import wrong_questions
from foldwise.stages.recipes import Places, joined
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Failure:
    """A part of a recipe that cannot be bound or built.

    Attributes:
        rule: of the doctor, that says so.
        key: dotted key of the part.
        problems: what is wrong.
        remedy: what would do.
    """

    rule: str
    key: str
    problems: tuple[str, ...]
    remedy: str

    def at(self, places: Places) -> ConfigError:
        """The error with its place."""
        return places.error(self.key, FoldwiseError(*self.problems, remedy=self.remedy))


def check_steps(recipe: Recipe, places: Places) -> None:
    """Check the steps before the cache, which is made before the other parts are bound.

    Raises:
        ConfigError: one is unknown or has no such option.
    """
    try:
        normalised_steps(recipe.input.steps)
    except ConfigError as problem:
        raise places.error("input.steps", problem) from None


def check_metrics(problem: Problem) -> None:
    """Check the competition's metrics, and its steps over time, which are fitted to one.

    Raises:
        ConfigError: some cannot be bound, or cannot score the task; steps over time that cannot be
            honoured.
    """
    competition, file = problem.competition, problem.home.competition
    specs = {"metric": competition.metric}
    specs |= {f"more_metrics.{i}": spec for i, spec in enumerate(competition.more_metrics)}
    found: list[ConfigError] = []
    for key, spec in specs.items():
        try:
            problem.bound_metric(spec)
        except ConfigError as error:
            texts = [text.removeprefix(f"{file}: ") for text in error.problems]
            places = Places(shown(file), origins(file))
            found.append(places.error(key, FoldwiseError(*texts, remedy=error.remedy)))
    if found:
        raise joined(found)
    check_over_time(problem)


def check_targets(
    problem: Problem, recipes: Mapping[str, Recipe], places: Mapping[str, Places]
) -> None:
    """Check that what recipes are to learn can be asked of the competition's images.

    Raises:
        ConfigError: which classes are there is asked, and there are no masks that show it.
    """
    found: list[ConfigError] = []
    for name, recipe in recipes.items():
        try:
            problem.asked_by(recipe)
        except ConfigError as error:
            found.append(places[name].error("target", error))
    if found:
        raise joined(found)


def check_blends(home: Home, plan: Plan, recipes: Mapping[str, Recipe], places: Places) -> None:
    """Check the plan's ways to blend, and that members, gates and what is submitted answer them.

    Args:
        home: the competition.
        plan: whose blends they are.
        recipes: of the plan, resolved.
        places: where the plan's keys stand.

    Raises:
        ConfigError: some cannot be bound, or answer something else.
    """
    found: list[ConfigError] = []
    for name, config in plan.blends.items():
        try:
            parts.bind(BLENDS, config.method, what="blend method", code=home.code)
        except ConfigError as error:
            found.append(places.error(f"blends.{name}.method", error))
    for wrong in wrong_questions(home, plan, recipes):
        found.append(places.error(wrong.key, wrong.error))
    if found:
        raise joined(found)


def unbound(
    problem: Problem,
    recipes: Mapping[str, Recipe],
    places: Mapping[str, Places],
    *,
    stop_at: float | None = None,
) -> dict[str, ConfigError]:
    """Recipes with parts that cannot be bound or built → all that is wrong with them.

    Each is tried in a process of its own, since binding takes torch and may run the user's code.

    Args:
        problem: what the recipes are for.
        recipes: name → resolved recipe.
        places: recipe → where its keys stand.
        stop_at: on the monotonic clock; what is not bound by then is not bound at all.
    """
    home = problem.home
    at_once, threads = side_by_side(None)
    jobs = [
        Job(
            name=name,
            function="foldwise.stages.examining.binding:bind_recipe",
            arguments=(str(home.path), json.dumps(recipe.model_dump(mode="json")), name),
            log=home.stamp("parts").with_name("parts-log.txt"),
            threads=threads,
            stop_at=stop_at,
        )
        for name, recipe in recipes.items()
    ]
    found: dict[str, ConfigError] = {}
    for outcome in run_jobs(jobs, parallel=at_once):
        name = outcome.job.name
        if outcome.error is not None:
            found[name] = ConfigError(f"{places[name].file}: {outcome.error}")
        elif outcome.value:
            found[name] = joined([failure.at(places[name]) for failure in outcome.value])
    return {name: found[name] for name in recipes if name in found}
