"""The doctor names each planted mistake by its rule and leaves a clean recipe alone."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.stages.doctor import RULES, doctor
from foldwise.stages.examining import trial_rules
from foldwise.stages.examining.overfit import blind_loss
from foldwise.stages.examining.trial_facts import BlockFlow, Overfit, TrialFacts
from foldwise.stages.scheduling.rates import Rates

from .examining.clinic import QUIET, RECIPE, edit, examine, make_clinic, rules, spoken

_RISING = "{epochs: 2, start_lr: 1e-5, end_lr: 1e-3}"
_FLAT = "{epochs: 2, start_lr: 1e-3, end_lr: 1e-5, shape: constant}"

RECIPE_MISTAKES = [
    ("lr-order", "error", ["train.min_lr=1"]),
    ("lr-order", "error", [f"train.schedule.stages=[{_FLAT}]"]),
    ("lr-order", "warning", [f"train.schedule.stages=[{_RISING}]"]),
    ("schedule-length", "error", ["train.schedule.warmup=4"]),
    ("schedule-length", "error", ["train.schedule={preset: staged, warmup: 3, hold: 2}"]),
    ("schedule-length", "warning", ["train.schedule={preset: staged, warmup: 2, hold: 2}"]),
    ("unused-key", "error", ["train.schedule.hold=2"]),
    ("unused-key", "error", ["train.schedule.stages=[{epochs: 2, start_lr: 1e-3, end_lr: 0}]"]),
    ("lr-high", "warning", ["train.lr=0.5"]),
    ("schedule-length", "error", ["train.schedule={preset: polynomial, warmup: 4}"]),
    ("config", "error", ["train.schedule={preset: one_cycle, hold: 1}"]),
    ("config", "error", ["train.sharpness=sam", "train.precision=fp16"]),
    ("average-last", "error", ["train.average_last=5"]),
    ("ema-window", "warning", ["train.ema=0.9999"]),
    ("optimistic-stop", "warning", ["train.stop=validation"]),
    ("cross-stop", "error", ["train.stop=cross", "folds=[0]"]),
    ("refit-stop", "error", ["train.stop=cross", "refit=all"]),
    ("config", "error", ["train.limit=soon"]),
    ("head-size", "error", ["model.options={num_outputs: 5}"]),
    ("random-features", "error", ["freeze=backbone", "augment=[]"]),
    ("random-features", "warning", ["train.trainable=head"]),
    ("random-features", "warning", ["train.norm=frozen"]),
    ("untrained-parts", "error", ["train.epochs=0", "model.pool=attention"]),
    ("weights-file", "error", ["model.pretrained=nowhere.safetensors"]),
    ("weights-file", "error", ["model.pretrained=package:no-such-package"]),
    ("precision", "error", ["train.precision=fp16"]),
    ("input-size", "warning", ["input.size=96"]),
    ("zoom", "warning", ["input.zoom=2", "augment=[jitter]"]),
    ("steps", "error", ["input.steps=[croop_border]"]),
    ("steps", "warning", ["input.steps=[grey, grey]"]),
    ("channels", "error", ["input.channels=5", "input.steps=[grey]"]),
    ("repeated-views", "error", ["views=[identity, identity]"]),
    ("views", "error", ["views=[identity, upside_down]"]),
    ("view-unlike-training", "warning", ["views=[identity, hflip]"]),
    ("formulation", "error", ["formulation=borders"]),
    ("loss-fit", "error", ["loss=mse"]),
    ("loss-fit", "error", ["loss=[cross_entropy, {name: bce, weight: 0.5}]"]),
    ("imbalance", "error", ["imbalance=logit_adjustment", "formulation=sigmoid"]),
    ("imbalance", "error", ["imbalance=smapler"]),
    ("batch-size", "warning", ["train.batch=64"]),
    ("tiny-parts", "error", ["train.accumulate=17"]),
    ("tiny-parts", "warning", ["train.accumulate=8"]),
    ("unknown-fold", "error", ["folds=[0, 7]"]),
    ("config", "error", ["train.epocs=3"]),
    ("config", "error", ["input.zoom=0.5"]),
]
#: A mistake that brings another one along.
_ALSO = {
    "lr-order": {"unused-key"},
    "weights-file": {"lr-high"},
    "views": {"view-unlike-training"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_clinic(tmp_path_factory.mktemp("clinic") / "small")


@pytest.mark.parametrize(("rule", "level", "overrides"), RECIPE_MISTAKES)
def test_a_mistake_in_a_recipe_is_named(
    home: Home, rule: str, level: str, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foldwise.device.num_gpus", lambda: 0)
    found = examine(home, *overrides)
    named = [finding for finding in found if finding.rule == rule]
    assert named, found
    assert named[0].level == level
    assert named[0].recipe == "a"
    assert rules(found) <= {rule} | _ALSO.get(rule, set())


def test_a_clean_recipe_plan_and_competition_are_left_alone_and_that_is_said(home: Home) -> None:
    assert examine(home) == []
    assert "nothing found in 1 recipe" in spoken(home)


def test_a_finding_says_file_line_and_key_also_of_an_override(home: Home) -> None:
    (home.recipes / "b.yaml").write_text("extends: a.yaml\ntrain:\n  lr: 1e-3\n  min_lr: 1e-2\n")
    text = spoken(home, "b")
    assert "lr-order" in text
    assert "b.yaml:4: train.min_lr: 0.01 is above train.lr, 0.001" in text
    (override,) = examine(home, "train.min_lr=1")
    assert override.where == "override train.min_lr"


PLAN_MISTAKES = [
    ("recipe-file", "a: {}", "a: {}\n  b: {}"),
    ("config", "seeds: [0]", "seeds: [1, 1]"),
    ("rare-class", "count: 3", "count: 30"),
    ("fold-column", "count: 3", "count: 3\n  scheme: time_blocks"),
    ("fold-column", "count: 3", "count: 3\n  scheme: column\n  column: fold"),
    ("config", "count: 3", "count: 3\n  gap: 2"),
    ("blend-member", "blends: {}", "blends: {both: {members: [a, c]}}"),
    ("blend-member", "blends: {}", "blends: {both: {members: [a, 'x.csv,y.csv']}}"),
    ("blend-name", "blends: {}", "blends: {a: {}}"),
    ("blend-method", "blends: {}", "blends: {both: {method: meen}}"),
    ("submit-run", "submit: best", "submit: blond"),
    ("config", "seeds: [0]", "seed: [0]"),
]


@pytest.mark.parametrize(("rule", "old", "new"), PLAN_MISTAKES)
def test_a_mistake_in_the_plan_is_named(tmp_path: Path, rule: str, old: str, new: str) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    edit(home.plan, old, new)
    assert rules(doctor(home, trial=False, display=QUIET)) == {rule}


COMPETITION_MISTAKES = [
    ("unreachable-column", "column: file", "column: path"),
    ("unreachable-column", "target: [label]", "target: [labels]"),
    ("unreachable-column", "target: [label]", "target: [label]\n  group: [clinic]"),
    ("unreachable-column", "{gives: scores}", "{gives: scores, columns: {apes: ape}}"),
    ("group-values", "target: [label]", "target: [label]\n  group: [hospital]"),
    ("group-values", "target: [label]", "target: [label]\n  group: [moment]"),
    ("order-values", "target: [label]", "target: [label]\n  order: patient"),
    ("class-order", "[ape, bear, cow]", "[cow, bear, ape]"),
    ("class-order empty-class", "[ape, bear, cow]", "[ape, bear, cow, dog]"),
    ("class-order labels", "[ape, bear, cow]", "[ape, bear]"),
    ("metric", "metric: log_loss", "metric: qwk"),
    ("metric", "metric: log_loss", "metric: log_los"),
    ("deadline", "metric: log_loss", "metric: log_loss\ndeadline: 2020-01-01T00:00:00+00:00"),
    ("config", "metric: log_loss", "metric: log_loss\nlimits: {inference: long}"),
    ("config", "task: multiclass", "task: multiklass"),
    ("data", "train: train.csv", "train: trian.csv"),
]


@pytest.mark.parametrize(("expected", "old", "new"), COMPETITION_MISTAKES)
def test_a_mistake_in_the_competition_is_named(
    tmp_path: Path, expected: str, old: str, new: str
) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    edit(home.competition, old, new)
    assert rules(doctor(home, trial=False, display=QUIET)) == set(expected.split())


@pytest.mark.plants("class-order", "imbalance")
def test_grades_that_do_not_rise_and_balancing_what_has_no_classes_are_named(
    tmp_path: Path,
) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    edit(home.competition, "target: [label]", "target: [grade]")
    edit(home.competition, "task: multiclass", "task: ordinal")
    edit(home.competition, "[ape, bear, cow]", "['0', '2', '1']")
    edit(home.competition, "metric: log_loss", "metric: qwk")
    edit(home.competition, "{gives: scores}", "{gives: answers}")
    edit(home.competition, ", sample_submission: sample.csv", "")
    assert rules(examine(home)) == {"class-order"}
    edit(home.competition, "task: ordinal", "task: regression")
    edit(home.competition, "['0', '2', '1']", "[]")
    edit(home.competition, "metric: qwk", "metric: rmse")
    assert examine(home) == []
    assert rules(examine(home, "imbalance=sampler")) == {"imbalance"}


@pytest.mark.plants("frozen-augment", "normalisation", "frozen-training", "rules-pretrained")
def test_forbidden_weights_and_frozen_augmentation_are_named_together(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"any")
    settings = [f"model.pretrained={weights}", "freeze=backbone", "mix=mixup"]
    assert rules(examine(home, *settings)) == {"frozen-augment", "normalisation"}
    asked = ["train.norm_update=true", "train.compile=true"]
    asked += ["train.optimizer={name: adamw, layer_decay: 0.7}", "train.trainable={last: 2}"]
    told = [f.message for f in examine(home, *settings, *asked) if f.rule == "frozen-training"]
    assert len(told) == 4
    assert told[0].startswith("train.optimizer: layer_decay cannot be honoured")
    assert told[1].startswith("train.trainable: last: 2 cannot be honoured")
    assert told[2].startswith("train.compile: true cannot be honoured")
    assert told[3].startswith("train.norm_update: true cannot be honoured")
    home.competition.write_text(home.competition.read_text() + "rules: {pretrained: forbidden}\n")
    found = examine(home, *settings)
    assert rules(found) == {"frozen-augment", "normalisation", "rules-pretrained"}
    assert [finding.where for finding in found if finding.rule == "frozen-augment"] == [
        finding.where for finding in found if finding.message.startswith(("augment", "mix"))
    ]


@pytest.mark.plants("weights-offline")
def test_a_download_while_offline_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    settings = ["model={name: resnet18, options: {}}", "model.pretrained=true", "train.lr=1e-4"]
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert examine(home, *settings) == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert rules(examine(home, *settings)) == {"weights-offline"}
    (home.cache / "weights").mkdir(parents=True)
    (home.cache / "weights" / "resnet18.a1_in1k.safetensors").write_bytes(b"any")
    assert examine(home, *settings) == []


@pytest.mark.plants("harmful-symmetry")
def test_a_symmetry_that_init_measured_as_harmful_is_named(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    settings = ["augment=[hflip, vflip]", "views=[identity, hflip]"]
    assert examine(home, *settings) == []
    publish_json(
        home.assumptions,
        {
            "symmetries": {
                "verdicts": {
                    "hflip": {
                        "is_harmless": False,
                        "why": "it makes classes into others",
                        "swaps": ["left-turn → right-turn (51%)"],
                    },
                    "vflip": {"is_harmless": True, "why": "costs 0%", "swaps": []},
                }
            }
        },
    )
    found = examine(home, *settings)
    assert rules(found) == {"harmful-symmetry"}
    assert len(found) == 2
    assert "left-turn → right-turn" in found[0].message


@pytest.mark.plants("leaking-groups")
def test_groups_that_lie_in_several_folds_are_named(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c")
    edit(home.competition, "target: [label]", "target: [label]\n  group: [patient]")
    assert rules(doctor(home, trial=False, display=QUIET)) == {"leaking-groups"}
    home.folds.unlink()
    assert doctor(home, trial=False, display=QUIET) == []
    edit(home.plan, "count: 3", "count: 3\n  scheme: column\n  column: grade")
    assert rules(doctor(home, trial=False, display=QUIET)) == {"leaking-groups"}


def test_an_unknown_recipe_is_the_commands_mistake(home: Home) -> None:
    with pytest.raises(FoldwiseError, match="there is no recipe 'z'"):
        doctor(home, "z", display=QUIET)


def test_without_a_trial_torch_is_not_needed(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from foldwise.home import Home;"
        "from foldwise.stages.doctor import doctor; doctor(Home(Path(sys.argv[1])), trial=False);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(home.path)], check=True, capture_output=True)


_OWN = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, num_outputs, channels, kind):
        super().__init__()
        self.kind = kind
        self.body = nn.Conv2d(channels, 8, 3, padding=1)
        self.spare = nn.Linear(3, 3)
        self.head = nn.Linear(8, num_outputs)
        if kind in ("vanishing", "exploding"):
            self.deep = nn.Sequential(*[nn.Linear(8, 8) for _ in range(12)])
            for layer in self.deep:
                nn.init.orthogonal_(layer.weight, gain=6.0 if kind == "exploding" else 1.0)
        if kind == "normalises":
            self.register_buffer("pixel_mean", torch.zeros(1, channels, 1, 1))
        if kind == "sure":
            nn.init.normal_(self.head.weight, std=300.0)

    def forward(self, images):
        maps = torch.relu(self.body(images)).mean(dim=(2, 3))
        if self.kind == "detached":
            maps = maps.detach() * 0
        if self.kind == "infinite":
            maps = maps / 0
        for layer in getattr(self, "deep", ()):
            maps = layer(maps) if self.kind == "exploding" else torch.sigmoid(layer(maps))
        return self.head(maps)


def net(*, num_outputs: int, channels: int, kind: str) -> nn.Module:
    return Net(num_outputs, channels, kind)
"""


