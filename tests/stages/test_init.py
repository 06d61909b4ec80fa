from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from foldwise.collecting import collect
from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.data.inputs import image_refs
from foldwise.errors import ConfigError, DataError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.display import Display
from foldwise.stages.init import init
from foldwise.stages.proposing.said import Said
from foldwise.stages.recipes import load_plan, planned_recipes
from foldwise.tasks.asked import data_folder, load_competition, read_target
from tests.stages.proposing.raw_folder import QUIET, make_raw, names, write_pictures, write_table

OFF = Said(pretrained="forbidden")
PACKS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def start(folder: Path, raw: Path, **options) -> tuple[Home, Competition]:
    """`init` without pretrained weights, which tests must not depend on, and what it wrote."""
    display, time = options.pop("display", QUIET), options.pop("time", None)
    said = Said(**{"pretrained": "forbidden", **options})
    home = init(folder / "mine", data=raw, said=said, time=time, display=display)
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
        init(home.path, data=raw, said=OFF, display=QUIET)
    home.competition.unlink()
    mine = next(iter(home.recipes.glob("*.yaml")))
    mine.write_text("model: {name: small_cnn}\n")
    home.plan.write_text("recipes: {small-cnn: {}}\n")
    init(home.path, data=raw, said=OFF, display=QUIET)
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
        (
            lambda raw: edit(raw / "train.csv", "s003.png,dog", "s003.png,"),
            r"train.csv:5: column 'label': found an empty cell",
        ),
        (
            lambda raw: edit(raw / "train.csv", "s003.png,dog", "s003.png,NaN"),
            r"train.csv:5: column 'label': found 'NaN'",
        ),
        (
            lambda raw: edit(raw / "train.csv", "s003.png,dog", "s003.png,dog "),
            r"train.csv:5: column 'label': found 'dog '",
        ),
        (
            lambda raw: edit(raw / "train.csv", "s003,", "s002,"),
            r"train.csv:5: column 'id': id 's002' is there already in line 4",
        ),
    ],
)
def test_what_is_wrong_is_one_error_and_nothing_is_written(tmp_path, spoil, words):
    raw = make_raw(tmp_path / "raw")
    spoil(raw)
    with pytest.raises(DataError, match=words):
        init(tmp_path / "mine", data=raw, said=OFF, display=QUIET)
    assert not (tmp_path / "mine").exists()


def spoiled(raw: Path, old: str, new: str) -> Path:
    edit(raw / "train.csv", old, new)
    return raw


@pytest.mark.parametrize(
    ("train", "old", "new", "words"),
    [
        ({"age": [n / 7 for n in range(24)]}, "0.42857142857142855", '"1,5"',
         r"train.csv:5: column 'age': found '1,5', wanted a finite number; write the decimal"),
        ({"age": [n / 7 for n in range(24)]}, "0.42857142857142855", "1_000", "found '1_000'"),
        ({"age": [n / 7 for n in range(24)]}, "0.42857142857142855", "", "found an empty cell"),
        ({"grade": [0, 1, 2] * 8}, "s003.png,0", 's003.png,"1,5"', "write the decimal comma"),
        ({"grade": [0, 1, 2] * 8}, "s003.png,0", "s003.png,٣", r"train.csv:5: .*found '٣'"),
        ({"a": [1, 0] * 12, "b": [0, 1] * 12}, "s003.png,0,1", "s003.png,,1",
         r"train.csv:5: column 'a': found an empty cell, wanted 0 or 1"),
    ],
)  # fmt: skip
def test_one_spoiled_label_among_good_ones_is_named_by_line(tmp_path, train, old, new, words):
    asked = {name: [0] * 8 for name in train}
    raw = spoiled(make_raw(tmp_path / "raw", train=train, asked=asked), old, new)
    with pytest.raises(DataError, match=words) as caught:
        start(tmp_path, raw)
    assert "--target" in caught.value.remedy
    assert not (tmp_path / "mine").exists()


def test_a_slip_after_init_is_named_by_line(tmp_path):
    raw = make_raw(tmp_path / "raw")
    home, competition = start(tmp_path, raw)
    edit(raw / "train.csv", "s003.png,dog", "s003.png,dgo")
    samples = collect(competition, data_folder(home, competition))
    with pytest.raises(DataError, match=r"train.csv:5: column 'label': found 'dgo'.*mean 'dog'"):
        read_target(competition, load_competition(home)[1], samples.part("train"))


def test_grades_of_parquet_with_a_point_are_grades(tmp_path):
    raw = make_raw(tmp_path / "raw", train={"grade": [0.0, 1.0, 2.0, 3.0] * 6},
                   asked={"grade": [0] * 8}, readme="Metric: quadratic weighted kappa")  # fmt: skip
    pd.read_csv(raw / "train.csv").to_parquet(raw / "train.parquet")
    (raw / "train.csv").unlink()
    _, competition = start(tmp_path, raw)
    assert (competition.task, competition.metric) == ("ordinal", "qwk")
    assert competition.classes == ("0", "1", "2", "3")
    assert competition.undecided == ()


