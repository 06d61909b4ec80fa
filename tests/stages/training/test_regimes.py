"""Units trained with samplers and at several sizes: what is refused, and resumed to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from foldwise import seeding
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.config.writing import write_yaml
from foldwise.data.samplers import Standing, square_root
from foldwise.engine.assemble import Assembly
from foldwise.engine.drawing import offset_of_shares
from foldwise.engine.fitting import image_batches
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.stages.examining.binding import bind_parts
from foldwise.stages.recipes import load_recipe
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL
from tests.stages.small_competition import make_problem
from tests.stages.small_units import pretrained, ready, with_train, work, work_and_die

STAGES = [
    {"epochs": 2, "start_lr": 3e-3, "end_lr": 3e-3, "size": 8},
    {"epochs": 1, "start_lr": 1e-3, "end_lr": 0, "trainable": "head_norms", "augment": False},
]
OFTEN = {"every": "0s", "share": 1.0}  # Within epochs, too.
RECIPES = {
    "hard": with_train(epochs=3, sampler="hard", sizes=[8, 12, 16], workers=2, checkpoint=OFTEN),
    "fixres": {
        **with_train(schedule={"stages": STAGES}, sampler="progressive", checkpoint=OFTEN),
        "mix": "either",
    },
    "frozen": {
        **with_train(epochs=3, sampler="hard", checkpoint=OFTEN),
        "freeze": "backbone",
        "augment": [],
    },
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One prepared competition for recipes that read the same cache."""
    return ready(tmp_path_factory.mktemp("regimes"))


def unit_of(home: Home, name: str, recipe: dict[str, Any] | None = None) -> Unit:
    """The first unit of a recipe, whose run is recorded."""
    home.recipe(name).unlink(missing_ok=True)
    write_yaml(home.recipe(name), recipe or RECIPES[name])
    run = RunDir(home.runs / name)
    unit = units_of(open_problem(home), load_recipe(home, name), run, seeds=(0,))[0]
    record_run(unit, (0,))
    return unit


def assembly(folder, task: str = "multiclass", metric: str = "accuracy", **recipe: Any) -> Assembly:
    problem = make_problem(folder, task, thumbs=False, metric=metric)
    return Assembly(problem, from_values({**SMALL, **recipe}, Recipe, source="test"))


@pytest.mark.parametrize("kind", RECIPES)
def test_killed_after_or_within_an_epoch_and_gone_on_with_gives_the_same_bits(home, tmp_path, kind):
    recipe = dict(RECIPES[kind])
    if kind == "frozen":
        recipe["model"] = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
    whole, broken = unit_of(home, kind, recipe), unit_of(home, kind, recipe)
    work(whole)
    wanted = load_file(whole.folder.weights)
    history = whole.folder.history.read_text()
    whole.folder.record.unlink()
    whole.folder.weights.unlink()
    work_and_die(broken, lambda state: state.epoch == 2 or (state.epoch == 1 and state.step > 0))
    work(broken)
    assert broken.folder.history.read_text() == history
    found = load_file(broken.folder.weights)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in found.items())


def test_epochs_are_read_at_their_sizes_and_with_their_augmentation(home):
    unit = unit_of(home, "fixres")
    made = Assembly(unit.problem, unit.recipe)
    epochs = made.epochs()
    batches = image_batches(made, unit.train_rows, seed=0, fold=0, epochs=epochs)
    first, last = next(batches(0, 0)), next(batches(2, 0))
    assert first.images.shape[2:] == (8, 8)
    assert last.images.shape[2:] == (16, 16)
    without = Assembly(unit.problem, unit.recipe.model_copy(update={"augment": ()}))
    plain = image_batches(without, unit.train_rows, seed=0, fold=0, epochs=epochs)
    assert torch.equal(next(plain(2, 0)).images, last.images)
    assert not torch.equal(next(plain(0, 0)).images, first.images)
    assert [epoch.size for epoch in made.epochs(2)] == [8, 16]


