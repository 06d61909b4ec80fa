from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldwise.stages.reporting.svg import Scale, nice_ticks, padded, tag, tick_text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_are_few_lie_inside_and_rise_evenly(low: float, width: float, most: int) -> None:
    ticks = nice_ticks(low, low + width, most)
    assert len(ticks) <= most
    room = 1e-6 * width + 4 * np.spacing(abs(low) + width)
    assert all(low - room <= tick <= low + width + room for tick in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[:1], rtol=1e-3, atol=1e-9)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=5))
def test_padded_range_is_never_empty_and_holds_every_finite_value(values: list[float]) -> None:
    finite = [value for value in values if abs(value) < 1e100]
    low, high = padded(finite)
    assert low < high
    assert all(low <= value <= high for value in finite)


def test_tick_labels_tell_ticks_apart() -> None:
    for low, high in ((0.0, 1.0), (0.7123, 0.7161), (-3.0, 40.0), (0.0, 2e6), (0.0, 3e-7)):
        ticks = nice_ticks(low, high)
        labels = [tick_text(tick, ticks) for tick in ticks]
        assert len(set(labels)) == len(labels), labels


def test_scale_keeps_values_outside_on_its_edge() -> None:
    scale = Scale(0.0, 2.0, 10.0, 0.0)
    assert [scale(value) for value in (-1.0, 0.0, 1.0, 5.0)] == [10.0, 10.0, 5.0, 0.0]


@pytest.mark.parametrize("hostile", ["<b>", '"', "'", "&amp;", "</text><script>"])
def test_text_and_attributes_are_escaped(hostile: str) -> None:
    root = ElementTree.fromstring(tag("text", hostile, aria_label=hostile))
    assert (root.text, root.attrib, len(root)) == (hostile, {"aria-label": hostile}, 0)
