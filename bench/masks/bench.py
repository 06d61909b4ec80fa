"""Run-length masks against the usual numpy snippet and pycocotools.

200 images of 256 x 1600 with 4 classes, about half of the masks empty. Coding: pixels in rows to
text, as a submission has it; pycocotools gets the order of pixels that it wants, and gives its own
strings. Decoding: text to pixels, into fresh memory, and into a canvas that is used again; of the
fresh memory most time is the system's, which clears it page by page. Dice and IoU: of 800 pairs of
masks that are already runs on both sides.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import numpy as np
from defects import HEIGHT, WIDTH, draw_masks, predict
from pycocotools import mask as coco

from foldwise.masks import compiling
from foldwise.masks.canvas import Canvas
from foldwise.masks.coco import write_compressed
from foldwise.masks.overlap import dice, iou
from foldwise.masks.runs import decode, encode
from foldwise.masks.text import read_cells, write_cells

IMAGES, CLASSES = 200, 4
NUM = IMAGES * CLASSES
THEIRS = ["encode, pycocotools"]
#: pycocotools counts the objects of one call of `area` in a byte.
AT_ONCE = 200

Case = Callable[[], Any]


def snippet_encode(mask: np.ndarray) -> str:
    pixels = mask.T.flatten()
    pixels = np.concatenate([[0], pixels, [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(x) for x in runs)


def snippet_decode(text: str) -> np.ndarray:
    words = text.split()
    starts, lengths = (np.asarray(x, dtype=int) for x in (words[0::2], words[1::2]))
    starts -= 1
    image = np.zeros(HEIGHT * WIDTH, dtype=np.uint8)
    for low, high in zip(starts, starts + lengths, strict=True):
        image[low:high] = 1
    return image.reshape(WIDTH, HEIGHT).T


def coco_areas(coded: list[Any]) -> np.ndarray:
    parts = [coco.area(coded[at : at + AT_ONCE]) for at in range(0, len(coded), AT_ONCE)]
    return np.concatenate(parts).astype(float)


def coco_merged(first: list[Any], second: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Overlaps and sums of areas."""
    both = [coco.merge([a, b], intersect=True) for a, b in zip(first, second, strict=True)]
    return coco_areas(both), coco_areas(first) + coco_areas(second)


def coco_dice(first: list[Any], second: list[Any]) -> np.ndarray:
    both, total = coco_merged(first, second)
    return np.where(total > 0, 2 * both / np.maximum(total, 1), 1)


def coco_iou_merged(first: list[Any], second: list[Any]) -> np.ndarray:
    both, total = coco_merged(first, second)
    return np.where(total > 0, both / np.maximum(total - both, 1), 1)


def coco_iou_by_pair(first: list[Any], second: list[Any]) -> np.ndarray:
    return np.array([coco.iou([a], [b], [0])[0, 0] for a, b in zip(first, second, strict=True)])


def coco_iou_by_image(first: list[Any], second: list[Any]) -> np.ndarray:
    crowd = [0] * CLASSES
    tops = range(0, len(first), CLASSES)
    found = [coco.iou(first[at : at + CLASSES], second[at : at + CLASSES], crowd) for at in tops]
    return np.concatenate([np.diagonal(each) for each in found])


def write_masks(folder: Path) -> None:
    """Draw truths and answers, and keep their texts, from which each process makes its own."""
    truths = draw_masks(NUM, seed=0)
    for name, masks in (("truths", truths), ("answers", predict(truths, seed=1))):
        (folder / name).write_text("\n".join(snippet_encode(mask) for mask in masks))


def read_masks(folder: Path, name: str) -> np.ndarray:
    """(800, 256, 1600) uint8."""
    cells = (folder / name).read_text().split("\n")
    return np.ascontiguousarray([snippet_decode(cell) for cell in cells])


def make_cases(folder: Path) -> dict[str, Case]:
    """Name → work that gives texts, masks or values."""
    masks, answers = (read_masks(folder, name) for name in ("truths", "answers"))
    in_columns = [np.asfortranarray(mask) for mask in masks]
    truths, found = encode(masks), encode(answers)
    cells, sizes = write_cells(truths), (truths.heights, truths.widths)
    coded = [coco.encode(mask) for mask in in_columns]
    answered = [coco.encode(np.asfortranarray(mask)) for mask in answers]
    canvas = Canvas()
    return {
        "encode, snippet": lambda: [snippet_encode(mask) for mask in masks],
        "encode, pycocotools": lambda: [coco.encode(mask) for mask in in_columns],
        "encode, foldwise, text": lambda: write_cells(encode(masks)),
        "encode, foldwise, COCO's strings": lambda: write_compressed(encode(masks)),
        "encode, foldwise, by columns": lambda: write_compressed(encode(in_columns)),
        "decode, snippet": lambda: [snippet_decode(cell) for cell in cells],
        "decode, foldwise": lambda: decode(read_cells(cells, *sizes)),
        "decode, foldwise, canvas": lambda: canvas.decode(read_cells(cells, *sizes)),
        "dice, pycocotools merge": lambda: coco_dice(coded, answered),
        "dice, foldwise": lambda: dice(truths, found),
        "iou, pycocotools merge": lambda: coco_iou_merged(coded, answered),
        "iou, pycocotools by pair": lambda: coco_iou_by_pair(coded, answered),
        "iou, pycocotools by image": lambda: coco_iou_by_image(coded, answered),
        "iou, foldwise": lambda: iou(truths, found),
    }


