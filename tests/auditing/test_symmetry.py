from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from foldwise.auditing.symmetry import Cost, SymmetryCost, judge, measure_symmetry

FOLDS = np.arange(120) % 5


def glyphs(kinds: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(120, 8, 8) pictures with one bright quarter, and which."""
    rng = np.random.default_rng(seed)
    labels = np.arange(120) // 5 % kinds
    images = rng.normal(0, 0.3, (120, 8, 8))
    for image, label in zip(images, labels, strict=True):
        top, left = divmod(label, 2)
        image[4 * top : 4 * top + 4, 4 * left : 4 * left + 4] += 1
    return images, labels


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def test_mirroring_swaps_left_and_right():
    images, labels = glyphs(2)
    cost = measure_symmetry(
        "hflip", flat(images), flat(images[:, :, ::-1]), np.eye(2)[labels], FOLDS, labels=labels
    )
    assert cost.knows
    assert cost.skill > 0.4
    assert cost.shown.point > 1.5  # Worse than chance: every answer is wrong.
    assert {(swap.true, swap.said) for swap in cost.shown.swaps} == {(0, 1), (1, 0)}
    assert all(swap.share > 0.9 for swap in cost.shown.swaps)
    verdict = judge(cost)
    assert not verdict.is_harmless
    assert verdict.swaps == cost.shown.swaps


def test_mirroring_does_no_harm_where_only_top_and_bottom_count():
    images, _ = glyphs(4)
    labels = np.arange(120) // 5 % 4 // 2
    cost = measure_symmetry(
        "hflip", flat(images), flat(images[:, :, ::-1]), np.eye(2)[labels], FOLDS, labels=labels
    )
    assert judge(cost).is_harmless
    upside_down = measure_symmetry(
        "vflip", flat(images), flat(images[:, ::-1]), np.eye(2)[labels], FOLDS, labels=labels
    )
    assert not judge(upside_down).is_harmless


def test_values_are_measured_by_their_share_of_variance():
    rng = np.random.default_rng(1)
    value = rng.uniform(-1, 1, 120)
    images = rng.normal(0, 0.2, (120, 6, 6)) + value[:, None, None] * np.linspace(-1, 1, 6)
    target = value[:, None]
    harm = measure_symmetry("hflip", flat(images), flat(images[:, :, ::-1]), target, FOLDS)
    assert harm.skill > 0.9
    assert harm.shown.swaps == ()
    assert not judge(harm).is_harmless
    assert judge(
        measure_symmetry("vflip", flat(images), flat(images[:, ::-1]), target, FOLDS)
    ).is_harmless


def test_noise_is_never_called_harmless():
    rng = np.random.default_rng(2)
    images, labels = rng.normal(0, 1, (120, 8, 8)), rng.integers(0, 2, 120)
    cost = measure_symmetry(
        "hflip", flat(images), flat(images[:, :, ::-1]), np.eye(2)[labels], FOLDS, labels=labels
    )
    assert not cost.knows
    assert "too little" in judge(cost).why


def test_no_cost_where_the_change_changes_nothing():
    images, labels = glyphs(4)
    cost = measure_symmetry(
        "none", flat(images), flat(images), np.eye(4)[labels], FOLDS, labels=labels
    )
    assert cost.shown.point == cost.shown.high == 0.0
    # Each row twice with twice the penalty is the same problem.
    assert cost.learned.point == pytest.approx(0.0, abs=1e-9)


def test_skill_is_that_of_scikit_learns_ridge():
    rng = np.random.default_rng(3)
    rows, noise = rng.normal(0, 1, (120, 10)), rng.normal(0, 0.1, 120)
    target = (rows @ np.arange(10) / 10 + noise)[:, None]
    cost = measure_symmetry("x", rows, rows, target, FOLDS)
    errors, chances = [], []
    for fold in range(5):
        held = fold == FOLDS
        # Hardly any noise: the least penalty is chosen, as plain least squares.
        fitted = Ridge(alpha=1e-3).fit(rows[~held], target[~held])
        errors += ((fitted.predict(rows[held]).ravel() - target[held, 0]) ** 2).tolist()
        chances += ((target[~held].mean() - target[held, 0]) ** 2).tolist()
    expected = (np.mean(chances) - np.mean(errors)) / target.var()
    assert cost.skill == pytest.approx(expected, abs=0.01)


def test_copies_of_a_row_add_nothing_where_they_are_one_group():
    images, labels = glyphs(4, seed=4)
    changed = images + 0.8 * images[:, :, ::-1]
    args = [flat(images), flat(changed), np.eye(4)[labels], FOLDS]
    copies = [np.repeat(rows, 3, axis=0) for rows in args]
    labels = np.repeat(labels, 3)
    together = measure_symmetry("x", *copies, labels=labels, groups=np.arange(360) // 3).shown
    as_rows = measure_symmetry("x", *copies, labels=labels).shown
    assert as_rows.high > as_rows.low
    ratio = (together.high - together.low) / (as_rows.high - as_rows.low)
    assert ratio == pytest.approx(np.sqrt(3), rel=0.02)


def _measured(shown: float, learned: float = 0.0, knows: bool = True) -> SymmetryCost:
    costs = [Cost(point, point - 0.02, point + 0.02, ()) for point in (shown, learned)]
    return SymmetryCost("hflip", 0.6, knows, *costs)


def test_a_mirror_blind_network_does_not_outvote_what_stays_in_place():
    blind = _measured(shown=0.0)
    assert judge(_measured(shown=0.02), blind).is_harmless
    assert not judge(_measured(shown=0.5), blind).is_harmless
    assert not judge(_measured(shown=0.02, learned=0.2), blind).is_harmless
    assert not judge(_measured(shown=0.02), _measured(shown=0.08)).is_harmless
    assert not judge(_measured(shown=0.02), _measured(shown=0.0, knows=False)).is_harmless
