"""A second-level model on disk: columns and scaling of the training rows, the same bits again."""

import numpy as np
import pytest

from foldwise.errors import DataError
from foldwise.models.columns import ColumnEncoder, category_values, number_values
from foldwise.models.second_level import HEADS
from foldwise.models.second_level.model import (
    SecondLevel,
    beside,
    read,
    scaled,
    scaling,
    write,
)

from .cases import train_rows


def test_a_constant_column_is_0_also_in_new_rows_and_a_rare_one_is_never_far_off():
    rows = np.array([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]])
    found = scaled(rows, *scaling(rows))
    np.testing.assert_array_equal(found[:, 0], 0.0)
    new = scaled(np.array([[9.0, 1e6], [0.1, -1e6]]), *scaling(rows))
    np.testing.assert_array_equal(new, [[0.0, 5.0], [0.0, -5.0]])
    np.testing.assert_allclose(found[:, 1], [-1.2247449, 0.0, 1.2247449], rtol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_a_model_read_again_gives_the_same_bits_for_any_number_of_rows(name, tmp_path):
    train = train_rows(HEADS[name].kinds[0])
    sites = category_values(["a", "b"] * 30, np.arange(60) == 7)
    values = np.stack([sites, number_values(np.arange(60) / 7)], axis=1)
    columns = ColumnEncoder.fit(["category", "number"], values)
    rows = beside(train.rows.astype(np.float32), columns, values)
    assert rows.shape[1] == train.rows.shape[1] + columns.num_features
    mean, scale = scaling(rows)
    fit_on = type(train)(scaled(rows, mean, scale), train.target, train.kind, 3)
    model = SecondLevel(name, HEADS[name].fit(fit_on), columns, mean, scale)
    write(tmp_path / "model.safetensors", model)
    again = read(tmp_path / "model.safetensors")
    features = train.rows.astype(np.float32)
    found = again.outputs(features, values)
    np.testing.assert_array_equal(found, model.outputs(features, values))
    few = again.outputs(features[7:9], values[7:9])
    np.testing.assert_array_equal(found[7:9], few)
    assert again.outputs(features[:0], values[:0]).shape == (0, 3)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(DataError, match=r"model\.safetensors: damaged"):
        read(tmp_path / "model.safetensors")