@pytest.mark.plants(
    "cannot-learn", "dead-weights", "first-loss", "gradient-flow", "loss-not-finite", "pixel-range"
)
def test_trials_name_what_only_shows_when_a_recipe_is_tried(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c")
    home.code.mkdir()
    (home.code / "own_net.py").write_text(_OWN)
    kinds = {
        "detached": {"cannot-learn", "dead-weights"},
        "infinite": {"loss-not-finite"},
        "sure": {"dead-weights", "first-loss"},
        "vanishing": {"cannot-learn", "gradient-flow"},
        "exploding": {"gradient-flow"},
        "normalises": {"dead-weights", "pixel-range"},
    }
    for kind in kinds:
        own = f'"own_net:net", options: {{kind: {kind}}}'
        text = RECIPE.replace("small_cnn\n  options: {widths: [8, 16]}", "X").replace(
            "lr: 2e-3", "lr: 0.02"
        )
        home.recipe(kind).write_text(text.replace("model:\n  name: X", f"model: {{name: {own}}}"))
    recipe_b = "extends: a.yaml\naugment: [flop]\ntrain: {optimizer: adamv}\nloss: vocal\n"
    home.recipe("b").write_text(recipe_b)
    names = ["a", "b", *kinds]
    edit(home.plan, "  a: {}", "\n".join(f"  {name}: {{}}" for name in names))
    found = doctor(home, display=QUIET)
    named = {name: {f.rule for f in found if f.recipe == name} for name in names}
    assert named["a"] == set()
    assert named["b"] == {"augment", "loss-fit", "optimizer"}
    for kind, expected in kinds.items():
        assert expected <= named[kind], [str(f) for f in found if f.recipe == kind]
    with Image.open(home.path / ".foldwise" / "doctor-a.png") as picture:
        assert picture.size == (4 * (2 * 112 + 12) + 6, 4 * (112 + 18 + 6) + 6)


def test_the_blind_loss_is_that_of_the_best_single_answer() -> None:
    target = torch.tensor([0, 0, 0, 1])
    found = blind_loss(
        lambda x, y: torch.nn.functional.cross_entropy(x, y, reduction="none"), target, 2
    )
    assert found == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=1e-5)


