"""Which members of a blend err alike: the heat map, clusters and advice in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from foldwise.stages.reporting.heat_map import heat_map


def diversity_view(found: Mapping[str, Any] | None, label: str) -> dict[str, Any] | None:
    """What the page says of the members' errors; None for fewer than two members.

    Args:
        found: the record's `diversity` (see `blending.diversity.Diversity.to_json`).
        label: the blend's.
    """
    if found is None or len(found["names"]) < 2:
        return None
    place = {name: k for k, name in enumerate(found["names"])}
    # Clusters are listed in the order of the map, so each is a block on its diagonal.
    order = [place[name] for name in found["order"]]
    correlation = np.asarray(found["correlation"])
    clusters = [
        {"names": part, "mean": _mean(correlation[np.ix_(at, at)])}
        for part in found["clusters"]
        for at in [[place[name] for name in part]]
        if len(part) > 1
    ]
    return {
        "plot": heat_map(
            correlation[np.ix_(order, order)],
            found["order"],
            [len(part) for part in found["clusters"]],
            about=f"correlation of errors between the {len(order)} members of {label}",
        ),
        "num": len(order),
        "num_effective": found["num_effective"],
        "mean": _mean(correlation),
        "clusters": clusters,
        "num_alone": sum(len(part) == 1 for part in found["clusters"]),
        "within": found["within_formulation"],
        "across": found["across_formulations"],
        "advice": found["advice"],
    }


def _mean(correlation: np.ndarray) -> float:
    """The mean over pairs."""
    num = len(correlation)
    return float((correlation.sum() - np.trace(correlation)) / (num * (num - 1)))
