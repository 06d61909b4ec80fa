"""Weighted parts: a list of parts that are added up, each with a weight beside its name."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator

from foldwise.config.section import Part, distinct


def _checked(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    if not parts:
        raise ValueError("the list is empty; name a part, or take the key out")
    distinct(tuple(part if isinstance(part, str) else part["name"] for part in parts))
    for part in parts:
        weight = 1.0 if isinstance(part, str) else part.get("weight", 1.0)
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 < weight < math.inf:
            raise ValueError(f"{part['name']}: weight must be a number above 0, found {weight!r}")
    return parts


#: `[cross_entropy, {name: squared_emd, weight: 0.3}]`; a part without a weight has 1.
WeightedParts = Annotated[tuple[Part, ...], AfterValidator(_checked)]


def weighted_parts(parts: Part | tuple[Part, ...]) -> list[tuple[Part, float]]:
    """Each part without its weight, and the weight; of one part alone, that part and 1.

    >>> weighted_parts(("bce", {"name": "focal", "gamma": 1, "weight": 0.5}))
    [('bce', 1.0), ({'name': 'focal', 'gamma': 1}, 0.5)]
    """
    if not isinstance(parts, tuple):
        return [(parts, 1.0)]
    found: list[tuple[Part, float]] = []
    for part in parts:
        if isinstance(part, str):
            found.append((part, 1.0))
        else:
            rest = {key: value for key, value in part.items() if key != "weight"}
            found.append((rest, float(part.get("weight", 1.0))))
    return found