def test_a_metric_of_the_text_that_does_not_fit_is_undecided_and_said(tmp_path):
    raw = make_raw(tmp_path / "raw", readme="Metric: quadratic weighted kappa")
    _, competition = start(tmp_path, raw)
    assert competition.metric == "accuracy"
    assert competition.undecided == (
        "metric accuracy: the text says 'quadratic weighted kappa', which cannot score multiclass",
    )


def test_arrays_of_five_channels_are_asked_for_as_such(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (20, 12, 12, 5), dtype=np.uint8)
    np.save(raw / "train.npy", pixels)
    np.save(raw / "test.npy", pixels[:4])
    write_table(raw / "train.csv", {"id": names(20), "label": list("ab") * 10})
    write_table(raw / "test.csv", {"id": names(4, 50)})
    home, _ = start(tmp_path, raw, pretrained="allowed")
    assert {recipe.input.channels for recipe in planned_recipes(home).values()} == {5}


def test_a_broken_npz_is_named(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "images.npz").write_bytes(b"PK\x03\x04 half")
    write_table(raw / "train.csv", {"id": names(20), "label": list("ab") * 10})
    with pytest.raises(DataError, match=r"images.npz: not a readable"):
        start(tmp_path, raw)


@pytest.mark.parametrize("place", ["mine", "mine/below"])
def test_a_file_in_the_folders_place_is_an_error(tmp_path, place):
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConfigError, match="mine is a file"):
        init(tmp_path / place, data=make_raw(tmp_path / "raw"), display=QUIET)


def test_two_label_candidates_are_settled_by_a_flag_that_the_error_names(tmp_path):
    raw = make_raw(tmp_path / "raw", train={"a": list("xy") * 12, "b": [1] * 24})
    (raw / "sample_submission.csv").unlink()
    with pytest.raises(DataError, match="could be any of a, b") as caught:
        start(tmp_path, raw)
    assert "--target" in caught.value.remedy
    _, competition = start(tmp_path, raw, target=("a",))
    assert competition.columns.target == ("a",)


def test_a_sample_submission_with_fewer_ids_can_be_set_aside(tmp_path):
    raw = make_raw(tmp_path / "raw")
    write_table(raw / "sample_submission.csv", {"id": names(2, 500), "label": ["cat"] * 2})
    with pytest.raises(DataError, match="2 of the 8 ids") as caught:
        start(tmp_path, raw)
    assert "--sample none" in caught.value.remedy
    _, competition = start(tmp_path, raw, sample="none")
    assert competition.tables.sample_submission is None


def test_id_group_and_images_can_be_said(tmp_path):
    train = {"label": list("ab") * 12, "key": names(24, 100), "eye": list("lr") * 12}
    raw = make_raw(tmp_path / "raw", train={**train, "x": list("abcdef") * 4})
    for table in ("test", "sample_submission"):
        frame = pd.read_csv(raw / f"{table}.csv").assign(key=names(8, 900))
        frame.drop(columns="id").to_csv(raw / f"{table}.csv", index=False)
    said = {"id": "key", "group": ("x", "eye"), "images": ("path",), "sample": "none"}
    _, competition = start(tmp_path, raw, **said)
    assert competition.columns.id == "key"
    assert competition.columns.group == ("x", "eye")
    assert competition.images.column == "path"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"id": "ID"}, r"--id ID: .*train.csv has no such column; did you mean 'id'"),
        ({"target": ("lable",)}, r"--target lable: .*did you mean 'label'"),
        ({"group": ("patient",)}, "--group patient: .*no such column"),
        ({"images": ("imags",)}, "--images imags: no column"),
        ({"train": "tran.csv"}, r"--train tran.csv: no such table.*did you mean 'train.csv'"),
        ({"pretrained": "maybe"}, "--pretrained maybe"),
        ({"task": "grading"}, "no task 'grading'"),
        ({"time": "2x"}, "--time: '2x' is no duration"),
    ],
)
def test_a_flag_that_cannot_be_honoured_is_an_error_that_names_it(tmp_path, said, words):
    with pytest.raises(ConfigError, match=words):
        start(tmp_path, make_raw(tmp_path / "raw"), **said)
    assert not (tmp_path / "mine").exists()


