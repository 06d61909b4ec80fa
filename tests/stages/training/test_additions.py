"""Units with table columns, further labels and additions: resumed, reloaded, frozen, refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from foldwise import predictions as predictions_file
from foldwise import seeding
from foldwise.engine.assemble import Assembly
from foldwise.home import Home
from foldwise.models.building import build
from foldwise.stages.doctor import doctor
from foldwise.stages.examining.binding import bind_recipe
from foldwise.stages.examining.trial import try_recipe
from foldwise.stages.examining.trial_rules import RULES, TrialCase
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.stages.training.unit import Unit
from tests.builders import SMALL, make_home
from tests.stages.examining.clinic import QUIET
from tests.stages.small_units import rescore, units, work, work_and_die

_NARROW = {"widths": [8, 8]}
_ALL: dict[str, Any] = {
    **SMALL,
    "model": {
        "name": "small_cnn",
        "options": _NARROW,
        "pool": "gem",
        "multi_sample_dropout": {"samples": 3},
        "branch": {"name": "attention", "weight": 0.5},
        "shallow": {"width": 4},
        "columns": ["age", {"name": "site", "kind": "category"}],
    },
    "auxiliary": [
        {"column": "risk", "task": "classes"},
        {"column": "depth", "task": "number", "weight": 0.1},
    ],
}


def _home(folder: Path, recipe: dict[str, Any]) -> Home:
    """A competition with columns: age, site in both tables, risk and depth in train alone."""
    home = make_home(folder, recipes={"a": recipe}, num_train=36)
    rng = np.random.default_rng(5)
    for split_name in ("train", "test"):
        path = home.path.parent / "raw" / f"{split_name}.csv"
        table = pd.read_csv(path, dtype=str)
        table["age"] = [f"{age:.1f}" if age > 30 else "" for age in rng.normal(45, 15, len(table))]
        table["site"] = rng.choice(["eye", "hand", "foot", "NA"], len(table))
        if split_name == "train":
            table["risk"] = rng.choice(["low", "high", ""], len(table))
            table["depth"] = [f"{depth:.2f}" for depth in rng.normal(size=len(table))]
        table.to_csv(path, index=False)
    prepare(home)
    split(home)
    return home


def _weights(folder: Path) -> str:
    """Weights to start from: a narrow network of random weights, as a file."""
    torch.manual_seed(5)
    network = build(name="small_cnn", num_outputs=4, size=16, options=_NARROW)
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / "weights.safetensors")
    return str(folder / "weights.safetensors")


def _failures(home: Home, *overrides: str) -> str:
    recipe = load_recipe(home, "a", overrides=overrides)
    found = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    return "; ".join(text for failure in found for text in failure.problems)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return _home(tmp_path_factory.mktemp("all"), _ALL)


@pytest.fixture(scope="module")
def unit(home: Home) -> Unit:
    found = units(home)[0]
    work(found)
    return found


def test_a_unit_with_everything_added_names_its_terms(unit: Unit) -> None:
    rows = list(csv.DictReader(unit.folder.history.read_text().splitlines()))
    names = ["label", "attention", "auxiliary_risk", "auxiliary_depth"]
    for row in rows:
        terms = [float(row[f"train_{name}"]) for name in names]
        assert all(term > 0 for term in terms)
        assert sum(terms) == pytest.approx(float(row["train_loss"]), rel=1e-5)


def test_whatever_was_added_has_trained(unit: Unit) -> None:
    torch.manual_seed(seeding.key("weights", unit.seed, unit.fold))
    fresh = dict(Assembly(unit.problem, unit.recipe).network(unit.train_rows).named_parameters())
    trained = load_file(unit.folder.weights)
    assert {name.partition(".")[0] for name in fresh} > {"shallow", "branch", "auxiliary"}
    assert [name for name, start in fresh.items() if torch.equal(start, trained[name])] == []


def test_stored_weights_load_again_and_give_the_same_scores(unit: Unit) -> None:
    assert unit.is_scored()
    before = unit.folder.test.read_bytes()
    assembly = Assembly(unit.problem, unit.recipe)
    network = assembly.trained_network(load_file(unit.folder.weights)).eval()
    assert network.columns is not None
    rows = assembly.feed.column_values(unit.problem.train.take(unit.train_rows))
    assert rows is not None
    ages = rows[:, 0].astype(float).sum(axis=1)
    assert float(network.columns.center.sum()) == pytest.approx(np.nanmean(ages), rel=1e-6)
    record = json.loads(unit.folder.record.read_text())
    unit.folder.record.write_text(json.dumps({**record, "test": "other"}))
    rescore(unit)
    assert unit.folder.test.read_bytes() == before


def test_columns_of_a_row_reach_its_own_score(home: Home, unit: Unit) -> None:
    table = home.path.parent / "raw" / "test.csv"
    whole = table.read_text()
    old = predictions_file.read(unit.folder.test)
    try:
        lines = whole.splitlines()
        id_, path, *_ = lines[3].split(",")
        table.write_text("\n".join([*lines[:3], f"{id_},{path},99.0,eye", *lines[4:]]) + "\n")
        prepare(home)
        changed = units(home)[0]
        assert changed.is_done()
        assert not changed.is_scored()
        rescore(changed)
        new = predictions_file.read(unit.folder.test).align(old.ids, name="new")
        differs = (new.scores != old.scores).any(axis=1)
        assert old.ids[differs].tolist() == [id_]
    finally:
        table.write_text(whole)
        prepare(home)
        rescore(units(home)[0])


def test_other_cells_in_train_make_a_unit_stale(home: Home, unit: Unit) -> None:
    table = home.path.parent / "raw" / "train.csv"
    whole = table.read_text()
    try:
        for word, other in (("low", "high"), ("hand", "foot")):
            table.write_text(whole.replace(word, other, 1))
            prepare(home)
            assert not units(home)[0].is_done(), word
    finally:
        table.write_text(whole)
        prepare(home)
    assert units(home)[0].is_done()


def test_a_unit_that_is_killed_goes_on_to_the_same_bits(tmp_path: Path, unit: Unit) -> None:
    other = units(_home(tmp_path, {**_ALL, "train": {**SMALL["train"], "workers": 2}}))[0]
    work_and_die(other)
    work(other)
    assert other.folder.weights.read_bytes() == unit.folder.weights.read_bytes()


def test_the_head_is_solved_on_images_and_columns_and_a_shallow_stream_starts_at_nothing(
    tmp_path: Path,
) -> None:
    model = {
        "name": "small_cnn",
        "options": _NARROW,
        "pretrained": _weights(tmp_path),
        "columns": ["age", "site"],
    }
    train = {**SMALL["train"], "epochs": 0}
    base = {**SMALL, "model": model, "augment": [], "train": train}
    frozen = units(_home(tmp_path / "frozen", {**base, "freeze": "backbone"}))[0]
    tiny = {**train, "epochs": 1, "lr": 1e-12, "norm": "frozen"}
    wide = {**base, "train": tiny, "model": {**model, "shallow": {"width": 4}}}
    wide["auxiliary"] = [{"column": "risk", "task": "classes"}]
    shallow = units(_home(tmp_path / "shallow", wide))[0]
    scores = []
    for unit in (frozen, shallow):
        work(unit)
        scores.append(predictions_file.read(unit.folder.valid).scores)
    # So small a rate leaves everything as it starts.
    assert np.allclose(scores[1], scores[0], atol=1e-4)
    reference = predictions_file.read(shallow.folder.reference_valid)
    assert np.allclose(reference.scores, scores[0], atol=1e-6)
    alone = load_file(frozen.folder.head)["weight"]
    assert alone.shape[1] == 8 + 2 + 3 + 1
    assert alone[:, 8:].abs().max() > 0


def test_a_frozen_head_trains_on_dropped_copies_of_features_of_another_pool(
    tmp_path: Path,
) -> None:
    model = {
        "name": "small_cnn",
        "options": _NARROW,
        "pretrained": _weights(tmp_path),
        "columns": ["age"],
    }
    found = []
    for several in (None, {"samples": 2, "p": 0.5}):
        added = {**model, "pool": "gem", "multi_sample_dropout": several}
        recipe = {**SMALL, "model": added, "augment": [], "freeze": "backbone"}
        unit = units(_home(tmp_path / str(several is None), recipe))[0]
        work(unit)
        found.append((load_file(unit.folder.head), load_file(unit.folder.weights)))
    (plain_head, plain), (head, dropped) = found
    assert torch.equal(plain_head["weight"], head["weight"])
    assert not torch.equal(plain["head.weight"], dropped["head.weight"])
    assert Assembly(unit.problem, unit.recipe).trained_network(dropped).eval()


@pytest.mark.parametrize(
    ("overrides", "wrong"),
    [
        ([], ""),
        (["model.columns=[agee]"], "agee: train has no values in it; did you mean age?"),
        (["model.columns=[risk]"], "risk: test has no values in it, and what test lacks cannot"),
        (["model.columns=[id, path]"], "id: names the row or its file"),
        (["model.columns=[label]"], "label: is the label"),
        (["model.columns=[age, age]"], "age: stands there twice"),
        (["model.columns=[{name: age, kid: number}]"], "column age: unknown option 'kid'"),
        (["model.columns=[{name: age, kind: word}]"], "'auto', 'number' or 'category'"),
        (["model.columns=[{name: site, kind: number}]"], "column 'site': found 'eye', wanted a"),
        (["auxiliary=[{column: rsk, task: classes}]"], "train has no such column; did you mean"),
        (["auxiliary=[{column: label, task: classes}]"], "label: is the label itself"),
        (["auxiliary=[{column: risk, task: number}]"], "column 'risk': found 'low', wanted a"),
        (["mix=mixup"], "mixes images and their labels, but not model.columns and auxiliary"),
        (["freeze=backbone", "augment=[]"], "stay as it starts: freeze: backbone trains the head"),
        (["train.epochs=0", "train.schedule.warmup=0"], "epochs: 0 trains nothing"),
        (["model={name: test_vit, pool: gem}"], "has no one module `global_pool`"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    home: Home, overrides: list[str], wrong: str
) -> None:
    found = _failures(home, *overrides)
    assert wrong in found
    assert bool(wrong) == bool(found)


def test_the_trial_of_the_doctor_is_silent_on_a_clean_recipe(home: Home, tmp_path: Path) -> None:
    recipe = load_recipe(home, "a", overrides=["train.epochs=6"])
    values = json.dumps(recipe.model_dump(mode="json"))
    tried = try_recipe(str(home.path), values, "a", str(tmp_path / "batch.png"), 1)
    assert tried.failures == ()
    assert tried.facts is not None
    assert tried.facts.rates.train
    case = TrialCase(tried.facts, side_by_side=1)
    assert [fault for rule in RULES.values() for fault in rule(case)] == []


def test_the_doctor_names_what_would_never_train(home: Home) -> None:
    found = doctor(home, "a", trial=False, display=QUIET)
    assert [str(finding) for finding in found] == []
    found = doctor(home, "a", overrides=["train.epochs=0"], trial=False, display=QUIET)
    parts = {f.message.partition(":")[0] for f in found if f.rule == "untrained-parts"}
    assert parts == {"model.branch", "model.shallow", "auxiliary"}
