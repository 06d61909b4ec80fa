"""What a second-level unit does in its process: fit a head on features, score its rows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from foldwise import predictions as predictions_file
from foldwise.engine import checkpoint
from foldwise.engine.assemble import Assembly
from foldwise.engine.second_level import bound_head, chosen_formulation
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.models.second_level import model as model_file
from foldwise.models.second_level.model import SecondLevel, beside, scaled, scaling
from foldwise.models.second_level.rows import Arrays, Kind, TrainRows
from foldwise.parts import name_of
from foldwise.predictions import Predictions
from foldwise.publish import publish_json, step
from foldwise.stages.featuring import files as features_file
from foldwise.stages.training.at_work import UnitWork, open_work
from foldwise.stages.training.choices import Choices, begin
from foldwise.stages.training.unit import Unit
from foldwise.stages.training.work import checked_weights


def fit(unit: Unit, choices: Choices) -> str:
    """Fit a unit's head on its training rows and publish its files; its record is written last.

    Columns, scaling and head know the fold's training rows only. Held-out and test rows are both
    scored from the stored file.

    Args:
        unit: of a second-level recipe, whose features are written; its lock is held.
        choices: recorded before anything is replaced.

    Returns:
        The notes, as one sentence or none.
    """
    at_work = _open(unit, choices)
    bound = bound_head(unit.recipe)
    train, test = _features(unit)
    # One thread: the same bits however many cores there are.
    with threadpool_limits(1):
        model = _fitted(at_work, bound, train)
        begin(unit, choices)
        model_file.write(unit.folder.weights, model)
        stored = model_file.read(unit.folder.weights)
        held_out = _scored(at_work, stored, train[unit.valid_rows], held_out=True)
        answers = _scored(at_work, stored, test, held_out=False)
    if unit.fold is not None:
        predictions_file.write(unit.folder.valid, held_out)
    predictions_file.write(unit.folder.test, answers)
    step("record", unit.folder.path)
    publish_json(
        unit.folder.record,
        {
            "inputs": unit.inputs,
            "test": unit.test_print,
            "notes": at_work.notes,
            "head": None,
            "epochs": 0,
            "weights_sha256": checkpoint.file_hash(unit.folder.weights),
            "pretrained_sha256": None,
        },
    )
    return "; ".join(at_work.notes)


def score_test(unit: Unit, choices: Choices) -> str:
    """Score the test rows there are now from the stored file, as fitting would have.

    Raises:
        RunError: the stored file is not the one that was fitted.
    """
    return _score_test(unit, choices, _features(unit)[1])


def _score_test(unit: Unit, choices: Choices, features: np.ndarray) -> str:
    path = checked_weights(unit, "new test rows cannot be scored")
    at_work = _open(unit, choices)
    with threadpool_limits(1):
        answers = _scored(at_work, model_file.read(path), features, held_out=False)
    predictions_file.write(unit.folder.test, answers)
    record: dict[str, Any] = read_json(unit.folder.record)
    publish_json(unit.folder.record, {**record, "test": unit.test_print})
    return "; ".join(at_work.notes)


def answer_test(unit: Unit, choices: Choices) -> str:
    """As `score_test`, where no features are written: the sources' networks see the test rows.

    Raises:
        RunError: a stored file is not the one that was fitted or trained.
    """
    from foldwise.stages.featuring.jobs import test_features

    sources = [source for source in unit.sources if source is not None]
    parts = [test_features(source, choices.threads, unit.folder.timing) for source in sources]
    return _score_test(unit, choices, np.concatenate(parts, axis=1))


def _open(unit: Unit, choices: Choices) -> UnitWork:
    """A unit at work, put to its head in a way that the head can answer."""
    at_work = open_work(unit, choices)
    name, _ = chosen_formulation(unit.problem.task, unit.recipe)
    recipe = unit.recipe.model_copy(update={"formulation": name})
    at_work.assembly = Assembly(unit.problem, recipe)
    return at_work


def _features(unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) and (M, D) float32: what the unit of this fold and seed of each source sees.

    Raises:
        RunError: a source is not there, or its features are not.
    """
    parts = []
    for name, source in zip(unit.recipe.sources, unit.sources, strict=True):
        if source is None:
            raise RunError(f"there is no run {name!r} to take features from")
        parts.append(features_file.read(source))
    return (
        np.concatenate([part.train for part in parts], axis=1),
        np.concatenate([part.test for part in parts], axis=1),
    )


def _fitted(
    at_work: UnitWork, bound: Callable[[TrainRows], Arrays], features: np.ndarray
) -> SecondLevel:
    unit, assembly = at_work.unit, at_work.assembly
    problem, rows = unit.problem, unit.train_rows
    assert unit.recipe.head is not None
    columns = assembly.column_encoder(rows)
    inputs = beside(features[rows], columns, assembly.feed.column_values(problem.train.take(rows)))
    mean, scale = scaling(inputs)
    formulation = assembly.formulation
    at_work.report("fit", 0, 1)
    arrays = bound(
        TrainRows(
            rows=scaled(inputs, mean, scale),
            target=formulation.encode(problem.target[rows], problem.num_classes),
            kind=cast(Kind, formulation.solver),  # Heads take no other: `chosen_formulation`.
            num_outputs=formulation.num_outputs(problem.num_classes),
            groups=None if problem.groups is None else problem.groups[rows],
            weight=assembly.balancing.class_weights(rows),
            seed=unit.seed,
        )
    )
    at_work.report("fit", 1, 1)
    return SecondLevel(name_of(unit.recipe.head), arrays, columns, mean, scale)


def _scored(
    at_work: UnitWork, model: SecondLevel, features: np.ndarray, *, held_out: bool
) -> Predictions:
    unit = at_work.unit
    problem = unit.problem
    samples = problem.train.take(unit.valid_rows) if held_out else problem.test
    values = at_work.assembly.feed.column_values(samples)
    outputs = at_work.corrected(model.outputs(features, values))
    return at_work.predictions(samples, outputs, held_out)
