"""Features and second-level models through the stages: in order, and named when wrong."""

from pathlib import Path

import pytest

from foldwise.config.writing import write_yaml
from foldwise.errors import ConfigError
from foldwise.json_files import read_json
from foldwise.stages.doctor import doctor
from foldwise.stages.featuring.files import features_path
from foldwise.stages.prepare import prepare
from foldwise.stages.run import run
from foldwise.stages.split import split
from foldwise.stages.train import train
from tests.builders import make_home
from tests.stages.second_level_homes import ONE_EPOCH, units
from tests.stages.small_competition import QUIET


def home_of(folder: Path, **recipes):
    plan = {"folds": {"count": 2}, "blends": {"both": {}}}
    return make_home(folder, recipes=recipes, plan=plan, num_train=24)


def test_run_trains_what_a_second_level_recipe_reads_first_and_blends_both(tmp_path):
    head = {"name": "logistic", "penalty": 0.1}
    second = {"features": "a", "head": head, "folds": [0]}
    home = home_of(tmp_path, second=second, a={**ONE_EPOCH, "folds": [0]})
    assert run(home, display=QUIET).failed == {}
    unit = units(home, "second")[0]
    assert unit.is_scored()
    assert features_path(unit.sources[0]).exists()
    record = read_json(home.run("second").record)
    assert record["second_level"]["sources"]["a"]["network"] == "small_cnn"
    members = read_json(home.run("both").record)["members"]
    assert [member["name"] for member in members] == ["second", "a"]
    page = home.report.read_text()
    assert "logistic fitted on features of the network that left the fold out (a)" in page


def test_wrong_second_level_recipes_are_named_before_any_work(tmp_path):
    home = home_of(tmp_path, a=ONE_EPOCH)
    write_yaml(home.recipe("b"), {"features": "none", "head": "svc"})
    with pytest.raises(ConfigError, match=r"b\.yaml:1: features: there is no run 'none'"):
        train(home, "b", display=QUIET)
    write_yaml(home.recipe("b"), {"features": "a", "head": "svc"}, overwrite=True)
    with pytest.raises(ConfigError, match="train it first: foldwise train a"):
        train(home, "b", display=QUIET)
    assert not home.run("b").record.exists()


@pytest.mark.plants(
    "second-level-head",
    "second-level-fit",
    "second-level-sources",
    "second-level-columns",
    "unknown-fold",
)
def test_the_doctor_knows_second_level_recipes(tmp_path):
    home = home_of(tmp_path, a=ONE_EPOCH, b={"features": "a", "head": "svc", "columns": ["path"]})
    assert [f for f in doctor(home, trial=False, display=QUIET) if f.recipe == "b"] == []
    write_yaml(
        home.recipe("b"),
        {"features": ["a", "c"], "head": "svr", "columns": ["label", "age"], "folds": [7]},
        overwrite=True,
    )
    found = {f.rule: str(f) for f in doctor(home, trial=False, display=QUIET) if f.recipe == "b"}
    assert "heads for it: svc, logistic, knn, boosting" in found["second-level-fit"]
    assert "there is no run 'c'" in found["second-level-sources"]
    assert "column" in found["second-level-columns"]
    assert "there is no fold 7" in found["unknown-fold"]
    write_yaml(
        home.recipe("b"), {"features": "a", "head": {"name": "svc", "gama": 1}}, overwrite=True
    )
    found = {f.rule: str(f) for f in doctor(home, trial=False, display=QUIET) if f.recipe == "b"}
    assert "did you mean 'gamma'" in found["second-level-head"]


@pytest.mark.plants("second-level-peeked")
@pytest.mark.parametrize(("stop", "named"), [("fixed", set()), ("validation", {"b"})])
def test_the_doctor_warns_of_features_whose_epoch_was_chosen_on_the_held_out_fold(
    tmp_path, stop, named
):
    watched = {**ONE_EPOCH, "train": {**ONE_EPOCH["train"], "stop": stop}}
    home = home_of(tmp_path, a=watched, b={"features": "a", "head": "svc"})
    prepare(home, display=QUIET)
    split(home, display=QUIET)
    units(home, "a")
    found = doctor(home, trial=False, display=QUIET)
    assert {f.recipe for f in found if f.rule == "second-level-peeked"} == named