def test_a_hard_row_is_drawn_more_often_in_the_next_epoch(home):
    unit = unit_of(home, "hard")
    made = Assembly(unit.problem, unit.recipe)
    rows = unit.train_rows

    class Losses:
        def at_start(self, epoch: int) -> np.ndarray:
            losses = np.full(len(rows), np.nan if epoch == 0 else 0.01)
            losses[5] = np.nan if epoch == 0 else 5.0
            return losses

    batches = image_batches(made, rows, seed=0, fold=0, epochs=made.epochs(), losses=Losses())
    first = np.concatenate([batch.rows for batch in batches(0, 0)])
    second = np.concatenate([batch.rows for batch in batches(1, 0)])
    assert sorted(first) == list(range(len(rows)))
    assert np.mean(second == 5) == pytest.approx(0.25 / len(rows) + 0.7, abs=0.2)


def test_the_correction_takes_out_what_was_drawn(tmp_path):
    made = assembly(tmp_path, metric="log_loss", train={"sampler": "square_root"})
    rows = np.arange(60)
    classes = made.problem.target[rows]
    counts = np.bincount(classes, minlength=3)
    drawn = np.sqrt(counts) / np.sqrt(counts).sum()
    assert made.balancing.corrects_prior
    assert made.balancing.prior_offset(rows) == pytest.approx(np.log(counts / 60 / drawn))
    assert made.balancing.class_weights(rows) == pytest.approx(
        square_root(Standing(classes, 0.0, np.full(60, np.nan)))
    )
    # Logits of a network that learned the drawn shares alone give the natural ones.
    logits = np.log(drawn) + made.balancing.prior_offset(rows)
    assert np.exp(logits) / np.exp(logits).sum() == pytest.approx(counts / 60)


def test_a_balanced_sampler_is_corrected_like_the_one_word_for_it(tmp_path):
    new = assembly(tmp_path / "new", metric="log_loss", train={"sampler": "balanced"})
    old = assembly(tmp_path / "old", metric="log_loss", imbalance="sampler")
    rows = np.arange(80)
    assert new.balancing.prior_offset(rows) == pytest.approx(old.balancing.prior_offset(rows))
    assert np.array_equal(new.balancing.class_weights(rows), old.balancing.class_weights(rows))


def test_a_class_without_rows_is_left_alone():
    offset = offset_of_shares(np.array([1.0, 1.0]), np.array([0, 2]), 3)
    assert offset.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("task", "metric", "sampler", "said"),
    [
        ("multiclass", "log_loss", "progressive", "by how much cannot be known"),
        ("multiclass", "roc_auc", {"name": "hard", "floor": 0.5}, "by how much cannot be known"),
        ("multilabel", "macro_f1", "square_root", "needs one class per sample"),
        ("regression", "rmse", "balanced", "needs one class per sample"),
        ("multiclass", "accuracy", "rare", "known: balanced, hard, progressive"),
    ],
)
def test_a_sampler_that_does_not_fit_is_refused_before_any_work(
    tmp_path, task, metric, sampler, said
):
    made = assembly(tmp_path, task, metric, train={"sampler": sampler})
    failures = [failure for failure in bind_parts(made) if failure.rule == "sampler"]
    assert [failure.key for failure in failures] == ["train.sampler"]
    assert said in f"{failures[0].problems} {failures[0].remedy}"


@pytest.mark.parametrize("formulation", ["sigmoid", "affinity"])
@pytest.mark.parametrize(
    ("key", "balance"),
    [
        ("train.sampler", {"train": {"sampler": "balanced"}}),
        ("train.sampler", {"train": {"sampler": {"name": "square_root"}}}),
        ("imbalance", {"imbalance": "sampler"}),
        ("imbalance", {"imbalance": "weights"}),
        ("imbalance", {"imbalance": {"name": "effective_number", "beta": 0.99}}),
    ],
)
def test_a_balance_that_would_stay_in_the_scores_is_refused(tmp_path, formulation, key, balance):
    made = assembly(tmp_path, metric="log_loss", formulation=formulation, **balance)
    (failure,) = bind_parts(made)
    assert failure.key == key
    assert "shifts the scores that log_loss reads" in failure.problems[0]
    assert f"formulation {formulation} that cannot be taken again" in failure.problems[0]
    assert failure.remedy == "use formulation: softmax, or take it out"
    decided = assembly(tmp_path / "f1", metric="macro_f1", formulation=formulation, **balance)
    assert bind_parts(decided) == []


