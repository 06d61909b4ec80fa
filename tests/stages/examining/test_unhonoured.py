"""What a training would pass over is refused by train, run and doctor, by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.stages.examining.unhonoured import check_keys
from foldwise.stages.recipes import load_recipe, recipe_places
from foldwise.stages.run import run
from foldwise.stages.train import train

from .clinic import QUIET, edit, examine, make_clinic

_STAGES = "train.schedule.stages=[{epochs: 3, start_lr: 1e-3, end_lr: 1e-5}]"
_SAME = ["train.epochs=3", "train.lr=1e-3", "train.min_lr=1e-5"]
_FLAT = "{epochs: 4, start_lr: 2e-3, end_lr: 1e-5, shape: constant}"

UNHONOURED = [
    (["train.schedule.hold=2"], "train.schedule.hold", "use preset: staged"),
    (["train.schedule.head=1"], "train.schedule.head", "use preset: staged"),
    (["train.average_last=5"], "train.average_last", "use at most 4"),
    ([_STAGES, *_SAME, "train.average_last=4"], "train.average_last", "use at most 3"),
    (["train.accumulate=17"], "train.accumulate", "use at most 16"),
    ([_STAGES, *_SAME, "train.epochs=10"], "train.epochs", "set it to 3"),
    ([_STAGES, *_SAME, "train.lr=3e-4"], "train.lr", "set it to 0.001"),
    ([_STAGES, *_SAME, "train.min_lr=0"], "train.min_lr", "set it to 1e-05"),
    ([_STAGES, *_SAME, "train.schedule.warmup=1"], "train.schedule.warmup", "set it to 0"),
    ([_STAGES, *_SAME, "train.schedule.hold=1"], "train.schedule.hold", "set it to 0"),
    ([_STAGES, *_SAME, "train.trainable=head"], "train.trainable", "give it to the stages"),
    ([f"train.schedule.stages=[{_FLAT}]"], "train.schedule.stages.0.end_lr", "choose linear"),
    (["train.stop=cross", "folds=[0]"], "train.stop", "train all folds"),
    (["train.stop=validation", "refit=all"], "refit", "refit: none"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_clinic(tmp_path_factory.mktemp("unhonoured") / "small", ready=False)


@pytest.mark.parametrize(("overrides", "key", "remedy"), UNHONOURED)
def test_train_refuses_what_the_doctor_names_before_any_image_is_read(
    home: Home, overrides: list[str], key: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(home, "a", overrides=overrides, display=QUIET)
    (found,) = caught.value.problems
    assert found.startswith("override ")
    assert key in found
    assert remedy in caught.value.remedy
    named = [f for f in examine(home, *overrides) if f.remedy == caught.value.remedy]
    assert [f.level for f in named] == ["error"]
    assert not home.runs.exists()
    assert not home.samples.exists()


@pytest.mark.parametrize(
    "overrides",
    [
        [_STAGES, *_SAME],
        [_STAGES, *_SAME, "train.trainable=all", "train.schedule.hold=0"],
        ["train.schedule={preset: staged, head: 1, hold: 1}"],
        # There is no schedule that could leave it out: the head is solved.
        ["train.epochs=0", "train.schedule.hold=1"],
        ["train.average_last=4", "train.accumulate=16"],
    ],
)
def test_what_can_be_honoured_is_left_alone(home: Home, overrides: list[str]) -> None:
    recipe = load_recipe(home, "a", overrides=overrides)
    check_keys(recipe, recipe_places(home, "a", overrides=overrides))


def test_defaults_beside_stages_are_silent(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    (home.recipes / "b.yaml").write_text(
        "model: {name: small_cnn}\n"
        "train: {schedule: {stages: [{epochs: 3, start_lr: 1e-3, end_lr: 1e-5}]}}\n"
    )
    check_keys(load_recipe(home, "b"), recipe_places(home, "b"))


def test_run_refuses_all_of_them_at_once_by_file_line_and_key(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    edit(home.recipe("a"), "lr: 2e-3", "lr: 2e-3\n  schedule: {hold: 2}\n  average_last: 9")
    edit(home.plan, "a: {}", "a: {train: {accumulate: 20}}")
    with pytest.raises(ConfigError) as caught:
        run(home, display=QUIET)
    recipe = home.recipe("a")
    assert [text.split(": ")[:2] for text in caught.value.problems] == [
        [f"{recipe}:11", "train.schedule.hold"],
        [f"{recipe}:12", "train.average_last"],
        [f"{home.plan}:2", "train.accumulate"],
    ]
    assert not home.samples.exists()