def tell_start(verdict: measure.Verdict) -> None:
    """Print what numba costs a process, with nothing compiled yet and with all of it kept."""
    code = "import time; start = time.process_time(); from foldwise.masks import compiling; "
    code += "assert compiling.load(); print(time.process_time() - start)"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        first, later = (
            float(subprocess.check_output([sys.executable, "-c", code], env=environment))
            for _ in range(2)
        )
    print(f"kernels: compiled in {first:.1f} CPU s, later loaded in {later:.1f}; in no case's time")
    verdict.demand(compiling.load(), "kernels are compiled")


def describe(folder: Path) -> None:
    runs = encode(read_masks(folder, "truths"))
    counts = runs.counts[runs.counts > 0]
    print(
        f"{len(counts)} of {NUM} masks are not empty; they hold {counts.min()} to "
        f"{counts.max()} runs, {np.median(counts):.0f} in the middle, and "
        f"{runs.areas.sum() / len(counts) / HEIGHT / WIDTH:.1%} of their pixels"
    )


def compare(verdict: measure.Verdict, given: dict[str, Any]) -> None:
    texts = given["encode, snippet"]
    verdict.demand(given["encode, foldwise, text"] == texts, "cells as the snippet's")
    strings = [each["counts"].decode() for each in given["encode, pycocotools"]]
    for ours in ("encode, foldwise, COCO's strings", "encode, foldwise, by columns"):
        verdict.demand(given[ours] == strings, f"pycocotools' strings, {ours}")
    for ours in ("decode, foldwise", "decode, foldwise, canvas"):
        pairs = zip(given["decode, snippet"], given[ours], strict=True)
        verdict.demand(all(np.array_equal(a, b) for a, b in pairs), f"pixels, {ours}")
    theirs = given["dice, pycocotools merge"]
    verdict.demand(np.array_equal(theirs, given["dice, foldwise"]), "Dice of every pair")
    is_there = theirs < 1  # pycocotools' IoU of two empty masks is 0.
    for way in ("merge", "by pair", "by image"):
        theirs, ours = given[f"iou, pycocotools {way}"], given["iou, foldwise"]
        is_same = np.array_equal(theirs[is_there], ours[is_there])
        verdict.demand(is_same, f"IoU of every pair, pycocotools {way}")


def run_case(name: str, folder: Path) -> int:
    compiling.load()
    case = make_cases(folder)[name]
    measure.ready()
    until = time.monotonic() + 1  # Long enough for its peak to be seen.
    while time.monotonic() < until:
        case()
    return 0


def judge(verdict: measure.Verdict, times: dict[str, measure.Times]) -> None:
    """Hold the ratios against their targets."""
    overlap = [name for name in times if "pycocotools" in name and not name.startswith("encode")]
    for what, peers, ours, least in (
        ("text against the snippet", ["encode, snippet"], "encode, foldwise, text", 10.0),
        ("COCO's strings against pycocotools", THEIRS, "encode, foldwise, COCO's strings", 3.0),
        ("the same by columns", THEIRS, "encode, foldwise, by columns", 3.0),
        (
            "decoding to a canvas against the snippet",
            ["decode, snippet"],
            "decode, foldwise, canvas",
            20.0,
        ),
        ("Dice against pycocotools' best way", overlap, "dice, foldwise", 10.0),
        ("IoU against pycocotools' best way", overlap, "iou, foldwise", 10.0),
    ):
        faster = measure.ratio([times[peer].cpu for peer in peers], [times[ours].cpu])
        verdict.targets.append(measure.Target(f"{what}, CPU seconds", faster, least))
    fresh = measure.ratio([times["decode, snippet"].cpu], [times["decode, foldwise"].cpu])
    print(f"decoding to fresh memory against the snippet: {fresh:.2f}x, not judged")


def main() -> int:
    if sys.argv[1:2] == ["--case"]:
        return run_case(sys.argv[2], Path(sys.argv[3]))
    measure.describe_machine()
    print((__doc__ or "").strip())
    print("Judged are CPU seconds.")
    verdict = measure.Verdict()
    tell_start(verdict)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_masks(folder)
        describe(folder)
        cases = make_cases(folder)
        times, given = measure.interleaved(cases)
        compare(verdict, given)
        names = list(cases)
        del given, cases
        memory = {case: measure.peak_memory(__file__, case, folder) for case in names}
    measure.print_table(times, NUM, memory, unit="masks")
    judge(verdict, times)
    return verdict.exit_code()


if __name__ == "__main__":
    sys.exit(main())
