"""What `init` makes of masks, in each form that organisers hand out, and of the real packs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from foldwise.collecting import collect
from foldwise.config.competition import Competition
from foldwise.errors import DataError
from foldwise.home import Home
from foldwise.masks.of_samples import Masks, masks_of, read_masks
from foldwise.masks.runs import decode
from foldwise.stages.display import Display
from foldwise.stages.init import init
from foldwise.stages.prepare import prepare
from foldwise.stages.proposing.mask_images import read_some_masks
from foldwise.stages.proposing.said import Said
from foldwise.stages.recipes import planned_recipes
from foldwise.stages.split import split
from foldwise.tables import read_table
from foldwise.tasks.asked import data_folder, load_competition
from foldwise.tasks.problem import open_problem
from tests.stages.proposing.raw_folder import QUIET, write_pictures
from tests.stages.proposing.raw_masks import (
    CLASSES,
    IDS,
    SIZE,
    TEST_IDS,
    cells,
    index_images,
    make_raw,
    pixels,
    save,
)

PACKS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
BY_ID = [f"{name}_{label}" for name in TEST_IDS for label in CLASSES]


def start(folder: Path, raw: Path, **said) -> tuple[Competition, Masks]:
    """What `init` wrote, and the masks that it says, by the real readers."""
    home = init(
        folder / "mine", data=raw, said=Said(**{"pretrained": "forbidden", **said}), display=QUIET
    )
    competition, task = load_competition(home)
    assert task.kind == "map"
    data = data_folder(home, competition)
    samples = collect(competition, data)
    if competition.tables.test is not None:
        ending = "" if competition.tables.test.endswith(".csv") else ".jpg"
        assert list(samples.part("test").ids) == [f"{name}{ending}" for name in TEST_IDS]
    recipes = planned_recipes(home)
    assert len(recipes) == 2
    assert all(recipe.model.decoder is not None for recipe in recipes.values())
    return competition, read_some_masks(competition, data, samples.part("train"))


def assert_true(masks: Masks, classes=CLASSES) -> None:
    """They are those that were drawn."""
    found = list(decode(masks.runs))
    place = {name: index for index, name in enumerate(classes)}
    for row, (crack, hole) in enumerate(pixels()):
        for label, wanted in (("crack", crack), ("hole", hole)):
            np.testing.assert_array_equal(
                found[row * masks.num_classes + place[label]] != 0, wanted != 0
            )


def test_a_row_an_image_with_a_column_of_classes_and_clean_ones(tmp_path):
    kinds = ["1" if crack else "2" if hole else "0" for crack, hole in cells()]
    names = [{"0": "fine", "1": "crack", "2": "hole"}[kind] for kind in kinds]
    rle = [crack or hole for crack, hole in cells()]
    train = {"id": IDS, "kind": kinds, "kind_name": names, "rle": rle}
    asked = {"id_kind": [f"{n}_{k}" for n in TEST_IDS for k in (1, 2)], "EncodedPixels": [""] * 12}
    competition, masks = start(tmp_path, make_raw(tmp_path / "raw", train, asked))
    assert competition.classes == CLASSES
    assert competition.masks is not None
    assert competition.masks.model_dump(exclude_defaults=True) == {
        "kind": "runs",
        "column": "rle",
        "class_column": "kind",
        "values": {"1": "crack", "2": "hole"},
        "clean": ("0",),
    }
    assert competition.metric == "mean_dice"
    assert_true(masks)


@pytest.mark.parametrize("order", ["columns", "rows"])
def test_ids_that_end_in_the_class_as_rows_for_train_and_sample(tmp_path, order):
    train = {
        "Image_Label": [f"{name}_{label}" for name in IDS for label in CLASSES],
        "EncodedPixels": [cell for each in cells(order) for cell in each],
    }
    asked = {"Image_Label": BY_ID, "EncodedPixels": ["1 1"] * len(BY_ID)}
    raw = make_raw(tmp_path / "raw", train, asked, has_test=False)
    competition, masks = start(tmp_path, raw)
    assert competition.masks is not None
    assert competition.masks.in_id
    assert competition.masks.order == order
    assert competition.tables.test == "sample_submission.csv"
    assert competition.undecided == ("metric mean_dice: nothing beside the data names one",)
    assert_true(masks)


def test_a_row_for_each_image_and_class_and_images_that_no_row_names(tmp_path):
    rows = [
        (name, label, cell)
        for name, each in zip(IDS, cells(), strict=True)
        for label, cell in zip(CLASSES, each, strict=True)
        if cell
    ]
    train = {
        name: list(column)
        for name, column in zip(("id", "label", "rle"), zip(*rows, strict=True), strict=True)
    }
    asked = {
        "id": [n for n in TEST_IDS for _ in CLASSES],
        "rle": [""] * 12,
        "label": [*CLASSES] * 6,
    }
    competition, masks = start(tmp_path, make_raw(tmp_path / "raw", train, asked))
    assert competition.masks is not None
    assert competition.masks.class_column == "label"
    assert competition.masks.without_rows
    assert len(masks) == len(IDS)
    assert_true(masks)
    text = io.StringIO()
    home = Home(tmp_path / "mine")
    prepare(home, display=Display(console=Console(file=text, width=300, highlight=False)))
    assert "8 of 24 train images have no row of masks and are clean, as s002" in text.getvalue()
    assert_true(read_masks(home.masks)[1])


def test_a_column_for_each_class(tmp_path):
    crack, hole = (list(each) for each in zip(*cells(), strict=True))
    asked = {"id": TEST_IDS, "crack": ["-1"] * 6, "hole": ["-1"] * 6}
    raw = make_raw(tmp_path / "raw", {"id": IDS, "crack": crack, "hole": hole}, asked)
    competition, masks = start(tmp_path, raw)
    assert competition.masks is not None
    assert competition.masks.columns == {"crack": "crack", "hole": "hole"}
    assert_true(masks)


def test_several_rows_an_image_of_one_class_are_united(tmp_path):
    rows = [
        (n, cell) for n, (crack, hole) in zip(IDS, cells(), strict=True) for cell in (crack, hole)
    ]
    train = {"id": [name for name, _ in rows], "EncodedPixels": [cell for _, cell in rows]}
    asked = {"id": TEST_IDS, "EncodedPixels": [""] * 6}
    competition, masks = start(tmp_path, make_raw(tmp_path / "raw", train, asked))
    assert competition.masks is not None
    assert competition.masks.several_rows
    assert competition.classes == ("mask",)
    for found, (crack, hole) in zip(decode(masks.runs), pixels(), strict=True):
        np.testing.assert_array_equal(found != 0, (crack | hole) != 0)


def test_paths_of_index_images_named_by_the_text(tmp_path):
    values = {"ground": 0, "crack": 1, "hole": 2}
    raw = tmp_path / "raw"
    save(raw / "masks", dict(zip(IDS, index_images(values), strict=True)))
    readme = "Classes: 0 ground, 1 crack, 2 hole, 3 void (ignore 3).\nMetric: mean IoU."
    train = {"id": IDS, "mask_path": [f"masks/{name}.png" for name in IDS]}
    competition, masks = start(tmp_path, make_raw(raw, train, None, readme))
    assert competition.masks is not None
    assert competition.masks.kind == "index"
    assert competition.masks.exclusive
    assert competition.masks.ignored == (3,)
    assert competition.classes == ("ground", "crack", "hole")
    assert (competition.metric, competition.submission.form) == ("mean_iou", "images")
    assert competition.undecided == ()
    assert_true(masks, competition.classes)


def test_a_folder_of_mask_images_named_like_the_ids(tmp_path):
    raw = tmp_path / "raw"
    images = {name: 255 * (crack | hole) for name, (crack, hole) in zip(IDS, pixels(), strict=True)}
    save(raw / "masks", {f"{name}_mask": image for name, image in images.items()})
    competition, masks = start(tmp_path, make_raw(raw, {"id": IDS, "depth": [1] * 24}))
    assert competition.masks is not None
    assert competition.masks.pattern == "masks/{id}_mask.png"
    assert competition.masks.kind == "files"
    assert [mask.any() for mask in decode(masks.runs)] == [i.any() for i in images.values()]


@pytest.mark.parametrize("name", ["masks/{id}_{label}", "masks/{label}/{id}"])
def test_an_image_for_each_sample_and_class(tmp_path, name):
    raw = tmp_path / "raw"
    for sample, each in zip(IDS, pixels(), strict=True):
        for label, mask in zip(CLASSES, each, strict=True):
            if mask.any():
                place = raw / name.format(id=sample, label=label)
                save(place.parent, {place.name: 255 * mask})
    competition, masks = start(tmp_path, make_raw(raw, {"id": IDS, "depth": [1] * 24}))
    assert competition.masks is not None
    assert competition.masks.pattern == name.replace("label", "class") + ".png"
    assert competition.classes == CLASSES
    assert_true(masks)


def test_folders_alone(tmp_path):
    raw = tmp_path / "raw"
    values = {"ground": 3, "crack": 9, "hole": 255}
    write_pictures(raw / "train" / "images", [f"{name}.jpg" for name in IDS], size=SIZE)
    write_pictures(raw / "test", [f"{name}.jpg" for name in TEST_IDS], size=SIZE)
    save(raw / "train" / "masks", dict(zip(IDS, index_images(values), strict=True)))
    competition, masks = start(tmp_path, raw)
    assert competition.tables.train == "train/images"
    assert competition.tables.test == "test"
    assert competition.masks is not None
    assert competition.masks.pattern == "train/masks/{stem}.png"
    assert competition.masks.ignored == (255,)
    assert competition.classes == ("3", "9")
    assert masks.ignored is not None
    assert masks.ignored.areas.tolist() == [int(hole.sum()) for _, hole in pixels()]


def coco() -> dict[str, object]:
    images = [
        {"id": n, "file_name": f"{name}.jpg", "width": SIZE[0], "height": SIZE[1]}
        for n, name in enumerate(IDS)
    ]
    square = [[2, 3, 8, 3, 8, 9, 2, 9]]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1 + n % 2, "segmentation": square, "iscrowd": 0}
        for n in range(0, len(IDS), 3)
    ]
    categories = [{"id": 1, "name": "crack"}, {"id": 2, "name": "hole"}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.mark.parametrize("has_table", [True, False])
def test_annotations_as_coco_has_them(tmp_path, has_table):
    raw = make_raw(tmp_path / "raw", {"id": IDS, "site": list("abcd") * 6})
    (raw / "annotations.json").write_text(json.dumps(coco()))
    if not has_table:
        (raw / "train.csv").unlink()
        (raw / "test.csv").unlink()
    competition, masks = start(tmp_path, raw)
    assert competition.masks is not None
    assert (competition.masks.kind, competition.masks.file) == ("coco", "annotations.json")
    assert competition.classes == CLASSES
    assert (competition.columns.group == ("site",)) == has_table
    wanted = [[36 * (n % 3 == 0 and n % 2 == c) for c in (0, 1)] for n in range(len(IDS))]
    assert masks.areas.tolist() == wanted


def test_labels_that_are_asked_for_come_before_masks(tmp_path):
    raw = tmp_path / "raw"
    save(
        raw / "masks",
        dict(zip(IDS, index_images({"ground": 0, "crack": 1, "hole": 2}), strict=True)),
    )
    paths = [f"masks/{name}.png" for name in IDS]
    train = {"id": IDS, "mask_path": paths, "label": ["cat", "dog"] * 12}
    make_raw(raw, train, {"id": TEST_IDS, "label": ["cat"] * 6})
    home = init(tmp_path / "a", data=raw, said=Said(pretrained="forbidden"), display=QUIET)
    competition, task = load_competition(home)
    assert task.kind == "vector"
    assert competition.masks is None
    competition, _ = start(tmp_path, raw, task="segmentation")
    assert competition.tables.sample_submission is None
    assert competition.submission.form == "images"


@pytest.mark.parametrize("folders", [("with_mask", "without_mask"), ("face", "mask")])
def test_folders_of_classes_are_no_masks_whatever_they_are_called(tmp_path, folders):
    for name in folders:
        write_pictures(tmp_path / "raw" / "train" / name, [f"{n}.jpg" for n in range(12)])
    said = Said(pretrained="forbidden")
    home = init(tmp_path / "mine", data=tmp_path / "raw", said=said, display=QUIET)
    competition, task = load_competition(home)
    assert task.kind == "vector"
    assert competition.classes == folders


WRONG = {
    "outside": ("999 9", r"train.csv:2: run 1, 999 9, ends at pixel 1007"),
    "odd": ("1 2 3", r"train.csv:2: found 3 numbers"),
    "unsorted": ("9 2 1 2", r"train.csv:2: run 2, 1 2, starts before"),
    "overlap": ("1 9 3 9", r"train.csv:2: run 2, 3 9, overlaps"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_runs_are_told_by_row_before_anything_is_written(tmp_path, mistake):
    cell, wanted = WRONG[mistake]
    rle = [crack or hole for crack, hole in cells()]
    rle[0] = cell
    raw = make_raw(tmp_path / "raw", {"id": IDS, "rle": rle}, {"id": TEST_IDS, "rle": [""] * 6})
    with pytest.raises(DataError, match=wanted):
        start(tmp_path, raw)
    assert not (tmp_path / "mine").exists()


def test_mask_images_of_another_size_are_told_by_row(tmp_path):
    raw = tmp_path / "raw"
    images = index_images({"ground": 0, "crack": 1, "hole": 2})
    images[3] = images[3].T
    save(raw / "masks", dict(zip(IDS, images, strict=True)))
    make_raw(raw, {"id": IDS, "mask_path": [f"masks/{name}.png" for name in IDS]})
    with pytest.raises(DataError, match=r"train.csv:5: masks/s003.png has 14 x 20 pixels and its"):
        start(tmp_path, raw)


def test_classes_that_train_does_not_have_are_told(tmp_path):
    rle = [crack or hole for crack, hole in cells()]
    asked = {"id": [f"{n}_{k}" for n in TEST_IDS for k in (1, 2)], "rle": [""] * 12}
    raw = make_raw(tmp_path / "raw", {"id": IDS, "rle": rle}, asked)
    with pytest.raises(DataError, match=r"asks for masks of 1, 2, and no column of train.csv"):
        start(tmp_path, raw)


def test_a_task_of_masks_without_any_says_where_was_looked(tmp_path):
    raw = make_raw(tmp_path / "raw", {"id": IDS, "label": ["a", "b"] * 12})
    with pytest.raises(DataError, match="no masks of the train images were found"):
        start(tmp_path, raw, task="segmentation")


def _journey(folder: Path, name: str, **said) -> tuple[Home, Masks]:
    """`init`, `prepare` and `split` of a real pack, without an edit."""
    if not (PACKS / name).is_dir():
        pytest.skip(f"{name} is not here")
    home = init(folder / name, data=PACKS / name, said=Said(**said), display=QUIET)
    prepare(home, display=QUIET)
    split(home, display=QUIET)
    return home, read_masks(home.masks)[1]


@pytest.mark.real
@pytest.mark.slow
def test_tile_defects(tmp_path):
    home, masks = _journey(tmp_path, "tile-defects")
    problem = open_problem(home)
    assert problem.competition.classes == ("blowhole", "break", "crack", "fray", "uneven")
    assert problem.competition.columns.group == ("burst",)
    assert problem.competition.undecided == ()
    assert problem.metric_name == "mean_dice"
    assert len(masks) == 937
    assert int((masks.present.sum(axis=1) == 0).sum()) == 668  # Four uneven ones have no pixel.
    table = read_table(PACKS / "tile-defects" / "train.csv").frame
    lengths = [sum(map(int, cell.split()[1::2])) for cell in table["rle"]]
    areas = masks_of(home.masks, list(table["image_id"])).areas
    assert areas.sum(axis=1).tolist() == lengths
    classes = np.where(areas.any(axis=1), areas.argmax(axis=1) + 1, 0)
    drawn = np.array(lengths) > 0
    assert (classes == table["defect"].astype(int))[drawn].all()
    assert len(problem.test) == 407
    assert set(problem.folds) == set(range(3))  # Four would leave time for smaller images.


@pytest.mark.real
@pytest.mark.slow
def test_street_frames(tmp_path):
    home, masks = _journey(tmp_path, "street-frames", task="segmentation")
    problem = open_problem(home)
    assert problem.competition.classes[:3] == ("sky", "building", "pole")
    assert problem.num_classes == 11
    assert problem.competition.columns.group == ("sequence",)
    assert problem.competition.submission.form == "images"
    assert problem.competition.undecided == ()
    assert problem.metric_name == "mean_iou"
    assert masks.ignored is not None
    every = masks.areas.sum(axis=1) + masks.ignored.areas
    assert (every == 320 * 240).all()
    assert set(problem.folds) == set(range(3))
