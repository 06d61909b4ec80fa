from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from foldwise.auditing.symmetry import Verdict
from foldwise.stages.proposing.symmetries import (
    NUM_IMAGES,
    SYMMETRIES,
    Measured,
    Sample,
    choose_rows,
    measure,
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
