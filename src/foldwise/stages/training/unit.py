"""A unit: recipe × fold × seed, its rows, its folder and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.data.inputs import pixels_version
from foldwise.errors import FoldwiseError
from foldwise.json_files import read_json
from foldwise.own_code import own_code_hash
from foldwise.parts import name_of
from foldwise.rundir import RunDir, UnitDir
from foldwise.samples import Samples
from foldwise.stages.training.extra import Taken, joined, taken_rows
from foldwise.stages.training.prints import (
    cells_of,
    hash_of,
    identity,
    input_columns,
    recipe_print,
)
from foldwise.tasks.extra_rows import ExtraRows
from foldwise.tasks.image_sets import ImageSets, read_image_sets
from foldwise.tasks.problem import Problem

#: Raised whenever the same inputs would give another unit than before, as with another default.
_VERSION = 3
#: What the features of a frozen backbone depend on.
_BACKBONE_KEYS = {"model", "input"}


@dataclass(frozen=True)
class Unit:
    """One piece of work and everything it is made from.

    Attributes:
        problem: competition, samples, folds, as its recipe is asked whatever was given.
        recipe: resolved.
        run: the run it belongs to.
        fold: the held-out fold; None: all rows are trained on.
        seed: of all its random draws.
        epochs: the schedule is shortened to this many; None: as the recipe says.
    """

    problem: Problem
    recipe: Recipe
    run: RunDir
    fold: int | None
    seed: int
    epochs: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "problem", self.problem.asked_by(self.recipe))

    @property
    def folder(self) -> UnitDir:
        """Where it writes."""
        return self.run.unit(self.fold, self.seed)

    @property
    def name(self) -> str:
        """Such as `b/fold0-seed0`."""
        return f"{self.run.name}/{self.folder.name}"

    @cached_property
    def train_rows(self) -> np.ndarray:
        """Positions of the train rows it learns from."""
        if self.fold is None:
            return np.arange(len(self.problem.train))
        left_out = self.problem.gap_rows(self.fold)
        return np.flatnonzero((self.problem.folds != self.fold) & ~left_out)

    @cached_property
    def valid_rows(self) -> np.ndarray:
        """Positions of the held-out train rows."""
        if self.fold is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self.problem.folds == self.fold)

    @cached_property
    def sources(self) -> tuple[Unit | None, ...]:
        """Units of the same fold and seed whose features it is fitted on; None: no such run."""
        found: list[Unit | None] = []
        for name in self.recipe.sources:
            run = RunDir(self.problem.home.runs / name)
            record = read_json(run.record)
            if record is None or record["kind"] != "recipe":
                found.append(None)
                continue
            recipe = Recipe.model_validate(record["recipe"])
            found.append(Unit(self.problem, recipe, run, self.fold, self.seed, record["epochs"]))
        return tuple(found)

    @cached_property
    def taken(self) -> tuple[Taken, ...]:
        """The rows it learns from that are not of the train table, by kind.

        Raises:
            RunError: a teacher is not ready, or nothing is left of a kind.
            DataError: labels or score files are wrong.
        """
        return taken_rows(self) if self.recipe.has_extra_rows else ()

    @cached_property
    def extra(self) -> ExtraRows | None:
        """All of them together, or None; raises as `taken`."""
        return joined(self.problem, self.taken) if self.taken else None

    @property
    def num_fitted(self) -> int:
        """Rows it learns from; where extra rows cannot be had yet, as if there were none."""
        try:
            return len(self.train_rows) + (0 if self.extra is None else len(self.extra))
        except FoldwiseError:
            return len(self.train_rows)

    @property
    def features_print(self) -> str | None:
        """Hash of what its network's features are made from beside the rows; None: not trained."""
        record = read_json(self.folder.record)
        if record is None or not self.is_done():
            return None
        if self.recipe.freeze != "backbone":
            made = record["inputs"]
            return fingerprint([record["weights_sha256"], made["recipe"], made["code"]])
        # The head is no part of them: all folds and seeds of a frozen backbone share one space.
        kept = self.recipe.model_dump(mode="json", exclude_defaults=True, include=_BACKBONE_KEYS)
        code = own_code_hash(self.problem.home.code, kept)
        looked = [record["pretrained_sha256"], kept, code]
        version = pixels_version(self.problem.home, self.recipe.input)
        return fingerprint([*looked, version] if version else looked)

    @cached_property
    def _image_sets(self) -> ImageSets | None:
        """The images its network is fed; None: they cannot be, which training refuses."""
        try:
            return read_image_sets(self.problem, self.recipe.input)
        except FoldwiseError:
            return None

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Hashes of what it is made from; another value means that it must be trained again."""
        return {
            **({"features": self._fed} if self.recipe.is_second_level else {}),
            **({"extra": self._extra_print} if self.recipe.has_extra_rows else {}),
            **pixels_version(self.problem.home, self.recipe.input),
            **self._since,
            "version": _VERSION,
            "recipe": recipe_print(self.recipe),
            "task": fingerprint(self._task),
            "seed": self.seed,
            "fold": self.fold,
            "epochs": self.epochs,
            "train": self._rows_hash(self.train_rows),
            "valid": self._rows_hash(self.valid_rows),
            "code": own_code_hash(self.problem.home.code, identity(self.recipe)),
        }

    @property
    def _since(self) -> dict[str, str]:
        """What came to mean something else later, named only where it is used."""
        train, found = self.recipe.train, {}
        if name_of(self.recipe.imbalance) == "sampler" or train.sampler is not None:
            found["repeats"] = "augmented anew"
        if self.problem.task.kind == "map" and self.recipe.model.decoder is not None:
            found["first_logits"] = "of each class's share"
        if self.epochs is not None and train.average_last:
            found["average_last"] = "as a share"
        if train.stop == "inner" and train.head_start:
            found["head_start"] = "without the inner rows"
        return found

    def image_hashes(self, samples: Samples) -> list[str]:
        """Of all images that its network is fed for these samples."""
        sets = self._image_sets
        return ["none"] if sets is None else list(sets.hashes(samples).ravel())

    def further_images(self, samples: Samples) -> list[str]:
        """One hash of the same, where it is fed others than each sample's first; else none."""
        sets = self._image_sets
        return [] if sets is None or sets.is_plain else [hash_of(self.image_hashes(samples))]

    @cached_property
    def test_print(self) -> str:
        """Hash of what its test scores are made from beside its weights."""
        test = self.problem.test
        cells = cells_of(test, input_columns(self.recipe))
        images = self.image_hashes(test)
        fed = [each for unit in self.sources if unit for each in unit.further_images(test)]
        views = [spec if isinstance(spec, str) else fingerprint(spec) for spec in self.recipe.views]
        return hash_of([*test.ids, *images, *views, *cells, *fed])

    def is_done(self) -> bool:
        """Whether its network and held-out scores are there, of these inputs or of more epochs."""
        return self._covers(self.folder.record)

    def is_scored(self) -> bool:
        """Whether it is done and its test scores are of the test rows there are now."""
        record = read_json(self.folder.record)
        return self.is_done() and record["test"] == self.test_print

    def is_begun(self) -> bool:
        """Whether training has begun, at this length, and what it has reached is kept."""
        choices = read_json(self.folder.choices)
        return choices is not None and choices["inputs"] == self.inputs

    def is_pending(self) -> bool:
        """Whether it is trained and waits for its epoch to be chosen."""
        return not self.is_done() and self._covers(self.folder.pending)

    def again(self) -> Unit:
        """The same unit, to be asked anew: what it is made from may have changed by now."""
        return replace(self)

    def as_trained(self) -> Unit:
        """The pending unit with the epochs that it was trained for, which may be more."""
        return replace(self, epochs=read_json(self.folder.pending)["inputs"]["epochs"])

    def _covers(self, path: Path) -> bool:
        record = read_json(path)
        return record is not None and self.is_made_of(record["inputs"])

    def is_made_of(self, inputs: Mapping[str, Any]) -> bool:
        """Whether what these inputs gave is this unit, with at least as many epochs."""
        made, wanted = dict(inputs), dict(self.inputs)
        theirs, ours = made.pop("epochs"), wanted.pop("epochs")
        is_enough = theirs is None or (ours is not None and theirs >= ours)
        return is_enough and made == wanted

    @property
    def _task(self) -> list[Any]:
        """What of the competition decides how the network is built, trained and chosen."""
        problem, recipe = self.problem, self.recipe
        competition, task = problem.competition, problem.task
        name = recipe.formulation or task.default_formulation
        formulation = task.formulations.get(name)
        loss = recipe.loss or (formulation.loss if formulation is not None else None)
        found = [task.name, name, loss, problem.columns, competition.classes]
        if name_of(recipe.imbalance) != "none" or recipe.train.sampler is not None:
            found.append(problem.metric.takes)
        if recipe.train.stop != "fixed":  # The epoch is chosen by the metric.
            code = own_code_hash(problem.home.code, competition.metric)
            found += [competition.metric, code, competition.test_prior]
        return found

    @property
    def _fed(self) -> list[str | None]:
        """What a second-level model is fitted on beside the tables: features by run."""
        return [
            None
            if unit is None
            else "/".join([str(unit.features_print), *unit.further_images(unit.problem.train)])
            for unit in self.sources
        ]

    @property
    def _extra_print(self) -> str | None:
        """Hash of its extra rows, labels and weights; None: they cannot be had now."""
        try:
            extra = self.extra
        except FoldwiseError:
            return None
        assert extra is not None
        labels = extra.target if extra.soft is None else extra.soft
        numbers = [labels.tobytes().hex(), extra.weight.tobytes().hex()]
        cells = cells_of(extra.samples, input_columns(self.recipe))
        images = self.image_hashes(extra.samples)
        return hash_of([*extra.samples.ids, *images, *numbers, *cells])

    def _rows_hash(self, rows: np.ndarray) -> str:
        train = self.problem.train
        target = self.problem.target[rows]
        groups = self.problem.groups
        # By where each group begins: their names may change when rows are added.
        begins: dict[str, int] = {}
        together = [] if groups is None else [begins.setdefault(g, n) for n, g in enumerate(groups)]
        held = [str(together[row]) for row in rows] if together else []
        labels = [label.column for label in self.recipe.auxiliary]
        cells = cells_of(train.take(rows), [*input_columns(self.recipe), *labels])
        target_bytes = target.tobytes().hex()
        images = self.image_hashes(train.take(rows))
        return hash_of([*train.ids[rows], *images, target_bytes, *held, *cells])
