"""Exclusive masks as a zip of PNG files: written to the same bytes each time, and checked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from foldwise.config.competition import Competition
from foldwise.data.decode import MAX_PIXELS
from foldwise.errors import RunError
from foldwise.masks import IGNORED
from foldwise.masks.indexed import decode_indexed
from foldwise.masks.of_samples import Masks
from foldwise.publish import publish
from foldwise.stages.submitting.opened import limited, some

#: The first day that a zip knows: the same masks give the same bytes on any day.
_DATE = (1980, 1, 1, 0, 0, 0)
_ENDING = ".png"
#: Bytes of a PNG file beside those of its pixels, at most.
_OVERHEAD = 65_536


def pixel_values(competition: Competition) -> list[int]:
    """The pixel value of each class, as in the mask images of train; else numbers from 0."""
    masks, classes = competition.masks, competition.classes
    if masks is None or masks.kind != "index" or not masks.values:
        return list(range(len(classes)))
    value_of = {name: int(value) for value, name in masks.values.items()}
    return [value_of[name] for name in classes]


def image_name(sample: str) -> str:
    """The file of a sample: its id, whose own ending of an image is replaced.

    >>> image_name("a01"), image_name("day/a01.jpg")
    ('a01.png', 'day/a01.png')
    """
    stem, dot, ending = sample.rpartition(".")
    is_image = bool(dot) and ending.lower() in ("jpg", "jpeg", "png", "tif", "tiff", "webp", "bmp")
    return f"{stem if is_image else sample}{_ENDING}"


def write_mask_images(
    path: Path, names: np.ndarray, masks: Masks, competition: Competition
) -> None:
    """Publish each test sample's classes as a PNG file of one channel, all in a zip.

    Files stand in the order of their names, uncompressed since PNG is, so that the same masks
    give the same bytes.

    Args:
        path: the zip.
        names: (N,) str, the samples.
        masks: of the same, in their order; those of one sample do not overlap.
        competition: with the pixel values.

    Raises:
        RunError: masks of a sample overlap.
    """
    values, other = pixel_values(competition), _other(competition)

    def write(part: Path) -> None:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for file, row in sorted((image_name(str(each)), n) for n, each in enumerate(names)):
                one = masks[np.array([row])]
                try:
                    (pixels,) = decode_indexed(one.runs, values=values, other=other)
                except ValueError as error:
                    raise RunError(
                        f"{names[row]}: {str(error).removeprefix('image 0: ')}, and an image "
                        "holds one class a pixel",
                        remedy="decide by the surest class, or say submission: {form: table}",
                    ) from None
                info = zipfile.ZipInfo(file, _DATE)
                info.external_attr = 0o644 << 16
                archive.writestr(info, _png(pixels))

    publish(path, write)


def check_mask_images(
    path: Path, sizes: Mapping[str, tuple[int, int] | None], competition: Competition
) -> list[str]:
    """What is wrong with a zip of mask images; empty if it is right.

    Args:
        path: any file.
        sizes: test sample → height and width of its image; None: nobody knows.
        competition: with the pixel values.
    """
    if path.suffix.lower() != ".zip":
        kind = path.suffix or "without ending"
        return [f"{path}: found a file of kind {kind}, wanted a .zip of PNG files"]
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            wanted = {image_name(sample): sample for sample in sizes}
            problems = _name_problems(path, names, list(wanted))
            values = set(pixel_values(competition))
            found = [
                (name, problem)
                for name in dict.fromkeys(names)
                if name in wanted
                and (problem := _wrong_image(archive, name, sizes[wanted[name]], values))
            ]
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        return [f"{path}: not a readable zip file: {error}"]
    problems += some(range(len(found)), lambda n: f"{path}: {found[n][0]}: {found[n][1]}")
    return limited(problems)


def _name_problems(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    known, there = set(wanted), set(names)
    unknown = [name for name in dict.fromkeys(names) if name not in known]
    missing = [name for name in wanted if name not in there]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    problems = some(range(len(unknown)), lambda n: f"{path}: {unknown[n]} is not asked for")
    problems += some(range(len(twice)), lambda n: f"{path}: {twice[n]} is there twice")
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        problems.append(f"{path}: {len(missing)} of {len(wanted)} images are missing: {shown}")
    return problems


def _wrong_image(
    archive: zipfile.ZipFile, name: str, size: tuple[int, int] | None, values: set[int]
) -> str:
    """What is wrong with an image; "": nothing. Sizes are looked at before it is decoded."""
    most = (MAX_PIXELS if size is None else 4 * size[0] * size[1]) + _OVERHEAD
    if archive.getinfo(name).file_size > most:
        return f"found {archive.getinfo(name).file_size} bytes, wanted {most} at most"
    try:
        with Image.open(io.BytesIO(archive.read(name)), formats=("PNG",)) as image:
            if image.mode not in ("L", "P"):
                return f"found an image of mode {image.mode}, wanted one channel of 8 bits"
            if size is not None and image.size != size[::-1]:
                wide, high = image.size
                return f"found {wide} x {high} pixels, its image has {size[1]} x {size[0]}"
            pixels = np.asarray(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        return f"not a readable PNG file: {error}"
    strange = sorted(set(np.unique(pixels).tolist()) - values)
    if strange:
        shown = ", ".join(map(str, strange[:5]))
        return f"pixels of value {shown} are of no class; classes are {_listed(values)}"
    return ""


def _listed(values: set[int]) -> str:
    return ", ".join(map(str, sorted(values)))


def _other(competition: Competition) -> int:
    """The value of pixels that no class has."""
    masks = competition.masks
    return masks.ignored[0] if masks is not None and masks.ignored else IGNORED


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", compress_level=9)
    return buffer.getvalue()
