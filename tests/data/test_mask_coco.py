"""Masks of samples from COCO's JSON: polygons and counts, and what is refused by annotation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as oracle

from foldwise.config.masks import MasksConfig
from foldwise.data.mask_coco import read_coco
from foldwise.data.mask_sources import MaskSource
from foldwise.data.mask_tables import read_table_masks
from foldwise.errors import DataError
from foldwise.masks.runs import decode
from foldwise.tables import read_table

# pycocotools gives arrays of a kind that numpy warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

CLASSES = ("crack", "hole")
SIZES = np.array([[9, 12], [8, 8], [5, 7]])
FILES = ["images/a.jpg", "images/b.jpg", "images/c.jpg"]
SQUARE = [1, 1, 6, 1, 6, 5, 1, 5]
TRIANGLE = [2.5, 0, 11, 8, 0, 7.5]


def content(**changes: Any) -> dict[str, Any]:
    """Three images and one that is no sample; the classes stand in another order than ours."""
    counts = {"size": [8, 8], "counts": [10, 3, 51]}
    every = [(7, 30, [SQUARE]), (7, 30, [TRIANGLE]), (7, 20, [SQUARE, TRIANGLE]), (8, 20, counts)]
    names = [(7, "a.jpg"), (8, "b.jpg"), (9, "images/c.jpg"), (5, "elsewhere.jpg")]
    return {
        "images": [
            {"id": n, "file_name": name, "height": high, "width": wide}
            for (n, name), (high, wide) in zip(names, [*SIZES.tolist(), [3, 3]], strict=True)
        ],
        "annotations": [
            *(
                {"id": 40 + n, "image_id": image, "category_id": kind, "segmentation": shape}
                for n, (image, kind, shape) in enumerate(every)
            ),
            {"id": 99, "image_id": 5, "category_id": 20, "segmentation": [SQUARE]},
        ],
        "categories": [{"id": 30, "name": "crack"}, {"id": 20, "name": "hole"}],
        **changes,
    }


def source(folder: Path, found: dict[str, Any], **config: Any) -> MaskSource:
    (folder / "marks.json").write_text(json.dumps(found))
    (folder / "train.csv").write_text("id\na\nb\nc\n")
    table = read_table(folder / "train.csv")
    settings = MasksConfig(kind="coco", file="marks.json", **config)
    return MaskSource(settings, CLASSES, table, "id", np.arange(3), SIZES, folder, FILES)


def test_annotations_of_a_class_are_united_as_pycocotools_unites_them(tmp_path):
    masks = read_table_masks(source(tmp_path, content()))
    found = list(decode(masks.runs))

    def drawn(*polygons: list[float]) -> np.ndarray:
        coded = oracle.frPyObjects([list(map(float, p)) for p in polygons], *SIZES[0].tolist())
        return np.asarray(oracle.decode(oracle.merge(coded)))

    np.testing.assert_array_equal(found[0], drawn(SQUARE, TRIANGLE))
    np.testing.assert_array_equal(found[1], drawn(SQUARE, TRIANGLE))
    assert masks.areas.tolist()[1:] == [[0, 3], [0, 0]]
    assert found[3].T.ravel()[10:13].tolist() == [1, 1, 1]


def test_categories_may_be_called_otherwise(tmp_path):
    named = content(categories=[{"id": 30, "name": "Riss"}, {"id": 20, "name": "Loch"}])
    masks = read_table_masks(source(tmp_path, named, values={"Riss": "crack", "Loch": "hole"}))
    assert masks.present.tolist() == [[1, 1], [0, 1], [0, 0]]


def changed(part: str, place: int, **values: Any) -> dict[str, Any]:
    found = content()
    found[part][place] = {**found[part][place], **values}
    return found


WRONG = {
    "class": (changed("categories", 1, name="dent"), "annotation 42 of image 7: category 20"),
    "category": (changed("annotations", 0, category_id=3), "annotation 40 of image 7: category 3"),
    "image": (changed("images", 1, file_name="x.jpg"), "it has no image images/b.jpg"),
    "size": (changed("images", 0, width=13), "a.jpg is said to have 13 x 9 pixels, and has 12 x 9"),
    "polygon": (changed("annotations", 1, segmentation=[[1, 2, 3]]), "annotation 41 of image 7:"),
    "form": (changed("annotations", 3, segmentation=None), "annotation 43 of image 8: found None"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_what_is_wrong_is_told_by_annotation(tmp_path, mistake):
    values, wanted = WRONG[mistake]
    with pytest.raises(DataError, match=wanted):
        read_table_masks(source(tmp_path, values))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[]", "found a list"),
        ("{", "not readable as JSON"),
        ('{"images": [], "annotations": []}', "no list 'categories'"),
        (
            '{"images": [{"id": 1}], "annotations": [], "categories": []}',
            "1 of 1 images have no 'file_name', first number 1",
        ),
    ],
)
def test_a_file_that_is_none_of_coco_s_is_refused(tmp_path, text, wanted):
    path = tmp_path / "marks.json"
    path.write_text(text)
    with pytest.raises(DataError, match=wanted):
        read_coco(path)
    with pytest.raises(DataError, match="no such file"):
        read_coco(tmp_path / "absent.json")
