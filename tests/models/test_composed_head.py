"""Heads whose outputs share weights or are asked one after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from foldwise.errors import ConfigError
from foldwise.models.building import build
from foldwise.models.composed_head import solve
from foldwise.models.heads import SharedHead, stored_head
from foldwise.models.linear_head import solve_head


def _data(num: int = 150, dims: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    grades = rng.choice(4, num, p=[0.5, 0.25, 0.15, 0.1])
    features = rng.normal(size=(num, dims)) + grades[:, None] * rng.normal(size=dims)
    return features, grades


def _borders(grades: np.ndarray) -> np.ndarray:
    return (grades[:, None] > np.arange(3)).astype(np.float32)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_shared_weights_equal_scikit_learn_on_a_row_per_border(is_weighted: bool) -> None:
    features, grades = _data()
    weights = np.random.default_rng(1).uniform(0.2, 2.0, 150) if is_weighted else np.ones(150)
    head = solve(features, _borders(grades), "shared", num_outputs=3, sample_weight=weights)
    standard = StandardScaler().fit_transform(features)
    # Biases as features so large that the penalty on their weights is nothing.
    rows = np.concatenate([np.repeat(standard, 3, axis=0), 1e4 * np.tile(np.eye(3), (150, 1))], 1)
    oracle = LogisticRegression(
        C=1.0 / (head.penalty * weights.sum()), fit_intercept=False, tol=1e-9, max_iter=10_000,
        solver="newton-cholesky",
    )  # fmt: skip
    oracle.fit(rows, _borders(grades).ravel(), sample_weight=np.repeat(weights, 3))
    expected = oracle.predict_proba(rows)[:, 1].reshape(-1, 3)
    assert head.weight.shape == (1, 8)
    np.testing.assert_allclose(expit(features @ head.weight.T + head.bias), expected, atol=3e-4)
    assert (np.diff(head.bias) < 0).all()


@pytest.mark.parametrize("missing", [0, 2, 3])
def test_chances_of_shared_weights_fall_also_where_a_grade_has_no_rows(missing: int) -> None:
    features, grades = _data()
    kept = grades != missing
    head = solve(features[kept], _borders(grades[kept]), "shared", num_outputs=3)
    assert np.isfinite(head.bias).all()
    assert (np.diff(head.bias) < 1e-3).all()


def test_each_border_is_solved_on_the_rows_above_the_one_before() -> None:
    features, grades = _data()
    groups, weights = np.arange(150) // 2, np.random.default_rng(1).uniform(0.2, 2.0, 150)
    head = solve(
        features, _borders(grades), "conditional", num_outputs=3, groups=groups,
        sample_weight=weights, seed=3,
    )  # fmt: skip
    for border in range(3):
        asked = grades >= border
        alone = solve_head(
            features[asked], (grades[asked] > border)[:, None], "sigmoid", groups=groups[asked],
            sample_weight=weights[asked], seed=3,
        )  # fmt: skip
        assert np.array_equal(head.weight[border], alone.weight[0])
        assert head.bias[border] == alone.bias[0]
    assert head.note.count("penalty") == 3
    assert "; " in head.note


def test_two_steps_are_solved_on_all_rows_and_on_those_above_the_first_grade() -> None:
    features, grades = _data()
    head = solve(features, grades, "two_step", num_outputs=4)
    logits = features @ head.weight.T + head.bias
    chances = np.column_stack(
        [1 - expit(logits[:, 0]), expit(logits[:, :1]) * softmax(logits[:, 1:], axis=1)]
    )
    above = grades > 0
    # A logistic with a free bias gets the shares right on the rows it was solved on.
    assert np.allclose(expit(logits[:, 0]).mean(), above.mean(), atol=1e-3)
    rest = softmax(logits[above, 1:], axis=1).mean(axis=0)
    assert np.allclose(rest, np.bincount(grades[above] - 1) / above.sum(), atol=1e-3)
    assert (chances.argmax(axis=1) == grades).mean() > 0.7


@pytest.mark.parametrize("solver", ["conditional", "two_step"])
@pytest.mark.parametrize("num_above", [0, 1])
def test_a_question_with_no_row_or_one_is_answered_finitely(solver: str, num_above: int) -> None:
    features, _ = _data(30)
    grades = np.zeros(30, dtype=np.int64)
    grades[:num_above] = 2
    target = _borders(grades) if solver == "conditional" else grades
    head = solve(features, target, solver, num_outputs=3 if solver == "conditional" else 4)
    assert np.isfinite(head.weight).all()
    assert np.isfinite(head.bias).all()
    assert ("left open" in head.note) == (num_above == 0)


def test_a_shared_head_adds_biases_that_fall_to_one_score_and_is_stored() -> None:
    head = SharedHead(5, 3)
    features = torch.randn(7, 5)
    logits = head(features)
    assert logits.shape == (7, 3)
    torch.testing.assert_close(logits - logits[:, :1], (head.bias - head.bias[0]).expand(7, 3))
    assert (head.bias.diff() < 0).all()
    back = stored_head({name: value.detach() for name, value in head.state_dict().items()})
    assert torch.equal(back(features), logits)
    plain = torch.nn.Linear(5, 3)
    assert type(stored_head(plain.state_dict())) is torch.nn.Linear


def test_a_network_without_a_linear_end_cannot_share_weights(tmp_path) -> None:
    (tmp_path / "mine_ending.py").write_text(
        "from torch import nn\n"
        "def network(*, num_outputs, channels):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, num_outputs))\n"
    )
    with pytest.raises(ConfigError, match="cannot share weights"):
        build(
            name="mine_ending:network", num_outputs=3, size=16, code=tmp_path, shares_weights=True
        )
    network = build(name="small_cnn", num_outputs=3, size=16, shares_weights=True)
    assert network(torch.zeros(2, 3, 16, 16, dtype=torch.uint8)).shape == (2, 3)
    assert network.state_dict()["head.weight"].shape[0] == 1
