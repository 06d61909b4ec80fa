"""Parts are bound before anything is recorded; what cannot be is told by file, line and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.stages.examining.binding import bind_recipe
from foldwise.stages.examining.bound import check_blends, check_metrics, check_steps
from foldwise.stages.recipes import load_plan, load_recipe, plan_places, recipe_places
from foldwise.stages.run import run
from foldwise.stages.train import record_run, train, units_of
from foldwise.tasks.problem import open_problem

from .clinic import QUIET, edit, make_clinic


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = make_clinic(tmp_path_factory.mktemp("bound") / "small")
    found.code.mkdir()
    (found.code / "broken_here.py").write_text("import math\n\nloss = 1 / 0\n")
    return found


@pytest.mark.parametrize(
    ("override", "wrong"),
    [
        ("augment=[crop, hflp]", "augment.1: augmentation 'hflp' is unknown; did you mean 'hflip"),
        ("augment=[{name: crop, scal: 1}]", "augment.0: augmentation crop: unknown option 'scal'"),
        ("loss=cros_entropy", "loss 'cros_entropy' is unknown; did you mean 'cross_entropy'?"),
        ("loss=mse", "mse does not fit formulation"),
        ("loss=[cross_entropy, {name: bce, weight: 2}]", "bce does not fit formulation"),
        ("imbalance=smapler", "imbalance 'smapler' is unknown; did you mean 'sampler'?"),
        ("imbalance={name: effective_number, beta: 1}", "beta: Input should be less than 1"),
        ("mix=mixupp", "mix 'mixupp' is unknown; did you mean 'mixup'?"),
        ("views=[identity, hflop]", "views.1: view 'hflop' is unknown; did you mean 'hflip'?"),
        ("formulation=sotfmax", "formulation 'sotfmax' is unknown"),
        ("train.optimizer=adamww", "adamww"),
        ("train.optimizer=lookahead_adamw", "lookahead is a key of its own"),
        ("train.optimizer={name: adamw, layer_decay: 2}", "above 0 and at most 1 is wanted"),
        ("train.schedule={preset: onecycle}", "preset 'onecycle' is unknown; did you mean"),
        ("train.schedule={preset: one_cycle, warmup: 1}", "one_cycle rises by itself"),
        ("train.sharpness=sma", "sharpness 'sma' is unknown; did you mean 'sam'?"),
        ("train.sharpness={name: sam, r: 1}", "sharpness sam: unknown option 'r'"),
        ("model.name=small_cnnn", "small_cnnn"),
        ("loss=broken_here:loss", "broken_here.py:3: ZeroDivisionError: division by zero"),
        ("train.limit=1h", ""),
    ],
)
def test_a_part_that_cannot_be_bound_is_told_by_place_and_key(
    home: Home, override: str, wrong: str
) -> None:
    recipe = load_recipe(home, "a", overrides=[override])
    places = recipe_places(home, "a", overrides=[override])
    found = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    texts = [text for failure in found for text in failure.at(places).problems]
    if not wrong:
        assert texts == []
        return
    assert len(texts) == 1, texts
    assert texts[0].startswith(f"override {override.partition('=')[0]}")
    assert wrong in texts[0]


def test_a_network_that_cannot_be_built_is_told_once(home: Home) -> None:
    asked = ["model.name=small_cnnn", "train.optimizer={name: adamw, layer_decay: 0.7}"]
    recipe = load_recipe(home, "a", overrides=asked)
    (found,) = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    assert found.key == "model"


def test_a_network_without_batch_norm_has_no_statistics_to_update(home: Home) -> None:
    own = "model={name: small_cnn, options: {norm: group}}"
    recipe = load_recipe(home, "a", overrides=["train.norm_update=true", own])
    (found,) = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    assert "no layer that trains is a batch norm" in found.problems[0]


def test_steps_metrics_and_blends_are_told_by_file_line_and_key(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c")
    edit(home.recipe("a"), "size: 24", "size: 24\n  steps: [gray]")
    with pytest.raises(ConfigError, match=r"a\.yaml:6: input\.steps: step 'gray' is unknown"):
        check_steps(load_recipe(home, "a"), recipe_places(home, "a"))
    edit(home.plan, "blends: {}", "blends:\n  x: {method: {name: greedy, num_stepz: 3}}")
    with pytest.raises(ConfigError, match=r"plan\.yaml:7: blends\.x\.method: .* 'num_steps'\?"):
        check_blends(home, load_plan(home), {}, plan_places(home))
    check_metrics(open_problem(home))
    edit(home.competition, "metric: log_loss", "metric: ':foo'\nmore_metrics: [qwk]")
    with pytest.raises(ConfigError) as caught:
        check_metrics(open_problem(home))
    first, second = caught.value.problems
    assert "competition.yaml:10: metric: metric ':foo' is no module:attribute" in first
    assert "competition.yaml:11: more_metrics.0: metric qwk cannot score task" in second


def test_a_wrong_recipe_is_not_recorded_so_the_corrected_one_can_be(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c")
    edit(home.recipe("a"), "[crop, jitter]", "\n  - crop\n  - jiter")
    with pytest.raises(ConfigError) as caught:
        train(home, "a", folds=[0], display=QUIET)
    (found,) = caught.value.problems
    assert f"{home.recipe('a')}:8: augment.1: augmentation 'jiter' is unknown" in found
    assert not home.run("a").record.exists()
    with pytest.raises(ConfigError, match=r"a\.yaml:8: augment\.1"):
        run(home, display=QUIET)
    assert not home.runs.exists()
    edit(home.recipe("a"), "jiter", "jitter")
    units = units_of(open_problem(home), load_recipe(home, "a"), home.new_run("a"))
    assert record_run(units[0], [0])["recipe"]["augment"] == ["crop", "jitter"]


_HEAD = "{epochs: 1, trainable: head, start_lr: 1e-3, end_lr: 1e-3}"


@pytest.mark.parametrize(
    ("overrides", "key", "wrong"),
    [
        (["train.trainable={last: 99}"], "train.trainable", "has 4 blocks"),
        (
            [f"train.schedule.stages=[{_HEAD}, {{epochs: 1, trainable: {{last: 99}}, "
             "start_lr: 1e-3, end_lr: 0}]"],
            "train.schedule.stages.1.trainable", "has 4 blocks",
        ),
    ],
)  # fmt: skip
def test_what_the_stages_train_must_be_there(
    home: Home, overrides: list[str], key: str, wrong: str
) -> None:
    recipe = load_recipe(home, "a", overrides=overrides)
    (found,) = bind_recipe(str(home.path), json.dumps(recipe.model_dump(mode="json")), "a")
    assert (found.rule, found.key) == ("trainable", key)
    assert wrong in found.problems[0]
    assert "give a number from 1 to 4" in found.remedy