def _all_rules() -> list[tuple[str, Any]]:
    return [(rule, find) for table in RULES.values() for rule, find in table.items()]


@pytest.mark.parametrize(("rule", "find"), _all_rules())
def test_a_rule_has_a_plain_id_and_one_line_that_says_what_is_wrong(rule: str, find: Any) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", rule)
    assert find.__doc__
    assert find.__doc__.strip().endswith(".")
    assert "\n" not in find.__doc__.strip()


def _facts(*attempts: Overfit, memory: float = 0, device: str = "cpu") -> trial_rules.TrialCase:
    facts = TrialFacts(
        num_images=32,
        chance=None,
        attempts=attempts,
        outputs_finite=True,
        features_differ=True,
        pixel_mean=(0.1,),
        pixel_std=(0.9,),
        normalises="",
        rates=Rates(0.0, 10.0, {"all@24": 10.0}),
        num_test=12,
        memory=int(memory),
        capacity=2**34,
        parts=None,
        device=device,
    )
    return trial_rules.TrialCase(facts, 2)


def _named_in(case: trial_rules.TrialCase) -> set[str]:
    return {rule for rule, find in trial_rules.RULES.items() if list(find(case))}


@pytest.mark.plants("rate-unfit", "cannot-learn")
def test_a_rate_is_told_from_a_network_that_cannot_learn() -> None:
    stuck = Overfit(lr=1e-6, losses=(1.1,) * 60, blind=1.1)
    learned = Overfit(lr=1e-3, losses=(1.1, 0.8, 0.4), blind=1.1)
    assert _named_in(_facts(learned)) == set()
    assert _named_in(_facts(stuck, learned)) == {"rate-unfit"}
    assert _named_in(_facts(stuck, stuck)) == {"cannot-learn"}


