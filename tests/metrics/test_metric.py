from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise.errors import ConfigError
from foldwise.metrics import METRICS, bind


def test_unknown_names_and_options_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="accuracy"):
        bind(METRICS, "acuracy")
    with pytest.raises(ConfigError, match="clip"):
        bind(METRICS, {"name": "log_loss", "clipp": 1e-7})


def test_an_attribute_that_is_no_metric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a Metric"):
        bind(METRICS, "math:sqrt", code=tmp_path)


def test_a_bound_option_reaches_the_function() -> None:
    preds, target = np.array([[1.0, 0.0]]), np.array([1])
    loss = bind(METRICS, {"name": "log_loss", "clip": 0.01})(preds, target)
    assert loss == pytest.approx(-np.log(0.01))
