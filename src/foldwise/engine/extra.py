"""Whether a recipe can train on rows that are not of the train table, as it asks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from foldwise.config.recipe import Recipe
from foldwise.engine.frozen import Problem as Wrong
from foldwise.errors import FoldwiseError
from foldwise.external import external_set
from foldwise.parts import name_of
from foldwise.tables import is_missing
from foldwise.tasks.problem import Problem

if TYPE_CHECKING:
    from foldwise.engine.assemble import Assembly


def extra_problems(assembly: Assembly) -> list[Wrong]:
    """Keys of external data and pseudo-labels that cannot be honoured."""
    problem, recipe = assembly.problem, assembly.recipe
    if not recipe.has_extra_rows:
        return []
    unknown = list(_unknown(problem, recipe))
    found = [*unknown, *_unused(recipe), *_unlabelled(assembly), *_uncorrected(assembly)]
    return found if unknown else [*found, *_without_columns(assembly)]


def _unknown(problem: Problem, recipe: Recipe) -> Iterator[Wrong]:
    """Names that `competition.yaml` does not declare."""
    competition = problem.competition
    if recipe.external and competition.rules.external_data == "forbidden":
        yield Wrong(
            "external",
            f"{', '.join(recipe.external_weights)}: the rules forbid images from elsewhere "
            "(rules.external_data: forbidden in competition.yaml)",
            "take it out",
        )
        return
    known = competition.external
    for place, name in enumerate(recipe.external_weights):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Wrong(
                f"external.{place}",
                f"there is no external data {name!r} in competition.yaml{hint}",
                f"declared: {', '.join(known)}" if known else f"declare it there: external: {name}",
            )


def _unused(recipe: Recipe) -> Iterator[Wrong]:
    """Nothing is trained, and the solved head is the reference of what is."""
    if not recipe.train.schedule.stages and not recipe.train.epochs:
        yield Wrong(
            "external" if recipe.external else "pseudo",
            "epochs: 0 trains nothing, and the head is solved on the rows of train alone",
            "take it out, or train some epochs",
        )


def _unlabelled(assembly: Assembly) -> Iterator[Wrong]:
    """Test rows that cannot be had, or not be labelled as asked."""
    problem, pseudo = assembly.problem, assembly.recipe.pseudo
    if pseudo is None:
        return
    if not len(problem.test):
        yield Wrong("pseudo", "there are no test rows to label", "take it out")
    if pseudo.labels == "soft" and assembly.formulation.soften is None:
        formulations = problem.task.formulations
        fits = [name for name, found in formulations.items() if found.soften is not None]
        yield Wrong(
            "pseudo.labels",
            f"scores do not say what each output of formulation {assembly.formulation_name} "
            "should be",
            f"use labels: hard, or formulation: {' or '.join(fits)}",
        )
    if pseudo.asks_how_sure and problem.task.certainty is None:
        key = "confidence" if pseudo.confidence is not None else "share"
        yield Wrong(
            f"pseudo.{key}",
            f"scores of task {problem.task.name} hold no probability of the answer",
            "take it out, and give all test rows a low weight instead",
        )


def _uncorrected(assembly: Assembly) -> Iterator[Wrong]:
    """Class shares of rows that have another mix than test cannot be taken out of the logits."""
    recipe = assembly.recipe
    try:
        corrects = assembly.balancing.corrects_prior
    except FoldwiseError:  # The balance itself is refused.
        return
    if corrects:
        sampler = recipe.train.sampler
        key = "imbalance" if sampler is None else "train.sampler"
        yield Wrong(
            key,
            f"{name_of(recipe.imbalance if sampler is None else sampler)}: "
            f"{assembly.problem.metric_name} reads probabilities, out of which the balance is "
            "taken again by the shares of train, and extra rows have shares of their own",
            f"take {key} out, or external and pseudo",
        )


def _without_columns(assembly: Assembly) -> Iterator[Wrong]:
    """External data that have no values in a column that joins the features."""
    external = assembly.problem.external
    names = [name_of(spec) for spec in assembly.recipe.model.columns]
    if external is None:
        return
    for place, name in enumerate(assembly.recipe.external_weights):
        rows = external.take(external_set(external, name))
        lacking = [
            column
            for column in names
            if column not in rows.columns
            or is_missing(np.array(rows.cells(column), dtype=object)).all()
        ]
        if lacking:
            yield Wrong(
                f"external.{place}",
                f"{name} has no values in {', '.join(lacking)}, which model.columns names",
                f"take {name} out, or {', '.join(lacking)} out of model.columns",
            )
