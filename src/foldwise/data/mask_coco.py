"""The masks of train samples from COCO's JSON: images, annotations and categories."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from foldwise.csv_files import limited
from foldwise.data.mask_sources import MaskSource
from foldwise.errors import DataError
from foldwise.masks.of_samples import Masks
from foldwise.masks.segmentations import read_segmentations
from foldwise.masks.sets import unite

_PARTS = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id")}


def read_coco(path: Path) -> dict[str, Any]:
    """The JSON file, with `images`, `annotations` and `categories` as they should be.

    Raises:
        DataError: absent, no JSON, or without a key that is needed.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON: {error}") from None
    wanted = {**_PARTS, "categories": ("id", "name")}
    if not isinstance(content, dict):
        raise DataError(f"{path}: wanted {', '.join(wanted)}, found a {type(content).__name__}")
    problems = []
    for part, keys in wanted.items():
        items = content.get(part)
        if not isinstance(items, list):
            problems.append(f"{path}: there is no list {part!r}")
            continue
        for key in keys:
            lacking = [n for n, each in enumerate(items) if key not in each]
            if lacking:
                problems.append(
                    f"{path}: {len(lacking)} of {len(items)} {part} have no {key!r}, first number "
                    f"{lacking[0] + 1}"
                )
    if problems:
        raise DataError(*limited(problems), remedy="wanted COCO's form of instances")
    return content


def has_mask(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation says which pixels are meant, and not a box alone."""
    return bool(annotation.get("segmentation"))


def read_coco_masks(source: MaskSource) -> Masks:
    """The masks that the annotations of a file say; all of one class and image are united.

    Images of the file that are no samples are passed over, as those of another part.

    Raises:
        DataError: samples that the file does not name, categories that are no class, sizes of
            images that differ, or annotations that are wrong; each named.
    """
    assert source.config.file is not None
    path = source.data / source.config.file
    content = read_coco(path)
    sample_of = _samples_of(source, path, content["images"])
    class_of = {each["id"]: str(each["name"]) for each in content["categories"]}
    chosen = [each for each in content["annotations"] if each["image_id"] in sample_of]
    _check_images(source, path, content["images"], sample_of)
    places = _classes(source, path, chosen, class_of)
    samples = np.array([sample_of[each["image_id"]] for each in chosen], np.int64)
    heights, widths = source.sizes[samples].T
    runs = read_segmentations(
        [each.get("segmentation") for each in chosen],
        heights,
        widths,
        name=lambda place: f"{path}: annotation {_name(chosen[place])}",
    )
    num = len(source.classes)
    every_height, every_width = np.repeat(source.sizes, num, axis=0).T
    return Masks(unite(runs, samples * num + places, every_height, every_width), num)


def _samples_of(
    source: MaskSource, path: Path, images: Sequence[Mapping[str, Any]]
) -> dict[Any, int]:
    """Image id → sample, by the whole path of its file, then by its name alone.

    Raises:
        DataError: samples that no image of the file is.
    """
    base = Counter(PurePosixPath(file).name for file in source.files)
    by_name = {file: row for row, file in enumerate(source.files)}
    by_name |= {
        name: row
        for row, file in enumerate(source.files)
        if base[name := PurePosixPath(file).name] == 1
    }
    found = {}
    for image in images:
        file = str(image["file_name"])
        row = by_name.get(file, by_name.get(PurePosixPath(file).name))
        if row is not None:
            found[image["id"]] = row
    lacking = sorted(set(range(len(source.files))) - set(found.values()))
    if lacking:
        problems = [f"{path}: it has no image {source.files[row]}" for row in lacking]
        raise DataError(*limited(problems), remedy="every train image must be listed there")
    return found


def _check_images(
    source: MaskSource, path: Path, images: Sequence[Mapping[str, Any]], sample_of: dict[Any, int]
) -> None:
    problems = []
    for image in images:
        row = sample_of.get(image["id"])
        if row is None or "height" not in image or "width" not in image:
            continue
        height, width = source.sizes[row].tolist()
        if (image["height"], image["width"]) != (height, width):
            problems.append(
                f"{path}: image {image['file_name']} is said to have {image['width']} x "
                f"{image['height']} pixels, and has {width} x {height}"
            )
    if problems:
        raise DataError(*limited(problems), remedy="masks must be as large as their images")


def _classes(
    source: MaskSource,
    path: Path,
    annotations: Sequence[Mapping[str, Any]],
    class_of: Mapping[Any, str],
) -> np.ndarray:
    """(A,) int64 the class of each annotation."""
    values, places, problems = source.values, [], []
    for each in annotations:
        name = class_of.get(each["category_id"])
        place = -1 if name is None else values.get(name, -1)
        places.append(place)
        if place < 0:
            what = f"category {each['category_id']!r}" + ("" if name is None else f" ({name})")
            problems.append(f"{path}: annotation {_name(each)}: {what} is no class of masks")
    if problems:
        raise DataError(*limited(problems), remedy=f"classes are called {', '.join(values)}")
    return np.array(places, np.int64)


def _name(annotation: Mapping[str, Any]) -> str:
    return f"{annotation.get('id', 'without id')} of image {annotation['image_id']}"
