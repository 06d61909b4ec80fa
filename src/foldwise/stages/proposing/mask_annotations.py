"""Masks in COCO's JSON: which file names the train images, and its categories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from foldwise.data.mask_coco import has_mask, read_coco
from foldwise.errors import DataError
from foldwise.stages.proposing.note import Note

#: Files beyond this are not opened to see what they are.
_MAX_BYTES = 2 << 30


def find_annotations(
    data: Path, ids: Sequence[str]
) -> tuple[dict[str, Any], tuple[str, ...], Note] | None:
    """Keys of `masks`, classes and a note, for the JSON file that names all samples.

    Args:
        data: the data folder; its files and those one level below are looked at.
        ids: of the samples, with or without the ending of their images.

    Returns:
        None where no file does.
    """
    wanted = {_stem(name) for name in ids}
    for path in sorted([*data.glob("*.json"), *data.glob("*/*.json")]):
        if path.stat().st_size > _MAX_BYTES:
            continue
        try:
            content = read_coco(path)
        except DataError:
            continue  # Another kind of JSON.
        if not wanted <= {_stem(str(image["file_name"])) for image in content["images"]}:
            continue
        if not any(map(has_mask, content["annotations"])):
            continue  # Boxes alone.
        categories = sorted(content["categories"], key=lambda each: int(each["id"]))
        classes = tuple(dict.fromkeys(str(each["name"]) for each in categories))
        name = path.relative_to(data).as_posix()
        num = len(content["annotations"])
        note = Note("masks", name, f"COCO's JSON: {num} annotations, {len(classes)} categories")
        return {"kind": "coco", "file": name}, classes, note
    return None


def _stem(name: str) -> str:
    file = PurePosixPath(name).name
    return file.rpartition(".")[0] or file
