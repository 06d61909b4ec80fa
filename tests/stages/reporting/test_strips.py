from __future__ import annotations

import re

from foldwise.stages.reporting.strips import (
    common_scale,
    interval_strip,
    marks_strip,
    quantile_strip,
    weight_strip,
)


def test_points_beyond_the_scale_become_arrows() -> None:
    scale = common_scale([0.9, 0.95])
    inside = interval_strip(scale, 0.92, (0.91, 0.94), about="inside")
    beyond = interval_strip(scale, 0.04, None, about="beyond")
    assert "<circle" in inside
    assert "<circle" not in beyond
    assert "<path" in beyond


def test_shares_of_nothing_are_drawn_at_the_start() -> None:
    assert 'cx="3.00%"' in marks_strip([(0.0, "a")], 0.0)


def test_only_what_is_not_cross_fitted_is_hollow() -> None:
    scale = common_scale([0.5, 0.9])
    solid = interval_strip(scale, 0.6, None, about="solid")
    both = interval_strip(scale, 0.6, None, naive=0.8, about="both")
    hollow = interval_strip(scale, 0.6, None, is_hollow=True, about="hollow")
    assert [drawn.count("hollow") for drawn in (solid, both)] == [0, 1]
    assert 'class="point a hollow"' in hollow


def test_looks_differ_by_shape_not_by_colour_alone() -> None:
    scale = common_scale([0.0, 1.0])
    drawn = [interval_strip(scale, 0.5, None, look=look, about="x") for look in "abc"]
    shapes = [re.sub(r'class="[^"]*"', "", each) for each in drawn]
    assert len(set(shapes)) == 3


def test_negative_weights_grow_to_the_left_of_zero() -> None:
    drawn = [weight_strip(value, [-1.0, 1.0]) for value in (-1.0, 1.0)]
    bars = [re.search(r'x="([\d.]+)%" [^>]*width="([\d.]+)%"[^>]*bar', each) for each in drawn]
    assert [(bar[1], bar[2]) for bar in bars if bar] == [("0.0", "50.0"), ("50.0", "50.0")]


def test_weights_of_zero_are_drawn_at_the_start() -> None:
    assert 'width="0.0%"' in weight_strip(0.0, [0.0])


def test_quantiles_lie_in_order() -> None:
    drawn = quantile_strip(common_scale([-3, 3]), [-2, -1, 0, 1, 2], look="a", about="climbs")
    places = [float(x) for x in re.findall(r'x[12]="([\d.]+)%"', drawn)]
    zero, outer, inner = places[:2], places[2:4], places[4:]
    assert outer[0] < inner[0] < zero[0] < inner[1] < outer[1]
