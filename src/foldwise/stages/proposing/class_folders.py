"""A folder per class: which they are, where the test images are, and what is not used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foldwise.errors import DataError
from foldwise.stages.proposing.folders import ImageFolder, image_folders, is_below

#: Not `contest` or `latest`.
_TEST = re.compile(r"(?<![a-z])test")


@dataclass(frozen=True)
class ClassFolders:
    """A folder per class.

    Attributes:
        root: the folder that holds them.
        cells: class of each image.
        test: folder with the images to be answered, or None.
        unused: other folders with images → how many.
    """

    root: str
    cells: tuple[str, ...]
    test: str | None
    unused: Mapping[str, int]


def find_class_folders(data: Path) -> ClassFolders | None:
    """Folders side by side, all with images: one per class; None: there are none.

    Raises:
        DataError: another folder with images lies among them.
    """
    folders = image_folders(data)
    nested: dict[str, list[ImageFolder]] = {}
    for folder in folders:
        if folder.name != ".":
            nested.setdefault(str(Path(folder.name).parent), []).append(folder)
    roots = {root: inside for root, inside in nested.items() if len(inside) > 1}
    train_named = [root for root in roots if "train" in Path(root).name.lower()]
    candidates = train_named or [root for root in roots if not is_test(root)]
    if not candidates:
        return None
    root = min(candidates, key=lambda name: (len(Path(name).parts), name))
    inside = [f for f in roots[root] if train_named or not is_test(f.name)]
    if len(inside) < 2:
        return None
    outside = [f for f in folders if not any(is_below(f.name, c.name) for c in inside)]
    among = [f.name for f in outside if is_below(f.name, root) and f.name != root]
    if among:
        raise DataError(
            f"{data / root}: {', '.join(among[:3])} lies among the folders of the classes",
            remedy="move the folders of the classes into one of their own, named train",
        )
    test = min((t for f in outside if (t := _test_root(f.name)) is not None), default=None)
    unused = Counter[str]()
    for folder in outside:
        if test is None or not is_below(folder.name, test):
            unused[Path(folder.name).parts[0] if folder.name != "." else "."] += len(folder.files)
    cells = tuple(
        Path(c.name).name
        for c in inside
        for f in folders
        if is_below(f.name, c.name)
        for _ in f.files
    )
    return ClassFolders(root, cells, test, unused)


def is_test(folder: str) -> bool:
    """Whether a folder is named after test."""
    return _TEST.search(Path(folder).name.lower()) is not None


def _test_root(folder: str) -> str | None:
    """The outermost folder of a path that is named after test."""
    return next(
        (p.as_posix() for p in [*reversed(Path(folder).parents), Path(folder)] if is_test(p.name)),
        None,
    )
