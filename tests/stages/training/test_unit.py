"""What a unit is made from: a change of it makes results stale, a change of anything else not."""

import hashlib
import json
from dataclasses import replace

import pytest

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.config.recipe import Recipe
from foldwise.config.writing import write_yaml
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.predict import predict
from foldwise.stages.prepare import prepare
from foldwise.stages.training.prints import recipe_print
from foldwise.stages.training.unit import Unit
from tests.builders import SMALL
from tests.stages.small_units import ready, units, with_train, work

NETWORK = """
from torch import nn
from blocks import WIDTH

def network(*, num_outputs, channels):
    layers = nn.Linear(channels * 256, WIDTH), nn.Linear(WIDTH, num_outputs)
    return nn.Sequential(nn.Flatten(), *layers)
"""
METRIC = """
from foldwise.metrics import METRICS, Metric
half = METRICS["accuracy"]
"""


def first(home: Home) -> Unit:
    return units(home)[0]


def change(home: Home, **values) -> None:
    competition = load(home.competition, Competition).model_dump(mode="json")
    write_yaml(home.competition, {**competition, **values}, overwrite=True)


def write_code(home: Home, **texts: str) -> None:
    home.code.mkdir(exist_ok=True)
    for name, text in texts.items():
        (home.code / f"{name}.py").write_text(text)


def test_only_own_code_that_the_recipe_uses_counts(tmp_path):
    home = ready(tmp_path, {**SMALL, "model": {"name": "mine_unit:network"}})
    write_code(home, mine_unit=NETWORK, blocks="WIDTH = 8\n")
    before = first(home).inputs
    write_code(home, other="x = 1\n")
    assert first(home).inputs == before
    write_code(home, blocks="WIDTH = 9\n")
    assert first(home).inputs != before


def test_own_code_that_no_recipe_names_leaves_finished_folds_done(tmp_path):
    home = ready(tmp_path)
    work(first(home))
    write_code(home, mine="x = 1\n")
    assert first(home).is_done()
    assert predict(home, "a").folds == (0,)


def test_the_metric_counts_only_where_it_chooses_the_epoch(tmp_path):
    for stop, counts in (("fixed", False), ("inner", True), ("validation", True), ("cross", True)):
        home = ready(tmp_path / stop, with_train(stop=stop))
        before = first(home).inputs
        change(home, metric="balanced_accuracy")
        assert (first(home).inputs != before) == counts
        write_code(home, own=METRIC)
        change(home, metric="own:half")
        before = first(home).inputs
        write_code(home, own=METRIC + "# changed\n")
        assert (first(home).inputs != before) == counts


@pytest.mark.parametrize(
    "values", [{"task": "ordinal", "metric": "qwk"}, {"classes": ["2", "1", "0"]}]
)
def test_another_task_or_other_classes_make_units_stale(tmp_path, values):
    home = ready(tmp_path)
    work(first(home))
    change(home, **values)
    assert not first(home).is_done()


def test_what_is_written_out_is_what_the_default_means(tmp_path):
    home = ready(tmp_path)
    assert (
        first(home)._task
        == first(
            ready(tmp_path / "said", {**SMALL, "formulation": "softmax", "loss": "cross_entropy"})
        )._task
    )


def test_a_metric_that_reads_probabilities_counts_where_classes_are_balanced(tmp_path):
    for imbalance, counts in (("none", False), ("sampler", True)):
        home = ready(tmp_path / imbalance, {**SMALL, "imbalance": imbalance})
        before = first(home).inputs
        change(home, metric="log_loss")
        assert (first(home).inputs != before) == counts


def test_test_rows_and_views_are_no_part_of_the_training(tmp_path):
    home = ready(tmp_path)
    work(first(home))
    before = first(home)
    table = home.path.parent / "raw" / "test.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    prepare(home)
    after = first(home)
    assert after.inputs == before.inputs
    assert after.is_done()
    assert not after.is_scored()


def test_a_unit_with_more_epochs_is_never_replaced_by_a_shortened_one(tmp_path):
    home = ready(tmp_path)
    work(first(home))
    weights = first(home).folder.weights.read_bytes()
    short = units(home, epochs=1)[0]
    assert short.is_done()
    assert work(short) == "already done"
    assert short.folder.weights.read_bytes() == weights
    assert read_json(home.run("a").record)["epochs"] == 1
    assert predict(home, "a").folds == (0,)


def test_a_longer_schedule_replaces_a_shortened_unit(tmp_path):
    home = ready(tmp_path)
    work(units(home, epochs=1)[0])
    assert units(home, epochs=1)[0].is_done()
    assert not first(home).is_done()
    work(first(home))
    assert json.loads(first(home).folder.record.read_text())["epochs"] == 2


@pytest.mark.parametrize(
    ("train", "is_same"),
    [({"clip": None}, True), ({"workers": 3}, True), ({"clip": 1.0}, False), ({"lr": 0.1}, False)],
)
def test_only_what_differs_from_the_defaults_counts(train, is_same):
    plain, other = ({"model": {"name": "small_cnn"}, "train": keys} for keys in ({}, train))
    prints = [recipe_print(Recipe.model_validate(values)) for values in (plain, other)]
    assert (prints[0] == prints[1]) == is_same


@pytest.mark.parametrize(
    ("views", "made"),
    [
        (None, "a7be723c212d7c00"),
        (["identity", "hflip"], "172c6c1ddb85dd88"),
        (["identity", "hflip", "vflip", "rot90"], "8ef5d40aafd796cb"),
    ],
)
def test_views_by_name_alone_are_hashed_as_before_there_were_others(views, made):
    values = {"model": {"name": "small_cnn"}, "train": {"epochs": 2}}
    recipe = Recipe.model_validate({**values, **({"views": views} if views else {})})
    assert recipe_print(recipe) == made


def test_scores_of_test_rows_are_of_the_views(tmp_path):
    home = ready(tmp_path, {**SMALL, "views": ["identity", "hflip"]})
    unit = first(home)
    test = unit.problem.test
    said = [*test.ids, *unit.image_hashes(test), "identity", "hflip"]
    assert unit.test_print == hashlib.sha256("\x1f".join(said).encode()).hexdigest()[:16]
    prints = set()
    for degrees in (5, 10):
        spec = {"name": "rotate", "degrees": degrees}
        other = unit.recipe.model_copy(update={"views": ("identity", spec)})
        prints.add(replace(unit, recipe=other).test_print)
    assert len({unit.test_print, *prints}) == 3
