"""Units of samples with several images and of frames: resumed, reloaded, frozen, refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.network import FramesConfig, SiameseConfig
from foldwise.config.recipe import Recipe
from foldwise.data.cache_writing import write_blocks
from foldwise.data.spec import THUMB
from foldwise.engine.assemble import Assembly
from foldwise.engine.infer import EVAL_BATCH, infer
from foldwise.errors import ConfigError, DataError
from foldwise.home import Home
from foldwise.stages.audit import audit
from foldwise.stages.doctor import doctor
from foldwise.stages.examining.binding import bind_recipe
from foldwise.stages.examining.cost_trial import cost_of_step
from foldwise.stages.examining.trial import try_recipe
from foldwise.stages.examining.trial_rules import RULES, TrialCase
from foldwise.stages.featuring.jobs import write_features
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_recipe
from foldwise.stages.reporting.fed import fed_batch
from foldwise.stages.split import split
from foldwise.stages.train import train
from foldwise.stages.training.at_work import open_work
from foldwise.stages.training.backbone import FeaturesOf
from foldwise.stages.training.choices import Choices
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from foldwise.views import views_of
from tests.builders import SMALL, make_home, write_images
from tests.stages.examining.clinic import QUIET
from tests.stages.extra_homes import edited, make_teacher, make_units, score, student
from tests.stages.small_units import pretrained, units, work, work_and_die

_SIAMESE = {"join": ["concat", "distance"]}
_FRAMES = {**SMALL["input"], "frames": {"before": 1, "after": 1}}


def pairs(folder: Path, recipe: dict[str, Any] = SMALL, **competition: Any) -> Home:
    """Samples of two images, left and right."""
    images = {"kind": "path", "columns": ["left", "right"], "train": "images", "test": "images"}
    home = make_home(
        folder, recipes={"a": recipe}, num_train=36, competition={"images": images, **competition}
    )
    raw = folder / "raw"
    write_images(raw / "images" / "right", np.linspace(0, 1, 46), seed=9)
    for name in ("train", "test"):
        table = pd.read_csv(raw / f"{name}.csv", dtype=str)
        table = table.rename(columns={"path": "left"}).assign(right="right/" + table["path"])
        table.to_csv(raw / f"{name}.csv", index=False)
    return home


def tracks(folder: Path, recipe: dict[str, Any]) -> Home:
    """Samples in tracks of four frames, in train and in test."""
    columns = {"id": "id", "target": ["label"], "group": ["track"], "order": "frame"}
    home = make_home(folder, recipes={"a": recipe}, num_train=36, competition={"columns": columns})
    for name in ("train", "test"):
        path = folder / "raw" / f"{name}.csv"
        table = pd.read_csv(path, dtype=str)
        rows = np.arange(len(table))
        table = table.assign(track=[f"{name}{row // 4}" for row in rows], frame=rows % 4)
        table.to_csv(path, index=False)
    return made(home)


def made(home: Home) -> Home:
    prepare(home)
    split(home)
    return home


def recipe_of(*, model: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    return {**SMALL, "model": {**SMALL["model"], **(model or {})}, **keys}


def failures(home: Home, *overrides: str) -> str:
    recipe = load_recipe(home, "a", overrides=overrides)
    found = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    return "; ".join(f"{failure.key}: {text}" for failure in found for text in failure.problems)


@pytest.fixture(scope="module")
def siamese(tmp_path_factory: pytest.TempPathFactory) -> Unit:
    folder = tmp_path_factory.mktemp("siamese")
    unit = units(made(pairs(folder, recipe_of(model={"siamese": _SIAMESE}))))[0]
    work(unit)
    return unit


@pytest.fixture(scope="module")
def framed(tmp_path_factory: pytest.TempPathFactory) -> Unit:
    unit = units(tracks(tmp_path_factory.mktemp("framed"), recipe_of(input=_FRAMES)))[0]
    work(unit)
    return unit


def test_every_image_is_prepared_and_shares_the_caches(siamese: Unit) -> None:
    problem = siamese.problem
    assert problem.samples.image_hashes.shape == (46, 2)
    assert len(set(problem.samples.image_hashes.ravel())) == 92
    cache = Assembly(problem, siamese.recipe).feed.cache
    assert all(sha in cache for sha in problem.samples.image_hashes.ravel())
    assert not prepare(problem.home).changed
    assert prepare(problem.home, verify=True).samples.num_images == 2


@pytest.mark.parametrize("name", ["siamese", "framed"])
def test_stored_weights_load_again_and_give_the_same_scores(
    name: str, request: pytest.FixtureRequest
) -> None:
    unit: Unit = request.getfixturevalue(name)
    assembly = Assembly(unit.problem, unit.recipe)
    network = assembly.trained_network(load_file(unit.folder.weights)).eval()
    assert network.num_channels == assembly.num_channels == {"siamese": 6, "framed": 9}[name]
    work_again = open_work(unit, Choices(unit.inputs, 1, "cpu"))
    assert unit.is_scored()
    found = work_again.score(network, held_out=False)
    stored = predictions_file.read(unit.folder.test)
    assert np.array_equal(found.align(stored.ids, name="found").scores, stored.scores)


def test_what_a_unit_learned_depends_on_both_images(siamese: Unit) -> None:
    assembly = Assembly(siamese.problem, siamese.recipe)
    network = assembly.trained_network(load_file(siamese.folder.weights)).eval()
    shown = torch.full((1, 6, 16, 16), 90, dtype=torch.uint8)
    shown[:, :3] = 200
    with torch.no_grad():
        turned = network(torch.cat([shown[:, 3:], shown[:, :3]], dim=1))
        assert not torch.allclose(network(shown), turned)


@pytest.mark.parametrize("name", ["siamese", "framed"])
def test_a_unit_that_is_killed_goes_on_to_the_same_bits(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    unit: Unit = request.getfixturevalue(name)
    train_keys = {**SMALL["train"], "workers": 2}
    home = (
        made(pairs(tmp_path, recipe_of(model={"siamese": _SIAMESE}, train=train_keys)))
        if name == "siamese"
        else tracks(tmp_path, recipe_of(input=_FRAMES, train=train_keys))
    )
    other = units(home)[0]
    work_and_die(other)
    work(other)
    assert other.folder.weights.read_bytes() == unit.folder.weights.read_bytes()
    assert other.folder.test.read_bytes() == unit.folder.test.read_bytes()


def test_another_second_image_or_another_order_makes_a_unit_stale(
    siamese: Unit, framed: Unit
) -> None:
    problem = siamese.problem
    frame = problem.samples.frame.copy()
    row = int(siamese.train_rows[0])
    frame.loc[row, "image2:sha256"] = "0" * 64
    changed = replace(siamese, problem=replace(problem, samples=samples_file.Samples(frame)))
    assert siamese.is_done()
    assert not changed.is_done()
    left = load_recipe(problem.home, "a", overrides=["input.images=[left]", "model.siamese=null"])
    first = replace(siamese, recipe=left).inputs["train"]
    assert replace(changed, recipe=left).inputs["train"] == first
    frame = framed.problem.samples.frame.copy()
    row = int(framed.train_rows[0])
    frame.loc[row, "cell:frame"] = "99"
    turned = replace(framed, problem=replace(framed.problem, samples=samples_file.Samples(frame)))
    assert framed.is_done()
    assert not turned.is_done()
    # What cannot be had any more is stale, not an error of whoever looks at the run.
    frame["cell:frame"] = "late"
    lost = replace(framed, problem=replace(framed.problem, samples=samples_file.Samples(frame)))
    assert not lost.is_done()


def test_a_second_level_model_depends_on_the_frames_of_its_source(framed: Unit) -> None:
    problem = framed.problem
    recipe = Recipe.model_validate({"features": "a", "head": "logistic"})
    second = Unit(problem, recipe, problem.home.new_run("b"), framed.fold, framed.seed)
    frame = problem.samples.frame.copy()
    is_test = (frame["split"] == "test").to_numpy()
    for rows in (np.flatnonzero(~is_test), np.flatnonzero(is_test)):
        frame.loc[rows[0], "cell:frame"] = "99"
    turned = replace(second, problem=replace(problem, samples=samples_file.Samples(frame)))
    prints = [unit.sources[0].further_images(unit.problem.test) for unit in (second, turned)]
    assert prints[0] != prints[1]
    assert second.test_print != turned.test_print
    assert second.inputs["train"] == turned.inputs["train"]  # What it would itself be fed.
    assert second.inputs["features"] != turned.inputs["features"]


@pytest.mark.parametrize("draws", ["shared", "independent"])
def test_frozen_features_of_each_image_are_those_of_the_whole_network(
    draws: str, tmp_path: Path
) -> None:
    keys = {"freeze": "backbone", "augment": [], "views": ["identity", "hflip"]}
    model = {"pretrained": pretrained(tmp_path), "siamese": {"join": ["concat", "max"]}}
    recipe = recipe_of(model=model, input={**_FRAMES, "draws": draws}, **keys)
    unit = units(tracks(tmp_path, recipe))[0]
    work(unit)
    at_work = open_work(unit, Choices(unit.inputs, 1, "cpu"))
    assembly = at_work.assembly
    found = at_work.features
    for part, rows in (("train", slice(0, 36)), ("test", slice(36, None))):
        whole = infer(
            FeaturesOf(assembly.network().eval()),
            assembly.feed.source(unit.problem.samples.part(part)),
            views=views_of(["identity", "hflip"]),
            batch=EVAL_BATCH,
            device=torch.device("cpu"),
        )
        for view, each in whole.items():
            assert np.allclose(found[view][rows], each, atol=1e-4)
    network = assembly.trained_network(load_file(unit.folder.weights)).eval()
    assert network.num_features == found["hflip"].shape[1]


def test_each_image_of_frames_is_computed_once_and_for_other_recipes_too(tmp_path: Path) -> None:
    model = {"pretrained": pretrained(tmp_path)}
    keys = {"freeze": "backbone", "augment": []}
    single = recipe_of(model=model, **keys)
    unit = units(tracks(tmp_path, single))[0]
    work(unit)
    cache = unit.problem.home.cache / "features"
    before = {path: path.read_bytes() for path in cache.glob("*/*.npy")}
    assert sorted(len(np.load(path)) for path in before) == [10, 36]
    changes = {
        "input": unit.recipe.input.model_copy(update={"frames": FramesConfig()}),
        "model": unit.recipe.model.model_copy(update={"siamese": SiameseConfig(join="mean")}),
    }
    framed = replace(unit, recipe=unit.recipe.model_copy(update=changes))
    at_work = open_work(framed, Choices(framed.inputs, 1, "cpu"))
    found = at_work.features["identity"]
    assert {path: path.read_bytes() for path in cache.glob("*/*.npy")} == before
    alone = open_work(unit, Choices(unit.inputs, 1, "cpu")).features["identity"]
    # Rows 0 to 3 are the frames of the first track.
    assert np.allclose(found[1], alone[[0, 1, 2]].mean(axis=0), atol=1e-6)
    assert np.allclose(found[3], alone[[2, 3, 3]].mean(axis=0), atol=1e-6)
    stacked = unit.recipe.model_copy(update={"input": changes["input"]})
    assert Assembly(unit.problem, stacked).backbone_print() != at_work.assembly.backbone_print()
    assert Assembly(unit.problem, unit.recipe).backbone_print() == at_work.assembly.backbone_print()


def test_a_solved_head_starts_a_siamese_network(tmp_path: Path) -> None:
    model = {"pretrained": pretrained(tmp_path), "siamese": {"join": "concat"}}
    # So small a rate leaves everything as it starts.
    tiny = {**SMALL["train"], "epochs": 1, "lr": 1e-12, "norm": "frozen", "head_start": True}
    unit = units(made(pairs(tmp_path, recipe_of(model=model, augment=[], train=tiny))))[0]
    work(unit)
    assert load_file(unit.folder.head)["weight"].shape[1] == 2 * 128
    reference = predictions_file.read(unit.folder.reference_valid)
    assert np.allclose(reference.scores, predictions_file.read(unit.folder.valid).scores, atol=1e-3)


def test_features_of_a_run_are_joined(siamese: Unit) -> None:
    home = siamese.problem.home
    timing = home.path / "timing.json"
    write_features(str(home.path), str(siamese.run.path), siamese.fold, 0, 1, str(timing))
    found = list((siamese.run.path / "features").glob("*.parquet"))
    rows = pd.read_parquet(found[0])
    assert len(rows) == 46
    assert len(rows["features"].iloc[0]) == 3 * 128


def test_one_damaged_image_takes_its_sample_along(tmp_path: Path) -> None:
    home = pairs(tmp_path)
    (tmp_path / "raw" / "images" / "right" / "003.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="1 of 92 images cannot be used") as caught:
        prepare(home)
    assert "003 (images/right/003.png)" in str(caught.value)
    home = pairs(tmp_path / "skip", on_damaged="skip")
    (tmp_path / "skip" / "raw" / "images" / "right" / "003.png").write_bytes(b"no image")
    prepared = prepare(home, display=QUIET).samples
    assert len(prepared) == 46
    assert len(prepared.whole()) == 45
    assert "003" not in prepared.whole().ids
    assert not prepare(home, display=QUIET).changed


def test_samples_that_share_an_image_share_a_fold(tmp_path: Path) -> None:
    home = pairs(tmp_path)
    images = tmp_path / "raw" / "images"
    (images / "right" / "001.png").write_bytes((images / "000.png").read_bytes())
    prepare(home)
    found = audit(home, display=QUIET)["duplicates"]
    assert {"a": "000", "b": "001", "kind": "exact", "distance": 0, "likeness": 1.0} in found[
        "pairs"
    ]
    split(home)
    folds = dict(line.split(",")[:2] for line in home.folds.read_text().splitlines())
    assert folds["000"] == folds["001"]


@pytest.mark.parametrize("place", ["images", "images/right"])
def test_a_test_row_that_shares_an_image_with_a_held_out_row_is_not_learned_from(
    place: str, tmp_path: Path
) -> None:
    home = pairs(tmp_path)
    raw = tmp_path / "raw"
    # 036 is the first row of test, 001 one of train.
    shutil.copy(raw / "images" / "right" / "001.png", raw / place / "036.png")
    problem = open_problem(made(home))
    make_teacher(problem)
    fold = int(problem.folds[problem.train.ids.tolist().index("001")])
    for student_fold in (0, 1, 2):
        taken = student(problem, student_fold, pseudo={"run": "t"}).taken[0]
        assert taken.dropped["copies of held-out rows"] == int(student_fold == fold)
        assert ("036" in taken.rows.samples.ids) == (student_fold != fold)


def test_another_second_image_of_a_taught_row_makes_the_student_stale(tmp_path: Path) -> None:
    problem = open_problem(made(pairs(tmp_path)))
    make_teacher(problem)
    before = student(problem, 0, pseudo={"run": "t"}).inputs["extra"]
    home, noise = problem.home, np.random.default_rng(8).integers(0, 256, (1, 32, 32, 3))
    write_blocks(home.cache, THUMB, [("f" * 64, noise[0].astype(np.uint8))])
    changed = edited(problem, "samples", [36], **{"image2:sha256": "f" * 64})
    for place, unit in enumerate(make_units(changed, "t")):
        score(unit, seed=place)
    assert before is not None
    assert student(changed, 0, pseudo={"run": "t"}).inputs["extra"] not in (None, before)


@pytest.mark.parametrize(
    ("overrides", "wrong"),
    [
        ([], ""),
        (["model.siamese=null"], ""),
        (["input.images=[right]", "model.siamese=null"], ""),
        (["input.images=[rigth]"], "input.images: there is no image 'rigth' of a sample; did you"),
        (["input.images=[right]"], "model.siamese: each sample has one image, so there is nothing"),
        (["input.frames={before: 1}"], "input.frames: competition.yaml says no columns.order"),
        (["model.branch={}"], "model.branch: an attention branch looks at the map of one image"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(
    siamese: Unit, overrides: list[str], wrong: str
) -> None:
    found = failures(siamese.problem.home, *overrides)
    assert wrong in found
    assert bool(wrong) == bool(found)


def test_pairs_are_wanted_for_a_difference(framed: Unit) -> None:
    found = failures(framed.problem.home, "model.siamese={join: difference}")
    assert "model.siamese: difference goes with two images, and a sample has 3" in found


def test_a_refusal_names_file_and_line_before_any_work(framed: Unit) -> None:
    home = framed.problem.home
    with pytest.raises(ConfigError, match=r"override input\.images: there is no image 'x'"):
        train(home, "a", overrides=["input.images=[x]"], as_name="wrong", display=QUIET)
    home.recipe("b").write_text(
        "model: {name: small_cnn}\ninput:\n  size: 16\n  images: [x]\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"b\.yaml:4: input\.images: there is no image 'x'"):
        train(home, "b", display=QUIET)
    assert not (home.runs / "b" / "run.json").exists()


@pytest.mark.parametrize("name", ["siamese", "framed"])
def test_the_doctor_tries_and_times_several_images(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    unit: Unit = request.getfixturevalue(name)
    home = unit.problem.home
    recipe = load_recipe(home, "a", overrides=["train.epochs=6"])
    values = json.dumps(recipe.model_dump(mode="json"))
    tried = try_recipe(str(home.path), values, "a", str(tmp_path / "batch.png"), 1)
    assert tried.failures == ()
    assert tried.facts is not None
    assert [
        f for rule in RULES.values() for f in rule(TrialCase(tried.facts, side_by_side=1))
    ] == []
    assert cost_of_step(str(home.path), values, 4, 16).seconds > 0
    fed = fed_batch(unit.problem, unit.run.read_record())
    assert fed.problem == ""
    assert fed.pictures[0].width >= 2 * fed.pictures[0].height


@pytest.mark.plants("independent-draws")
def test_the_doctor_warns_of_stacked_images_that_do_not_agree(framed: Unit) -> None:
    home = framed.problem.home
    assert doctor(home, "a", trial=False, display=QUIET) == []
    found = doctor(home, "a", overrides=["input.draws=independent"], trial=False, display=QUIET)
    assert [finding.rule for finding in found] == ["independent-draws"]
