"""Rules about second-level recipes: their head, their columns and the runs they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from foldwise.engine.second_level import bound_head, chosen_formulation
from foldwise.errors import FoldwiseError
from foldwise.json_files import read_json
from foldwise.parts import name_of
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.stages.examining.fitting_rules import imbalance, unknown_fold
from foldwise.stages.features import network_recipe


def head(case: RecipeCase) -> Iterator[Fault]:
    """The head is unknown or has no such option."""
    try:
        bound_head(case.recipe)
    except FoldwiseError as problem:
        yield from (error("head", text, problem.remedy) for text in problem.problems)


def head_fit(case: RecipeCase) -> Iterator[Fault]:
    """The head cannot answer the task, or not as the formulation puts it."""
    if any(head(case)):
        return
    try:
        chosen_formulation(case.ground.task, case.recipe)
    except FoldwiseError as problem:
        key = "head" if case.recipe.formulation is None else "formulation"
        yield from (error(key, text, problem.remedy) for text in problem.problems)


def sources(case: RecipeCase) -> Iterator[Fault]:
    """A run whose features are read is neither there nor in the plan, or has no network."""
    home, plan = case.ground.home, case.ground.plan
    for name in case.recipe.sources:
        run = home.new_run(name)
        is_planned = plan is not None and name in plan.recipes
        if read_json(run.record) is None and is_planned:
            continue
        try:
            network_recipe(run)
        except FoldwiseError as problem:
            yield error("features", problem.problems[0], problem.remedy)


def table_columns(case: RecipeCase) -> Iterator[Fault]:
    """A column is absent in train or test, or is what is asked for."""
    columns = case.ground.competition.columns
    tables = [case.ground.tables[n] for n in ("train", "test") if n in case.ground.tables]
    for index, column in enumerate(map(name_of, case.recipe.columns)):
        key = f"columns.{index}"
        if column in (columns.id, *columns.target):
            yield error(key, f"{column} is the id or what is asked for", "take it out")
        for table in tables:
            if column not in table.frame.columns:
                yield error(
                    key,
                    f"{table.path.name} has no column {column}",
                    f"it has {', '.join(table.frame.columns)}",
                )


def peeked(case: RecipeCase) -> Iterator[Fault]:
    """A network whose features are read chose its epoch on the held-out fold."""
    for name in case.recipe.sources:
        record = read_json(case.ground.home.new_run(name).record) or {}
        if record.get("recipe", {}).get("train", {}).get("stop") == "validation":
            yield warning(
                "features",
                f"{name} chose its epoch on the held-out fold (stop: validation), so this score "
                "is optimistic, too",
                "read a run with stop: fixed",
            )


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "second-level-head": head,
    "second-level-fit": head_fit,
    "second-level-sources": sources,
    "second-level-columns": table_columns,
    "second-level-peeked": peeked,
    "imbalance": imbalance,
    "unknown-fold": unknown_fold,
}