def test_a_trial_that_ran_out_of_time_says_nothing_against_a_network_whose_loss_falls() -> None:
    falls = Overfit(lr=1e-3, losses=tuple(np.linspace(2.0, 1.5, 20)), blind=2.0, ran_out=True)
    short = Overfit(lr=1e-3, losses=(2.0, 2.0), blind=2.0, ran_out=True)
    flat = Overfit(lr=1e-3, losses=(2.0,) * 20, blind=2.0, ran_out=True)
    assert _named_in(_facts(falls)) == set()
    assert _named_in(_facts(short)) == set()
    assert _named_in(_facts(flat)) == {"cannot-learn"}


def test_blocks_that_the_gradient_hardly_reaches_or_tears_are_named() -> None:
    def tried(*relative: float) -> trial_rules.TrialCase:
        flow = tuple(BlockFlow(f"layers.{i}", ratio) for i, ratio in enumerate(relative))
        return _facts(Overfit(lr=1e-3, losses=(1.1, 0.4), blind=1.1, flow=flow))

    assert _named_in(tried(0.002, 0.01, 0.3, 2.0)) == set()
    assert _named_in(tried(1e-9, 0.01, 0.3, 2.0)) == {"gradient-flow"}
    assert _named_in(tried(5e4, 0.01, 0.3, 2.0)) == {"gradient-flow"}
    # What is dead altogether is the matter of another rule.
    assert _named_in(tried(0.0, 0.01, 0.3)) == set()


