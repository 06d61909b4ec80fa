"""Features of table columns: standardised, one by one, unknown and missing told apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from foldwise.models.columns import ColumnEncoder, category_values, number_values

_AGES = np.array([31.0, 47.5, np.nan, 80.0, 12.25])
_SITES = np.array(["eye", "hand", "", "eye", "foot"], dtype=object)


def _values(ages: np.ndarray, sites: np.ndarray) -> np.ndarray:
    codes = category_values(sites.tolist(), sites == "")
    return np.stack([number_values(ages), codes], axis=1)


def test_numbers_and_categories_are_as_scikit_learn_has_them() -> None:
    encoder = ColumnEncoder.fit(["number", "category"], _values(_AGES, _SITES))
    found = encoder(torch.from_numpy(_values(_AGES, _SITES))).numpy()
    assert found.shape == (5, encoder.num_features) == (5, 2 + 3 + 1)
    scaled = StandardScaler().fit_transform(_AGES[:, None])[:, 0]
    assert np.allclose(found[:, 0], np.nan_to_num(scaled), atol=1e-6)
    assert found[:, 1].tolist() == [0, 0, 1, 0, 0]
    known = _SITES != ""
    one_hot = OneHotEncoder(sparse_output=False).fit_transform(_SITES[known, None])
    # In the order of their codes rather than of their names.
    assert sorted(map(tuple, found[known, 2:5].T)) == sorted(map(tuple, one_hot.T))
    assert found[:, 5].tolist() == [0, 0, 1, 0, 0]


def test_what_training_has_not_seen_is_unknown() -> None:
    encoder = ColumnEncoder.fit(["number", "category"], _values(_AGES, _SITES))
    new = _values(np.array([47.5]), np.array(["knee"], dtype=object))
    assert encoder(torch.from_numpy(new))[0, 2:].tolist() == [0, 0, 0, 1]


def test_large_numbers_keep_their_digits() -> None:
    moments = 1.7e9 + np.array([0.0, 1.0, 2.0, 3.0])  # In float32 these are all one.
    encoder = ColumnEncoder.fit(["number"], number_values(moments)[:, None])
    found = encoder(torch.from_numpy(number_values(moments)[:, None]))[:, 0].numpy()
    assert np.allclose(found, (np.arange(4) - 1.5) / np.std(np.arange(4)), atol=1e-4)


@pytest.mark.parametrize("values", [[7.1, 7.1, 7.1], [np.nan, np.nan, np.nan]])
def test_a_number_that_never_changes_gives_nothing(values: list[float]) -> None:
    rows = number_values(np.array(values))[:, None]
    encoder = ColumnEncoder.fit(["number"], rows)
    assert torch.allclose(encoder(torch.from_numpy(rows))[:, 0], torch.zeros(3), atol=1e-6)


def test_an_encoder_is_whole_in_its_tensors() -> None:
    values = np.concatenate([_values(_AGES, _SITES), _values(_AGES, _SITES[::-1])], axis=1)
    kinds = ["number", "category"] * 2
    encoder = ColumnEncoder.fit(kinds, values)  # type: ignore[arg-type]
    again = ColumnEncoder(kinds, encoder.state_dict())  # type: ignore[arg-type]
    rows = torch.from_numpy(values)
    assert torch.equal(again(rows), encoder(rows))
    categories = encoder(rows)[:, 4:]
    assert torch.equal(categories.sum(dim=1), torch.full((5,), 2.0))
