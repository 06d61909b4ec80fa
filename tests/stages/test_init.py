from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.data.inputs import image_refs
from foldwise.errors import ConfigError, DataError
from foldwise.rundir import Home
from foldwise.samples import collect
from foldwise.stages.display import Display
from foldwise.stages.init import init
from foldwise.stages.recipes import load_plan, planned_recipes
from foldwise.tasks.problem import data_folder, load_competition, read_target
from tests.stages.proposing.raw_folder import QUIET, make_raw, names, write_pictures, write_table

PACKS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def start(folder: Path, raw: Path, **options) -> tuple[Home, Competition]:
    """`init` without pretrained weights, which tests must not depend on, and what it wrote."""
    options = {"pretrained": "forbidden", "display": QUIET, **options}
    home = init(folder / "mine", data=raw, **options)
    competition, task = load_competition(home)
    data = data_folder(home, competition)
    samples = collect(competition, data)
    assert all(ref.path.exists() for ref in image_refs(samples, data))
    read_target(competition, task, samples.part("train"))
    assert list(planned_recipes(home)) == list(load_plan(home).recipes)
    return home, competition


def test_a_plain_folder(tmp_path):
    home, competition = start(tmp_path, make_raw(tmp_path / "raw", readme="Metric: macro F1."))
    assert competition.task == "multiclass"
    assert competition.metric == "macro_f1"
    assert competition.classes == ("cat", "dog")
    assert competition.data == "../raw"
    assert competition.undecided == ()
    assert len(load_plan(home).recipes) == 3
    assert (home.path / ".gitignore").read_text().splitlines() == ["cache/", "runs/", ".foldwise/"]


def test_classes_by_folder_without_any_table(tmp_path):
    for name in ("ant", "bee", "cow"):
        write_pictures(tmp_path / "raw" / "train" / name, [f"{i}.png" for i in range(8)])
    write_pictures(tmp_path / "raw" / "test", ["a.png", "b.png"])
    home, competition = start(tmp_path, tmp_path / "raw")
    assert competition.images.kind == "class_folder"
    assert (competition.tables.train, competition.tables.test) == ("train", "test")
    assert competition.classes == ("ant", "bee", "cow")
    samples = collect(competition, data_folder(home, competition))
    assert samples.part("test").ids.tolist() == ["a.png", "b.png"]


def test_classes_by_folder_with_a_sample_submission(tmp_path):
    for name in ("ant", "bee"):
        write_pictures(tmp_path / "raw" / "train" / name, [f"{i}.png" for i in range(8)])
    ids = names(4)
    write_pictures(tmp_path / "raw" / "test", [f"{name}.png" for name in ids])
    write_table(tmp_path / "raw" / "sample_submission.csv", {"key": ids, "label": ["ant"] * 4})
    home, competition = start(tmp_path, tmp_path / "raw")
    samples = collect(competition, data_folder(home, competition))
    assert samples.part("test").ids.tolist() == ids
    assert competition.submission.gives == "answers"


def test_arrays_with_an_index_column(tmp_path):
    raw = tmp_path / "raw"
    pixels = np.random.default_rng(0).integers(0, 255, (20, 12, 12, 3), dtype=np.uint8)
    raw.mkdir()
    np.savez(raw / "images.npz", train=pixels, test=pixels[:4])
    table = {"id": names(20), "index": range(20), "label": list("ab") * 10}
    write_table(raw / "train.csv", table)
    write_table(raw / "test.csv", {"id": names(4, 50), "index": range(4)})
    write_table(raw / "sample_submission.csv", {"id": names(4, 50), "label": ["a"] * 4})
    _, competition = start(tmp_path, raw)
    assert competition.images.kind == "array"
    assert competition.columns.order is None


def test_ids_in_folders(tmp_path):
    raw, ids = tmp_path / "raw", names(20)
    write_pictures(raw / "train_images", [f"{name}.png" for name in ids])
    write_pictures(raw / "test_images", [f"{name}.png" for name in names(4, 50)])
    write_table(raw / "train.csv", {"id": ids, "grade": [0, 1, 2, 3] * 5})
    write_table(raw / "sample_submission.csv", {"id": names(4, 50), "grade": [0] * 4})
    _, competition = start(tmp_path, raw)
    assert competition.images.kind == "folder"
    assert competition.task == "ordinal"
    assert competition.tables.test == "sample_submission.csv"