@pytest.mark.plants("memory")
def test_units_that_do_not_fit_into_memory_side_by_side_are_named() -> None:
    assert _named_in(_facts(memory=0.5 * 2**34)) == {"memory"}
    assert _named_in(_facts(memory=0.4 * 2**34)) == set()


def test_a_unit_that_hardly_fits_on_its_gpu_is_named() -> None:
    assert _named_in(_facts(memory=0.8 * 2**34, device="cuda")) == set()
    (fault,) = trial_rules.memory(_facts(memory=0.95 * 2**34, device="cuda"))
    assert "1 unit needs about 15.2 GiB, there are 16.0" in fault.message
    assert "parallel" not in fault.remedy


@pytest.mark.plants("mix-fit")
def test_a_mix_that_the_formulation_cannot_take_is_named(tmp_path: Path) -> None:
    home = make_clinic(tmp_path / "c", ready=False)
    edit(home.competition, "target: [label]", "target: [grade]")
    edit(home.competition, "task: multiclass", "task: ordinal")
    edit(home.competition, "[ape, bear, cow]", "['0', '1', '2']")
    edit(home.competition, "metric: log_loss", "metric: qwk")
    edit(home.competition, "{gives: scores}", "{gives: answers}")
    edit(home.competition, ", sample_submission: sample.csv", "")
    assert examine(home, "formulation=borders", "mix=mixup") == []
    (found,) = examine(home, "formulation=coral", "mix=mixup")
    assert (found.rule, found.level, found.where) == ("mix-fit", "error", "override mix")
    assert "half of one grade and half of another" in found.message
    assert "use formulation: expectation, borders" in found.remedy


def _marked() -> set[str]:
    """Rules whose mistakes are planted by tests that are marked so, in all files of stages."""
    here = Path(__file__).parent
    files = [path for path in here.rglob("test_*.py") if "mark.plants(" in path.read_text("utf-8")]
    places = [path.relative_to(here).with_suffix("").parts for path in files]
    modules = [importlib.import_module(".".join([__package__, *place])) for place in places]
    tests = [test for module in modules for test in vars(module).values()]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ())]
    return {rule for mark in marks if mark.name == "plants" for rule in mark.args}


def test_every_rule_has_a_planted_mistake() -> None:
    in_tables = {rule for rule, *_ in [*RECIPE_MISTAKES, *PLAN_MISTAKES]}
    in_tables |= {rule for expected, *_ in COMPETITION_MISTAKES for rule in expected.split()}
    there, marked = {rule for rule, _ in _all_rules()}, _marked()
    assert there - in_tables - marked == set()
    assert marked <= there