def test_mixed_endings_work_where_each_id_has_one_file(tmp_path):
    raw = tmp_path / "raw"
    files = [f"{name}.{'png' if i % 2 else 'jpg'}" for i, name in enumerate(names(24))]
    write_pictures(raw / "images", files)
    write_table(raw / "train.csv", {"id": names(20), "label": list("ab") * 10})
    write_table(raw / "test.csv", {"id": names(4, 20)})
    home, competition = start(tmp_path, raw)
    assert (competition.images.kind, competition.images.extension) == ("folder", ".*")
    data = data_folder(home, competition)
    assert collect(competition, data).frame["file"].tolist() == [f"images/{f}" for f in files]
    write_pictures(raw / "images", ["s003.tif"])
    with pytest.raises(DataError, match=r"train.csv:5: .*several files: images/s003.png"):
        collect(competition, data)


def test_tables_that_count_their_rows_alike_get_a_prefix(tmp_path):
    raw = make_raw(tmp_path / "raw")
    for table, num in (("train", 24), ("test", 8), ("sample_submission", 8)):
        frame = pd.read_csv(raw / f"{table}.csv").assign(id=range(num))
        frame.to_csv(raw / f"{table}.csv", index=False)
    home, competition = start(tmp_path, raw)
    assert competition.columns.train_prefix == "train/"
    samples = collect(competition, data_folder(home, competition))
    assert samples.part("train").ids[0] == "train/0"
    assert samples.part("test").ids[0] == "0"
    bare = competition.model_copy(
        update={"columns": competition.columns.model_copy(update={"train_prefix": ""})}
    )
    with pytest.raises(DataError, match="8 ids are in train and in test") as caught:
        collect(bare, data_folder(home, competition))
    assert "columns.train_prefix" in caught.value.remedy


def test_images_that_are_neither_train_nor_test_are_said(tmp_path):
    for split in ("train", "val", "test"):
        for name in ("ant", "bee"):
            write_pictures(tmp_path / "raw" / split / name, [f"{i}.png" for i in range(6)])
    text = io.StringIO()
    display = Display(console=Console(file=text, width=200, highlight=False))
    home, competition = start(tmp_path, tmp_path / "raw", display=display)
    assert (competition.tables.train, competition.tables.test) == ("train", "test")
    assert len(collect(competition, data_folder(home, competition)).part("test")) == 12
    assert "val/" in text.getvalue()
    assert "12 images" in text.getvalue()


def test_a_class_of_one_row_is_pointed_out(tmp_path):
    raw = spoiled(make_raw(tmp_path / "raw"), "s003.png,dog", "s003.png,dgo")
    home, _ = start(tmp_path, raw)
    notes = {note["topic"]: note["value"] for note in read_json(home.assumptions)["notes"]}
    assert notes["rare classes"] == "dgo"


def test_a_rule_that_is_said_comes_before_the_text(tmp_path):
    raw = make_raw(tmp_path / "raw", readme="Metric: accuracy. Pretrained weights are forbidden.")
    _, competition = start(tmp_path, raw, pretrained="allowed")
    assert competition.rules.pretrained == "allowed"


def test_time_for_training_can_be_said(tmp_path):
    raw = make_raw(tmp_path / "raw")
    start(tmp_path / "short", raw, time="1s")
    home, _ = start(tmp_path / "long", raw, time="9h")
    epochs = [
        recipe.train.epochs
        for place in (Home(tmp_path / "short" / "mine"), home)
        for recipe in planned_recipes(place).values()
    ]
    assert max(epochs[:3]) < min(epochs[3:])


def test_all_assumptions_are_kept_for_the_report(tmp_path):
    home, competition = start(tmp_path, make_raw(tmp_path / "raw", readme="Metric: accuracy."))
    kept = read_json(home.assumptions)
    assert kept["competition"]["task"] == competition.task
    assert kept["reasons"]["metric"] == "the text says 'accuracy'"
    assert {"machine", "recipe", "symmetry"} <= {note["topic"] for note in kept["notes"]}
    assert set(kept["symmetries"]["verdicts"]) >= {"hflip", "vflip"}


def test_files_name_their_schema_for_editors(tmp_path):
    home, _ = start(tmp_path, make_raw(tmp_path / "raw"))
    for path in (home.competition, home.plan, *home.recipes.glob("*.yaml")):
        line = path.read_text().splitlines()[0]
        schema = path.parent / line.removeprefix("# yaml-language-server: $schema=")
        assert "properties" in read_json(schema), line


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
                 "hflip", "cores", "small-resnet", "--help", "wrote competition.yaml"):  # fmt: skip
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
def test_a_real_pack_of_another_task_is_refused_with_what_was_seen(tmp_path):
    if not (PACKS / "blood-cells").is_dir():
        pytest.skip("the packs are absent")
    with pytest.raises(DataError, match="several rows") as caught:
        init(tmp_path / "mine", data=PACKS / "blood-cells", display=QUIET)
    assert any("train.csv: " in line for line in caught.value.problems)
    assert "Tasks there are: multiclass" in caught.value.remedy
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
