"""Maps that say the same everywhere: what is answered where no network has looked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foldwise.masks.of_samples import write_masks
from foldwise.masks.runs import decode
from foldwise.tasks.constant import constant_scores
from foldwise.tasks.problem import Problem, open_problem
from tests.stages.scoring.mask_competition import make_masks
from tests.stages.small_competition import make_problem


def answered(problem: Problem, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """(N, C) share of the pixels of each test sample that is answered."""
    scores = constant_scores(problem, problem.test, rows).scores
    found = problem.default_decision().answers(scores)
    assert np.array_equal(found.sizes, problem.test.frame[["height", "width"]])
    return found.areas / found.sizes.prod(axis=1)[:, None]


def test_masks_of_few_samples_are_empty(tmp_path: Path) -> None:
    assert not answered(make_masks(tmp_path / "home")).any()


def test_a_class_that_fills_most_images_is_everywhere(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home")
    full = [np.ones(mask.shape, bool) if n % 2 else mask for n, mask in enumerate(decoded(problem))]
    rewrite(problem, full)
    assert answered(open_problem(problem.home)).tolist() == [[0, 1]] * len(problem.test)


def test_of_exclusive_classes_the_commonest_is_everywhere(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home", exclusive=True)
    assert answered(problem).tolist() == [[0, 1]] * len(problem.test)
    areas = problem.target.areas
    holes = np.flatnonzero(areas[:, 0] > 0)
    rewrite(
        problem, [1 - mask if n // 2 in holes else mask for n, mask in enumerate(decoded(problem))]
    )
    changed = open_problem(problem.home)
    assert answered(changed, holes).tolist() == [[1, 0]] * len(problem.test)
    assert answered(changed).tolist() == [[0, 1]] * len(problem.test)


def test_numbers_are_the_mean_of_the_rows(tmp_path: Path) -> None:
    problem = make_problem(tmp_path)
    rows = np.array([0, 1, 5])
    found = constant_scores(problem, problem.test, rows).scores
    np.testing.assert_allclose(found, np.tile(problem.one_hot[rows].mean(axis=0), (len(found), 1)))


def decoded(problem: Problem) -> list[np.ndarray]:
    return decode(problem.target.runs)


def rewrite(problem: Problem, masks: list[np.ndarray]) -> None:
    target = problem.target
    from foldwise.masks.runs import encode

    write_masks(problem.home.masks, problem.train.ids, type(target)(encode(masks), 2))
