from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from foldwise.auditing.symmetry import Swap, Verdict
from foldwise.masks.of_samples import Masks
from foldwise.masks.runs import encode
from foldwise.stages.proposing.mask_cells import cell_labels
from foldwise.stages.proposing.symmetries import (
    NUM_IMAGES,
    SYMMETRIES,
    Measured,
    Sample,
    choose_rows,
    measure,
    swapped,
)
from foldwise.views import views_of

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", SYMMETRIES)
def test_symmetries_are_the_views_of_the_same_name(name):
    images = np.random.default_rng(0).integers(0, 255, (2, 5, 5, 3), dtype=np.uint8)
    (view,) = views_of([name])
    viewed = view.images(torch.from_numpy(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    assert (SYMMETRIES[name](images) == viewed.numpy()).all()


def test_rows_are_even_over_classes_and_groups():
    labels = np.array([0] * 3000 + [1] * 30)
    groups = np.array([f"g{row // 10}" for row in range(3030)], dtype=object)
    rows = choose_rows(labels, groups, 3030)
    assert len(rows) == NUM_IMAGES
    assert (labels[rows] == 1).sum() == 30
    counts = np.unique(groups[rows][labels[rows] == 0], return_counts=True)[1]
    assert counts.max() <= 2
    assert (choose_rows(labels, groups, 3030) == rows).all()


def corner_images(num: int, left_only: bool) -> tuple[np.ndarray, np.ndarray]:
    """A bright half: left or right, or top or bottom; and which."""
    rng = np.random.default_rng(0)
    labels = np.arange(num) % 2
    images = rng.integers(0, 60, (num, 24, 24, 3), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        half = slice(12 * label, 12 * label + 12)
        image[(slice(None), half) if left_only else half] += 120
    return images, labels


@pytest.mark.parametrize(("left_only", "harmless"), [(True, "vflip"), (False, "hflip")])
def test_pixels_tell_which_flip_does_harm(left_only, harmless):
    images, labels = corner_images(60, left_only)
    sample = Sample(images, np.eye(2)[labels], labels, None)
    measured = measure(sample, None, Path("unused"))
    assert measured.harmless == (harmless,)
    assert measured.on == "60 images, pixels"


def test_no_symmetry_of_handwritten_digits_is_harmless():
    digits = load_digits()
    rows = choose_rows(digits.target, None, len(digits.target))
    grey = np.kron(digits.images[rows] * 15, np.ones((4, 4))).astype(np.uint8)
    labels = digits.target[rows]
    images = np.repeat(grey[..., None], 3, axis=3)
    measured = measure(Sample(images, np.eye(10)[labels], labels, None), None, Path("unused"))
    assert measured.harmless == ()
    swaps = {(swap.true, swap.said) for swap in measured.verdicts["rot180"].swaps}
    assert {(6, 9), (9, 6)} <= swaps


def test_quarter_turns_need_half_turns():
    fine, bad = Verdict(True, ""), Verdict(False, "")
    assert Measured({"rot180": bad, "rot90": fine}, "").harmless == ()
    assert Measured({"hflip": fine, "rot180": fine, "rot90": fine}, "").harmless == (
        "hflip",
        "rot90",
    )


def places(num: int, *, told_by: str) -> Sample:
    """Squares of red or of green, or grey ones at the left or at the right, on noise, in cells."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (num, 96, 96, 3), dtype=np.uint8)
    masks = np.zeros((num, 2, 96, 96), np.uint8)
    for row in range(num):
        kind, (y, x) = row % 2, rng.integers(0, (6, 3)) * 16
        x += 48 * (kind if told_by == "place" else rng.integers(2))
        channel = slice(None) if told_by == "place" else kind
        images[row, y : y + 16, x : x + 16, channel] += 120
        masks[row, kind, y : y + 16, x : x + 16] = 1
    whole = Sample(images, np.ones((num, 1)), None, None)
    return whole.of_cells(Masks(encode(masks.reshape(-1, 96, 96)), 2))


@pytest.mark.parametrize(
    ("told_by", "harmless"), [("colour", ("hflip", "vflip", "rot90")), ("place", ("vflip",))]
)
def test_places_in_masks_tell_which_flip_does_harm(told_by, harmless):
    sample = places(60, told_by=told_by)
    measured = measure(sample, None, Path("unused"))
    assert measured.harmless == harmless
    assert measured.on.endswith("places of 60 images, pixels")
    swaps = {(s.true, s.said) for s in measured.verdicts["hflip"].swaps}
    assert swaps == (set() if told_by == "colour" else {(0, 1), (1, 0)})


def test_images_without_anything_to_tell_are_looked_at_whole():
    images = np.zeros((4, 96, 96, 3), np.uint8)
    sample = Sample(images, np.eye(2)[[0, 1, 0, 1]], np.array([0, 1, 0, 1]), None)
    nothing = Masks(encode(np.zeros((8, 96, 96), np.uint8)), 2)
    assert sample.of_cells(nothing) is sample
    assert sample.of_cells(Masks(encode(np.ones((8, 3, 3), np.uint8)), 2)) is sample
    some = np.zeros((8, 96, 96), np.uint8)
    some[:4, :16] = 1  # Of two images, which are one group.
    hidden = np.array([0, 0, 1, 1], bool)[:, None, None] * np.ones((4, 96, 96), np.uint8)
    masks = Masks(encode(some), 2, encode(hidden))
    one = replace(sample, groups=np.array(["a", "a", "b", "c"], dtype=object))
    assert one.of_cells(masks) is one
    assert sample.of_cells(masks) is not sample


def test_cells_of_an_image_without_a_group_stay_together():
    sample = places(60, told_by="colour")
    masks = np.zeros((120, 96, 96), np.uint8)
    masks[::2, :16] = 1
    alone = replace(sample, groups=np.full(60, "", dtype=object))
    found = alone.of_cells(Masks(encode(masks), 2))
    pairs = {*zip(found.cells[:, 0].tolist(), found.groups.tolist(), strict=True)}
    assert len(pairs) == len(set(found.groups)) == 60


def test_a_cell_shows_what_takes_most_of_it():
    masks = np.zeros((2, 60, 66), np.uint8)
    masks[0, :10, :5], masks[1, :10, 5:11] = 1, 1  # The first cell: 50 and 60 of 110 pixels.
    masks[0, 20:30, 22:33] = 1
    masks[1, 59, 65] = 1  # One of 110: too little.
    ignored = np.zeros((1, 60, 66), np.uint8)
    ignored[0, 30:41] = 1
    found = cell_labels(Masks(encode(masks), 2, encode(ignored)))[0]
    expected = np.full((6, 6), 2)
    expected[0, 0], expected[2, 2], expected[5, 5], expected[3] = 1, 0, -1, -1
    assert found.tolist() == expected.tolist()


def test_what_shows_no_class_is_named_as_such():
    verdict = Verdict(False, "", (Swap(2, 0, 5, 0.4),))
    assert swapped(verdict, ("a", "b")) == ["nothing → a (40%)"]