def test_one_column_a_class_with_one_1(tmp_path):
    train = {"rust": [1, 0] * 12, "scab": [0, 1] * 12}
    asked = {"rust": [0.5] * 8, "scab": [0.5] * 8}
    _, competition = start(tmp_path, make_raw(tmp_path / "raw", train=train, asked=asked))
    assert (competition.task, competition.classes) == ("multiclass", ("rust", "scab"))
    assert competition.submission.gives == "scores"


def test_guesses_nobody_confirmed_are_banners(tmp_path):
    raw = make_raw(tmp_path / "raw", train={"label": [0, 1, 2, 3] * 6}, asked={"label": [0] * 8})
    _, competition = start(tmp_path, raw)
    assert competition.task == "multiclass"
    assert len(competition.undecided) == 2


def test_flags_override_and_settle(tmp_path):
    raw = make_raw(tmp_path / "raw", train={"label": [0, 1, 2, 3] * 6}, asked={"label": [0] * 8})
    _, competition = start(tmp_path, raw, task="ordinal", metric="mae")
    assert (competition.task, competition.metric) == ("ordinal", "mae")
    assert competition.undecided == ()


def test_a_rule_in_the_text_is_kept_unless_the_flag_says_otherwise(tmp_path):
    raw = make_raw(tmp_path / "raw", readme="Metric: accuracy. Pretrained weights are forbidden.")
    home, competition = start(tmp_path, raw, pretrained=None)
    assert competition.rules.pretrained == "forbidden"
    assert all(recipe.model.pretrained is False for recipe in planned_recipes(home).values())


def test_a_balanced_test_set_is_taken_from_the_text(tmp_path):
    text = "Metric: accuracy. Train is long-tailed, test is nearly balanced."
    _, competition = start(tmp_path, make_raw(tmp_path / "raw", readme=text))
    assert competition.test_prior == "balanced"


def test_nothing_of_the_users_is_overwritten(tmp_path):
    raw = make_raw(tmp_path / "raw", readme="Metric: accuracy.")
    home, _ = start(tmp_path, raw)
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="is there already"):
        init(home.path, data=raw, pretrained="forbidden", display=QUIET)
    home.competition.unlink()
    mine = next(iter(home.recipes.glob("*.yaml")))
    mine.write_text("model: {name: small_cnn}\n")
    home.plan.write_text("recipes: {small-cnn: {}}\n")
    init(home.path, data=raw, pretrained="forbidden", display=QUIET)
    assert mine.read_text() == "model: {name: small_cnn}\n"
    assert home.plan.read_text() == "recipes: {small-cnn: {}}\n"
    after = {path: path.read_bytes() for path in before}
    assert {p for p in before if before[p] != after[p]} == {mine, home.plan}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda raw: (raw / "train.csv").unlink(), "neither a table"),
        (lambda raw: (raw / "images" / "s003.png").unlink(), "s003"),
        (lambda raw: [p.write_bytes(b"no") for p in raw.glob("images/*")], "can be decoded"),
        (lambda raw: (raw / "train.csv").write_text("id,path\n"), "neither a table"),
    ],
)
def test_what_is_wrong_is_one_error_and_nothing_is_written(tmp_path, spoil, words):
    raw = make_raw(tmp_path / "raw")
    spoil(raw)
    with pytest.raises(DataError, match=words):
        init(tmp_path / "mine", data=raw, pretrained="forbidden", display=QUIET)
    assert not (tmp_path / "mine").exists()


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        init(tmp_path / "mine", data=tmp_path / "gone", display=QUIET)


def test_every_guess_is_shown_with_its_reason(tmp_path):
    raw = make_raw(tmp_path / "raw", train={"label": list("ab") * 12, "dme": [1] * 24},
                   asked={"label": ["a"] * 8}, readme="Metric: accuracy.")  # fmt: skip
    text = io.StringIO()
    display = Display(console=Console(file=text, width=200, highlight=False))
    start(tmp_path, raw, display=display)
    for word in ("train.csv", "column path", "multiclass", "the text says 'accuracy'", "dme",
                 "hflip", "cores", "small-resnet", "--task", "wrote competition.yaml"):  # fmt: skip
        assert word in text.getvalue(), word


