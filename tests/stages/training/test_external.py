"""External data from its table to the training batches, and what a recipe is refused for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from foldwise import predictions as predictions_file
from foldwise.data.folds_file import read_folds
from foldwise.engine.assemble import Assembly
from foldwise.engine.fitting import fit_plan, image_batches
from foldwise.errors import ConfigError, DataError, FoldwiseError, RulesError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.examining.binding import bind_recipe
from foldwise.stages.featuring import files as features_file
from foldwise.stages.featuring.jobs import write_features
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.stages.training import course
from foldwise.stages.training.at_work import open_work
from foldwise.stages.training.choices import choose
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home
from tests.stages.extra_homes import MORE, declare, place_of, write_more
from tests.stages.small_units import pretrained, units, with_train, work, work_and_die

LABELS = {"dark": "0", "grey": "1", "bright": "2", "odd": None}
KINDS = ["dark", "bright", "grey", "odd", "bright", "dark", "grey", "bright", "dark"]
WEIGHED = {**SMALL, "external": [{"name": "more", "weight": 0.5}]}


def make(folder: Path, recipe: dict[str, Any] = WEIGHED, **changes: Any) -> Home:
    """A competition beside nine external images: one is a train row's, one a test row's."""
    home = make_home(folder, recipes={"a": recipe}, num_train=36, **changes)
    write_more(home, np.linspace(0.05, 0.95, len(KINDS)), KINDS, labels=LABELS)
    raw, more = folder / "raw" / "images", folder / "more" / "pictures"
    shutil.copy(raw / "001.png", more / "001.png")
    shutil.copy(raw / "040.png", more / "002.png")
    return home


def ready(folder: Path, recipe: dict[str, Any] = WEIGHED, **changes: Any) -> Home:
    home = make(folder, recipe, **changes)
    prepare(home)
    split(home)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return ready(tmp_path_factory.mktemp("external"))


@pytest.fixture(scope="module")
def unit(home: Home) -> Unit:
    """The unit that holds out the row of which there is a copy."""
    copied = open_problem(home).folds[1]
    found = units(home)[copied]
    work(found)
    return found.again()


def test_external_rows_have_ids_of_their_own_and_our_labels(home: Home) -> None:
    problem = open_problem(home)
    assert problem.external is not None
    names = [f"{n:03d}.png" for n in range(9) if n != 3]
    assert problem.external.ids.tolist() == [f"external/more/{name}" for name in names]
    labels = [LABELS[kind] for kind in KINDS if kind != "odd"]
    assert problem.external.cells("label") == labels
    assert problem.external.columns == problem.train.columns
    assert (problem.external.frame["sha256"].str.len() == 64).all()
    assert problem.external.frame["file"].iloc[0] == "../more/pictures/000.png"


def test_nothing_but_training_knows_external_rows(home: Home, unit: Unit) -> None:
    problem = open_problem(home)
    assert not any("external" in name for name in [*problem.samples.ids, *read_folds(home.folds)])
    assert len(problem.target) == 36
    held, test = (predictions_file.read(unit.folder.path / f"{part}.parquet") for part in
                  ("valid", "test"))  # fmt: skip
    assert sorted(held.ids) == sorted(problem.train.ids[unit.valid_rows])
    assert sorted(test.ids) == sorted(problem.test.ids)


def test_copies_are_left_out_and_told_in_the_units_record(home: Home, unit: Unit) -> None:
    dropped = {"copies of test rows": 1, "in a group with held-out rows": 0}
    held = {**dropped, "copies of held-out rows": 1}
    facts = read_json(unit.folder.record)["extra"]["more"]
    assert facts == {"rows": 6, "weight": 0.5, "dropped": held}
    for other in units(home):
        if other.fold != unit.fold:
            assert other.taken[0].dropped == {**dropped, "copies of held-out rows": 0}
            assert len(other.taken[0].rows) == 7


def test_extra_rows_come_after_those_of_train_with_their_labels_and_weights(unit: Unit) -> None:
    assembly, rows, extra = Assembly(unit.problem, unit.recipe), unit.train_rows, unit.extra
    assert extra is not None
    batches = image_batches(assembly, rows, seed=0, fold=unit.fold, extra=extra)
    seen = np.concatenate([batch.rows for batch in batches(0, 0)])
    assert sorted(seen) == list(range(len(rows) + 6))
    plan = fit_plan(assembly, rows, torch.device("cpu"), batches=batches,
                    stages=assembly.stages(), seed=0, fold=0, extra=extra)  # fmt: skip
    own = unit.problem.target[rows].tolist()
    assert plan.target.tolist() == [*own, *(int(cell) for cell in extra.samples.cells("label"))]
    assert plan.num_steps == -(-(len(rows) + 6) // 8)
    assert plan.row_weights is not None
    assert plan.row_weights.mean() == pytest.approx(1)
    assert plan.row_weights[-1] / plan.row_weights[0] == pytest.approx(0.5)


def test_classes_are_balanced_over_all_that_is_trained_on(home: Home) -> None:
    recipe = load_recipe(home, "a", overrides=["imbalance=weights"])
    unit = Unit(open_problem(home), recipe, home.new_run("a"), 0, 0)
    assembly = Assembly(unit.problem, recipe)
    weights = assembly.balancing.class_weights(unit.train_rows, unit.extra)
    assert unit.extra is not None
    assert weights is not None
    labels = np.concatenate([unit.problem.target[unit.train_rows], unit.extra.target])
    sums = np.bincount(labels, weights=weights)
    assert np.allclose(sums, sums[0])


def test_a_killed_unit_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    found = []
    for workers in (0, 2):
        recipe = {**WEIGHED, "train": {**SMALL["train"], "workers": workers}}
        recipe["train"]["checkpoint"] = {"every": "0s", "share": 1.0}
        unit = units(ready(tmp_path / str(workers), recipe))[0]
        if workers:
            for _ in range(3):
                work_and_die(unit)
        work(unit)
        found.append(unit.folder.weights.read_bytes())
    assert found[0] == found[1]


def test_a_frozen_head_trains_on_features_of_the_right_rows(tmp_path: Path) -> None:
    model = {"name": "small_cnn", "pretrained": pretrained(tmp_path / "weights")}
    recipe = {**WEIGHED, "model": model, "augment": [], "freeze": "backbone"}
    found = units(ready(tmp_path, recipe))
    unit = next(each for each in found if each.fold != each.problem.folds[1])
    at_work = open_work(unit, choose(unit, 1))
    features = at_work.features["identity"]
    assert unit.extra is not None
    place = unit.extra.places[unit.extra.samples.ids.tolist().index("external/more/001.png")]
    assert np.array_equal(features[place], features[1])
    assert len(features) == 36 + 10 + 8
    work(unit)
    assert unit.again().is_done()
    # Features for second-level models are of train and test alone.
    place = (str(unit.problem.home.path), str(unit.run.path), unit.fold, unit.seed)
    write_features(*place, 1, str(tmp_path / "timing.json"))
    assert len(features_file.read(unit.again()).test) == 10


@pytest.mark.parametrize(
    ("overrides", "wrong"),
    [
        ([], ""),
        (["external=[moar]"], "no external data 'moar' in competition.yaml; did you mean more?"),
        (["train.epochs=0"], "epochs: 0 trains nothing, and the head is solved on the rows of tra"),
        (["model.columns=[age]"], "more has no values in age, which model.columns names"),
    ],
)
def test_what_cannot_be_is_refused(home: Home, overrides: list[str], wrong: str) -> None:
    assert wrong in (found := _failures(home, *overrides))
    assert bool(wrong) == bool(found)


def _failures(home: Home, *overrides: str) -> str:
    recipe = load_recipe(home, "a", overrides=overrides)
    found = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    return "; ".join(text for failure in found for text in failure.problems)


def test_a_balance_that_would_be_taken_out_again_is_refused(tmp_path: Path) -> None:
    home = ready(tmp_path, competition={"metric": "log_loss", "submission": {"gives": "scores"}})
    for key in ("imbalance=sampler", "train.sampler=balanced", "imbalance=logit_adjustment"):
        assert "extra rows have shares of their own" in _failures(home, key)
    assert _failures(home) == ""


@pytest.mark.parametrize(
    ("changes", "error", "wrong"),
    [
        ({"columns": {"id": "name", "target": ["kid"]}}, DataError, "no column 'kid'"),
        ({"labels": {"dark": "0"}}, DataError, "'odd', which is none of|'bright'"),
        ({"labels": dict.fromkeys(LABELS)}, DataError, "external.more: labels: no row is left"),
        ({"columns": {"target": ["kind", "junk"]}}, ConfigError, "found 2 columns, train has 1"),
        ({"data": "../nowhere"}, DataError, r"external.more: .*nowhere/more.csv: no such file"),
    ],
)
def test_wrong_declarations_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], error: type[FoldwiseError], wrong: str
) -> None:
    home = make_home(tmp_path)
    write_more(home, np.linspace(0.05, 0.95, 9), KINDS, **{"labels": LABELS, **changes})
    with pytest.raises(error, match=wrong):
        prepare(home)


def test_rules_that_forbid_it_refuse_it_by_file_and_line(tmp_path: Path) -> None:
    home = make_home(tmp_path, competition={"rules": {"external_data": "forbidden"}})
    declare(home, MORE)
    with pytest.raises(RulesError) as refused:
        prepare(home)
    assert place_of(home, "external") in str(refused.value)
    assert "external_data: forbidden" in str(refused.value)


def test_a_folder_per_class_is_external_data_too(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    for kind, file in (("dark", "000.png"), ("bright", "029.png")):
        folder = tmp_path / "more" / "classes" / kind
        folder.mkdir(parents=True)
        shutil.copy(tmp_path / "raw" / "images" / file, folder / "x.png")
    images = {"kind": "class_folder"}
    declare(home, {"data": "../more", "table": "classes", "images": images, "labels": LABELS})
    prepare(home)
    external = open_problem(home).external
    assert external is not None
    assert dict(zip(external.ids, external.cells("label"), strict=True)) == {
        "external/more/bright/x.png": "2",
        "external/more/dark/x.png": "0",
    }


def test_ids_of_ours_that_look_external_are_refused(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    table = pd.read_csv(tmp_path / "raw" / "train.csv", dtype=str)
    table.loc[0, "id"] = "external/more/000.png"
    table.to_csv(tmp_path / "raw" / "train.csv", index=False)
    write_more(home, np.linspace(0.05, 0.95, 9), KINDS, labels=LABELS)
    with pytest.raises(DataError, match="1 ids of train or test are those of external rows"):
        prepare(home)


def test_a_sampler_by_loss_knows_the_losses_of_extra_rows(tmp_path: Path) -> None:
    recipe = {**with_train(epochs=2, sampler="hard"), "external": ["more"]}
    unit = units(ready(tmp_path, recipe))[0]
    sizes: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        made = course.fit_state

        def counted(*given: Any, num_rows: int, **options: Any) -> Any:
            sizes.append(num_rows)
            return made(*given, num_rows=num_rows, **options)

        patch.setattr(course, "fit_state", counted)
        work(unit)
    assert unit.extra is not None
    assert sizes == [len(unit.train_rows) + len(unit.extra)] == [unit.num_fitted]
    assert unit.again().is_done()