def test_a_drifting_sampler_is_not_sent_to_one_that_is_not_corrected_either(tmp_path):
    settings = {"metric": "log_loss", "train": {"sampler": "progressive"}}
    (failure,) = bind_parts(assembly(tmp_path / "a", formulation="sigmoid", **settings))
    assert failure.remedy == "take it out"
    (failure,) = bind_parts(assembly(tmp_path / "b", **settings))
    assert failure.remedy == "use balanced or square_root, which are corrected, or take it out"


@pytest.mark.parametrize("sampler", ["progressive", "hard", "square_root"])
def test_a_sampler_that_fits_is_bound(tmp_path, sampler):
    assert bind_parts(assembly(tmp_path, train={"sampler": sampler})) == []


def test_hard_rows_of_numbers_can_be_drawn(tmp_path):
    assert bind_parts(assembly(tmp_path, "regression", "rmse", train={"sampler": "hard"})) == []


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"imbalance": "sampler", "train": {"sampler": "hard"}}, "imbalance: sampler and train"),
        ({"imbalance": "weights", "train": {"sampler": "balanced"}}, "two ways to balance"),
        ({"mix": "mixup", "train": {"sampler": "hard"}}, "makes one of two rows"),
        ({"train": {"sizes": [16, 32]}}, "32 px are larger than input.size 16"),
        ({"train": {"sizes": [8], "schedule": {"stages": STAGES}}}, "two plans; choose one"),
        ({"train": {"sizes": [4]}}, "train.sizes.0: found 4"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(recipe, said):
    with pytest.raises(ConfigError, match=said):
        from_values({**SMALL, **recipe}, Recipe, source="test")


def test_no_balance_written_as_a_mapping_goes_with_a_sampler():
    values = {**SMALL, "imbalance": {"name": "none"}, "train": {"sampler": "balanced"}}
    assert from_values(values, Recipe, source="test").train.sampler == "balanced"


def test_a_network_of_one_size_is_refused_before_any_work(tmp_path):
    model = {"name": "test_vit", "options": {"dynamic_img_size": False}}
    settings = {"input": {"size": 160}, "train": {"sizes": [96, 160]}}
    failures = bind_parts(assembly(tmp_path, model=model, **settings))
    assert [(failure.rule, failure.key) for failure in failures] == [("network", "model")]
    assert "cannot be trained at 96 px" in failures[0].problems[0]


def test_features_of_a_frozen_backbone_have_one_size(tmp_path):
    folder = tmp_path / "c"
    model = {"name": "small_cnn", "pretrained": pretrained(tmp_path)}
    made = assembly(folder, model=model, freeze="backbone", augment=[], train={"sizes": [8, 16]})
    assert [(f.rule, f.key) for f in bind_parts(made)] == [("frozen-augment", "train.sizes")]


def test_new_keys_at_their_defaults_leave_a_unit_as_it_was(home):
    unit = unit_of(home, "plain", SMALL)
    made = Assembly(unit.problem, unit.recipe)
    batches = image_batches(made, unit.train_rows, seed=3, fold=0, epochs=made.epochs())
    found = np.concatenate([batch.rows for batch in batches(0, 0)])
    wanted = seeding.permutation(seeding.key("order", 3, 0, 0), len(unit.train_rows))
    assert np.array_equal(found, wanted)
    assert made.balancing.class_weights(unit.train_rows) is None
