from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from foldwise.metrics.ordinal import qwk


@pytest.mark.parametrize("seed", range(10))
def test_qwk_matches_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 5, 100)
    preds = np.clip(target + rng.integers(-1, 2, 100), 0, 4)
    weight = rng.random(100)
    plain = cohen_kappa_score(preds, target, weights="quadratic")
    weighted = cohen_kappa_score(preds, target, weights="quadratic", sample_weight=weight)
    assert qwk(preds, target) == pytest.approx(plain)
    assert qwk(preds, target, weight, num_grades=5) == pytest.approx(weighted)


def test_grades_that_do_not_occur_change_nothing() -> None:
    preds, target = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    assert qwk(preds, target) == pytest.approx(qwk(preds, target, num_grades=9), rel=1e-14)


def test_one_grade_for_all_others_is_chance_and_for_everything_undefined() -> None:
    assert qwk(np.array([1, 1, 1]), np.array([0, 1, 2])) == 0
    assert qwk(np.array([1, 1]), np.array([2, 2])) == 0
    with pytest.raises(ValueError, match="one grade"):
        qwk(np.array([1, 1]), np.array([1, 1]))
    with pytest.raises(ValueError, match="one grade"):
        qwk(np.array([1, 0]), np.array([1, 2]), np.array([1, 0]))


def test_grades_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 3\), found 3"):
        qwk(np.array([0, 3]), np.array([0, 1]), num_grades=3)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, bool])
def test_grades_of_every_whole_type_are_read(kind: type) -> None:
    preds, target = np.array([0, 1, 1, 0, 1]), np.array([0, 1, 0, 0, 1])
    assert qwk(preds.astype(kind), target.astype(kind)) == qwk(preds, target)
