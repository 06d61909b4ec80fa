from __future__ import annotations

import re

import numpy as np

from foldwise.stages.reporting.diversity_view import diversity_view
from foldwise.stages.reporting.heat_map import heat_map

NAMES = ["a", "b", "c"]
#: a and c err alike, b does not.
TABLE = np.array([[1.0, 0.2, 0.9], [0.2, 1.0, -0.1], [0.9, -0.1, 1.0]])


def _found(**changes: object) -> dict[str, object]:
    return {
        "names": NAMES,
        "correlation": TABLE.tolist(),
        "order": ["b", "a", "c"],
        "clusters": [["b"], ["a", "c"]],
        "num_effective": 1.7,
        "within_formulation": 0.9,
        "across_formulations": 0.05,
        "advice": None,
        **changes,
    }


def test_cells_follow_the_order_of_the_clusters() -> None:
    view = diversity_view(_found(), "mix")
    assert view is not None
    cells = re.findall(r'class="cell">([^<]+)<', view["plot"])
    assert cells == [".20", "\u2212.10", ".20", ".90", "\u2212.10", ".90"]


def test_only_clusters_of_several_members_are_framed_and_told() -> None:
    view = diversity_view(_found(), "mix")
    assert view is not None
    frames = re.findall(r'<rect [^>]*width="(\d+)"[^>]*class="framed"', view["plot"])
    assert frames == ["60"]
    (cluster,) = view["clusters"]
    assert cluster["names"] == ["a", "c"]
    assert round(cluster["mean"], 9) == 0.9
    assert view["num_alone"] == 1


def test_a_single_member_has_no_map() -> None:
    one = _found(names=["a"], correlation=[[1.0]], order=["a"], clusters=[["a"]])
    assert diversity_view(one, "mix") is None


def test_the_higher_the_correlation_the_darker() -> None:
    drawn = heat_map(TABLE, NAMES, [1, 1, 1], about="map")
    cells = re.findall(r'<path d="([^"]+)" class="heat" fill-opacity="([\d.]+)"', drawn)
    opacity = {shape.count("M"): float(value) for shape, value in cells}
    assert len(cells) == 3
    assert [float(value) for _, value in cells] == sorted(float(value) for _, value in cells)
    assert max(opacity.values()) < 0.65  # Words stay readable on the darkest cell.


def test_fifty_members_are_small_and_have_no_numbers() -> None:
    rng = np.random.default_rng(0)
    table = np.corrcoef(rng.normal(size=(50, 200)))
    names = [f"a member with quite a long name {k}" for k in range(50)]
    drawn = heat_map(table, names, [50], about="map")
    assert 'class="cell"' not in drawn
    assert len(drawn) < 80_000
    assert "nan" not in drawn


def test_members_that_are_all_equal_are_drawn() -> None:
    drawn = heat_map(np.ones((2, 2)), ["a", "b"], [2], about="map")
    assert ">1.00<" in drawn
    assert "nan" not in drawn