def test_reasons_stand_in_the_file_and_it_reads_back(tmp_path):
    home, competition = start(tmp_path, make_raw(tmp_path / "raw", readme="Metric: accuracy."))
    text = home.competition.read_text()
    assert "# the text says 'accuracy'" in text
    assert load(home.competition, Competition) == competition


def test_symmetries_are_measured_and_only_harmless_ones_proposed(tmp_path):
    raw, ids = tmp_path / "raw", names(60)
    rng = np.random.default_rng(0)
    for index, name in enumerate([*ids, *names(4, 500)]):
        pixels = rng.integers(0, 60, (20, 20, 3), dtype=np.uint8)
        pixels[:, 10 * (index % 2) : 10 * (index % 2) + 10] += 120
        path = raw / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    write_table(raw / "train.csv", {"id": ids, "label": ["left", "right"] * 30})
    sample = {"id": names(4, 500), "label": ["left"] * 4}
    write_table(raw / "sample_submission.csv", sample)
    home, _ = start(tmp_path, raw)
    for recipe in planned_recipes(home).values():
        assert "vflip" in recipe.augment
        assert "hflip" not in recipe.augment
        assert recipe.views == ("identity",)


EXPECTED = {
    "retina28": ("ordinal", "qwk", (), None, "path", 5, "train"),
    "fundus-grade": ("ordinal", "qwk", (), None, "path", 5, "train"),
    "animals-tail": ("multiclass", "log_loss", (), None, "path", 14, "balanced"),
    "sign-tracks": ("multiclass", "accuracy", ("track",), "frame", "path", 16, "train"),
    "street-frames": ("multilabel", "mean_average_precision", ("sequence",), "frame_no", "path", 4,
                      "train"),
    "tiny20": ("multiclass", "accuracy", (), None, "array", 20, "train"),
}  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("pack", EXPECTED)
def test_a_real_pack_is_understood(tmp_path, pack):
    if not (PACKS / pack).is_dir():
        pytest.skip("the packs are absent")
    home, c = start(tmp_path, PACKS / pack)
    found = (c.task, c.metric, c.columns.group, c.columns.order, c.images.kind, len(c.classes))
    assert (*found, c.test_prior) == EXPECTED[pack]
    assert c.undecided == ()
    assert c.more_metrics == (("macro_f1",) if pack == "animals-tail" else ())
    folds = load_plan(home).folds.count
    assert folds in ((3,) if pack == "street-frames" else (3, 5))  # 3 on a slow machine.


@pytest.mark.real
@pytest.mark.parametrize(
    ("pack", "words"), [("tile-defects", "several rows"), ("blood-cells", "several rows")]
)
def test_a_real_pack_of_another_task_is_refused_with_what_was_seen(tmp_path, pack, words):
    if not (PACKS / pack).is_dir():
        pytest.skip("the packs are absent")
    with pytest.raises(DataError, match=words) as caught:
        init(tmp_path / "mine", data=PACKS / pack, display=QUIET)
    assert any("train.csv: " in line for line in caught.value.problems)
    assert "tasks there are: multiclass" in caught.value.remedy
    assert not (tmp_path / "mine").exists()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("pack", "allowed", "left_out"),
    [
        ("sign-tracks", set(), {"hflip", "vflip", "rot90"}),
        ("animals-tail", {"hflip"}, {"vflip", "rot90"}),
        ("fundus-grade", {"hflip"}, {"rot90"}),
    ],
)
def test_symmetries_of_real_packs_on_frozen_features(tmp_path, pack, allowed, left_out):
    if not (PACKS / pack).is_dir():
        pytest.skip("the packs are absent")
    home, _ = start(tmp_path, PACKS / pack, pretrained=None)
    recipes = planned_recipes(home)
    if not any(recipe.model.pretrained for recipe in recipes.values()):
        pytest.skip("no pretrained weights at hand")
    for recipe in recipes.values():
        augments = {a for a in recipe.augment if isinstance(a, str)}
        assert not augments & left_out
        if recipe.augment:
            assert allowed <= augments
