"""Students: in which order a plan trains them, what they are refused for, and real images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from foldwise import predictions as predictions_file
from foldwise.config.loading import from_values
from foldwise.config.plan import BlendConfig
from foldwise.config.recipe import Recipe
from foldwise.engine.assemble import Assembly
from foldwise.engine.extra import extra_problems
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.display import Display
from foldwise.stages.init import init
from foldwise.stages.recipes import Places
from foldwise.stages.run import run
from foldwise.stages.scheduling.generations import generations
from foldwise.stages.train import train
from foldwise.stages.training.taught import check_teachers, teach
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home
from tests.stages.extra_homes import NET, make_teacher, student
from tests.stages.small_competition import QUIET, make_problem

PACKS = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
SHORT = {**SMALL, "train": {**SMALL["train"], "epochs": 1}}
STUDENT = {**SHORT, "pseudo": {"run": "t", "labels": "soft", "share": 0.8}}
PLACES = Places("s.yaml", {"pseudo": "s.yaml:3", "pseudo.run": "s.yaml:4"})


def recipe(**changes: Any) -> Recipe:
    return from_values({**NET, **changes}, Recipe, source="test")


@pytest.mark.slow
def test_a_plan_trains_teachers_and_their_blend_before_the_student(tmp_path: Path) -> None:
    recipes = {"s": {**STUDENT, "pseudo": {"run": "both", "labels": "soft"}}, "t": SHORT,
               "u": {**SHORT, "refit": "all"}}  # fmt: skip
    blends = {"both": {"members": ["t", "u"]}}
    plan = {"folds": {"count": 2}, "blends": blends}
    home = make_home(tmp_path, recipes=recipes, num_train=24, plan=plan)
    shown = Display(Console(record=True, width=200))
    done = run(home, display=shown)
    assert done.failed == {}
    text = shown.console.export_text()
    assert "s: test rows labelled by both without the fold they are trained for" in text
    for fold in (0, 1):
        facts = read_json(home.run("s").unit(fold, 0).record)["extra"]["pseudo"]
        assert facts["rows"] + sum(facts["dropped"].values()) == 10
    before = {p: p.stat().st_mtime_ns for p in home.runs.rglob("weights.safetensors")}
    assert run(home, display=QUIET).failed == {}
    assert {p: p.stat().st_mtime_ns for p in home.runs.rglob("weights.safetensors")} == before


@pytest.mark.slow
def test_a_student_is_trained_again_when_its_teacher_says_something_else(tmp_path: Path) -> None:
    plan = {"folds": {"count": 2}}
    home = make_home(tmp_path, recipes={"t": SHORT, "s": STUDENT}, num_train=24, plan=plan)
    with pytest.raises(ConfigError) as refused:
        train(home, "s", display=QUIET)
    assert "s.yaml" in str(refused.value)
    assert "pseudo.run: there is no run 't' to label test rows" in str(refused.value)
    assert "train it first: foldwise train t" in str(refused.value)
    assert run(home, display=QUIET).failed == {}
    path = home.run("t").unit(0, 0).test
    found = predictions_file.read(path)
    predictions_file.write(path, found.with_scores(found.scores[:, ::-1].copy()))
    hashes = {f: read_json(home.run("s").unit(f, 0).record)["weights_sha256"] for f in (0, 1)}
    assert {unit.fold for unit in train(home, "s", display=QUIET).done} == {0, 1}
    now = {f: read_json(home.run("s").unit(f, 0).record)["weights_sha256"] for f in (0, 1)}
    assert now[0] != hashes[0]
    assert now[1] == hashes[1]


def test_generations_put_second_level_models_and_blends_in_between() -> None:
    recipes = {
        "grandchild": recipe(pseudo={"run": "child"}),
        "child": recipe(pseudo={"run": ["both", "head"]}),
        "a": recipe(),
        "b": recipe(),
        "head": Recipe.model_validate({"features": "a", "head": "logistic"}),
    }
    blends = {"both": BlendConfig(members=("a", "b/reference"))}
    assert generations(recipes, blends) == {"grandchild": 3, "child": 2, "a": 0, "b": 0, "head": 1}


@pytest.mark.parametrize(
    ("teacher", "recipes", "blends", "wrong"),
    [
        ("t", {"t": {}}, {}, ""),
        ("x", {"t": {}}, {}, "there is no run 'x' to label test rows"),
        ("s", {"s": {}}, {}, "s is made of s itself"),
        ("t", {"t": {"pseudo": {"run": "s"}}}, {}, "t is made of s itself"),
        ("b", {"s": {}, "t": {}}, {"b": "all"}, "b is made of s itself"),
        ("b", {"t": {"train": {"stop": "validation"}}}, {"b": ["t", "t"]}, "the epoch of t is cho"),
    ],
)
def test_a_teacher_must_be_there_and_not_learn_from_its_student(
    tmp_path: Path, teacher: str, recipes: dict[str, Any], blends: dict[str, Any], wrong: str
) -> None:
    asked = recipe(pseudo={"run": teacher})
    planned = {name: recipe(**changes) for name, changes in recipes.items()}
    made = {
        name: BlendConfig(members=members if members == "all" else tuple(members))
        for name, members in blends.items()
    }

    def check() -> None:
        check_teachers(Home(tmp_path), "s", asked, PLACES, recipes=planned, blends=made)

    if not wrong:
        check()
        return
    with pytest.raises(ConfigError) as refused:
        check()
    assert str(refused.value).startswith("s.yaml:4: pseudo.run: ")
    assert wrong in str(refused.value)


@pytest.mark.parametrize(
    ("task", "changes", "wrong"),
    [
        ("multiclass", {"labels": "soft", "confidence": 0.9}, ""),
        ("multilabel", {"labels": "soft", "share": 0.5}, ""),
        ("regression", {"labels": "soft"}, ""),
        ("regression", {"confidence": 0.5}, "scores of task regression hold no probability"),
        ("ordinal", {"share": 0.5}, "scores of task ordinal hold no probability of the answer"),
        ("ordinal", {"labels": "soft"}, "do not say what each output of formulation expectation"),
    ],
)
def test_labels_that_scores_cannot_give_are_refused(
    tmp_path: Path, task: str, changes: dict[str, Any], wrong: str
) -> None:
    problem = make_problem(tmp_path, task)
    found = extra_problems(Assembly(problem, recipe(pseudo={"run": "t", **changes})))
    assert wrong in (text := "; ".join(each.found for each in found))
    assert bool(wrong) == bool(text)
    if wrong.startswith("do not"):
        assert found[0].remedy == (
            "use labels: hard, or formulation: borders or regression or coral or corn"
        )


def test_there_must_be_test_rows_to_label(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, num_test=0)
    found = extra_problems(Assembly(problem, recipe(pseudo={"run": "t"})))
    assert [each.found for each in found] == ["there are no test rows to label"]


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"pseudo": {"run": []}}, "the list is empty"),
        ({"pseudo": {"run": ["t", "t"]}}, "t stands there twice"),
        ({"external": ["m", {"name": "m", "weight": 2}]}, "m stands there twice"),
        ({"external": [{"name": "m", "weight": 0}]}, "weight"),
        ({"features": "a", "head": "ridge", "pseudo": {"run": "a"}}, "pseudo: a second-level rec"),
    ],
)
def test_wrong_keys_are_refused(values: dict[str, Any], wrong: str) -> None:
    base = {} if "features" in values else NET
    with pytest.raises(ConfigError, match=wrong):
        from_values({**base, **values}, Recipe, source="test")


@pytest.mark.parametrize(
    ("task", "formulation"),
    [
        *(("multiclass", name) for name in ("softmax", "sigmoid")),
        ("multilabel", "sigmoid"),
        ("regression", "value"),
        *(("ordinal", name) for name in ("borders", "regression", "coral", "corn")),
    ],
)
def test_soft_labels_that_are_certain_are_what_hard_labels_are(
    tmp_path: Path, task: str, formulation: str
) -> None:
    problem = make_problem(tmp_path, task)
    softened = problem.task.formulations[formulation].soften
    assert softened is not None
    encoded = Assembly(problem, recipe(formulation=formulation)).encoded()
    if encoded.dtype == torch.int64:
        encoded = torch.nn.functional.one_hot(encoded, problem.num_classes).float()
    soft = softened(problem.one_hot, problem.num_classes)
    assert soft.dtype == np.float32
    assert np.array_equal(soft, encoded.numpy())


def test_rows_by_label_and_fold_are_shown_before_students_train(tmp_path: Path) -> None:
    problem = make_problem(tmp_path)
    make_teacher(problem)
    shown = Display(Console(record=True, width=200))
    units = [student(problem, fold, pseudo={"run": "t", "share": 0.5}) for fold in (0, 1)]
    free, _ = teach(units, display=shown)
    lines = shown.console.export_text().splitlines()
    assert lines[0].startswith("student: test rows labelled by t without the fold")
    assert lines[1].split() == ["fold0-seed0", "fold1-seed0"]
    table = {line.rsplit(maxsplit=2)[0]: line.rsplit(maxsplit=2)[1:] for line in lines[2:]}
    assert table["rows taken"] == ["15", "15"]
    assert table["left out, not sure enough"] == ["15", "15"]
    for place, unit in enumerate(free):
        counts = np.bincount(unit.extra.target, minlength=3)
        names = problem.competition.classes
        assert [int(table[name][place]) for name in names] == counts.tolist()


@pytest.mark.real
@pytest.mark.slow
def test_grades_of_real_eyes_are_taught_from_one_recipe_to_the_next(tmp_path: Path) -> None:
    if not (PACKS / "retina28").is_dir():
        pytest.skip("the pack is not here")
    home = init(tmp_path / "eyes", data=PACKS / "retina28", display=QUIET)
    base = {"model": {"name": "small_cnn"}, "input": {"size": 28}, "formulation": "borders",
            "train": {"epochs": 1, "batch": 64, "lr": 3e-3}}  # fmt: skip
    pupil = {**base, "pseudo": {"run": "t", "labels": "soft", "weight": 0.5}}
    for name, values in (("t", base), ("s", pupil)):
        home.recipe(name).write_text(json.dumps(values))
    home.plan.write_text(json.dumps({"recipes": {"s": {}, "t": {}}, "folds": {"count": 2}}))
    assert run(home, display=QUIET).failed == {}
    problem = open_problem(home)
    for fold in (0, 1):
        facts = read_json(home.run("s").unit(fold, 0).record)["extra"]["pseudo"]
        assert facts["rows"] == len(problem.test) - facts["dropped"]["copies of held-out rows"]
    held = predictions_file.read(home.run("s").oof)
    assert sorted(held.ids) == sorted(problem.train.ids)
