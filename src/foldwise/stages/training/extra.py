"""The extra rows of a unit: external and pseudo-labelled ones, without kin of what it holds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foldwise.config.extra import PseudoConfig
from foldwise.errors import RunError
from foldwise.external import external_set
from foldwise.stages.split import inner_rows
from foldwise.stages.training.kin import Kin, find_kin
from foldwise.stages.training.teachers import taught_decision, taught_scores
from foldwise.tasks.asked import read_target
from foldwise.tasks.extra_rows import ExtraRows, joined_rows
from foldwise.tasks.problem import Problem
from foldwise.tasks.timelines import test_timeline

if TYPE_CHECKING:
    from foldwise.stages.training.unit import Unit


@dataclass(frozen=True)
class Taken:
    """Extra rows of one kind, and what was left out.

    Attributes:
        name: of the external data, or `pseudo`.
        rows: that are trained on.
        dropped: reason → rows left out.
    """

    name: str
    rows: ExtraRows
    dropped: dict[str, int]

    def facts(self) -> dict[str, Any]:
        """For the unit's record."""
        weight = float(self.rows.weight[0])
        return {"rows": len(self.rows), "weight": weight, "dropped": self.dropped}


def taken_rows(unit: Unit) -> tuple[Taken, ...]:
    """All extra rows of a unit by kind, in the order of the recipe.

    Rows are left out that are exact or near duplicates of held-out rows or in a group with them;
    held out are all train rows that the unit does not learn from. External rows are left out that
    are duplicates of test rows, too.

    Raises:
        RunError: nothing is left of a kind, or a teacher is not ready.
        DataError: labels or score files are wrong.
    """
    recipe = unit.recipe
    kin, held = find_kin(unit.problem), _held(unit)
    found = [_external(unit.problem, kin, held, *use) for use in recipe.external_weights.items()]
    if recipe.pseudo is not None:
        found.append(_pseudo(unit, recipe.pseudo, kin, held))
    return tuple(found)


def joined(problem: Problem, taken: Sequence[Taken]) -> ExtraRows:
    """All extra rows of a unit."""
    return joined_rows(problem, [each.rows for each in taken])


def _held(unit: Unit) -> np.ndarray:
    """Positions of the train rows that are not learned from, be it to choose an epoch by."""
    rows = unit.train_rows
    if unit.recipe.train.stop == "inner":
        rows = rows[~inner_rows(unit.problem, rows, unit.seed)]
    return np.setdiff1d(np.arange(len(unit.problem.train)), rows)


def _external(problem: Problem, kin: Kin, held: np.ndarray, name: str, weight: float) -> Taken:
    assert problem.external is not None, "the recipe was checked"
    num_train, num_test = len(problem.train), len(problem.test)
    rows = external_set(problem.external, name)
    places = rows + num_train + num_test
    is_test_copy, _ = kin.of(places, num_train + np.arange(num_test))
    is_copy, is_related = kin.of(places, held)
    kept, dropped = _sifted(
        {
            "copies of test rows": is_test_copy,
            "copies of held-out rows": is_copy,
            "in a group with held-out rows": is_related,
        }
    )
    if not kept.any():
        raise RunError(
            f"external {name}: none of its {len(rows)} rows is left: {_listed(dropped)}",
            remedy="take it out of the recipe: it is the competition's own data again",
        )
    samples = problem.external.take(rows)
    target = read_target(problem.competition, problem.task, samples)[kept]
    return Taken(
        name,
        ExtraRows(
            samples.take(kept), places[kept], target, None, np.full(len(target), float(weight))
        ),
        dropped,
    )


def _pseudo(unit: Unit, config: PseudoConfig, kin: Kin, held: np.ndarray) -> Taken:
    problem = unit.problem
    places = len(problem.train) + np.arange(len(problem.test))
    is_copy, is_related = kin.of(places, held)
    reasons = {"copies of held-out rows": is_copy, "in a group with held-out rows": is_related}
    kept, dropped = _sifted(reasons)
    if not kept.any():
        raise RunError(
            f"{unit.name}: none of the {len(kept)} test rows can be trained on: "
            f"{_listed(dropped)}, so their labels would tell of rows it is scored on",
            remedy="take pseudo out of the recipe",
        )
    scores = taught_scores(unit)
    if config.asks_how_sure:
        assert problem.task.certainty is not None, "the recipe was checked"
        certainty = problem.task.certainty(scores)
        is_sure = _is_sure(certainty, kept, config)
        if not is_sure.any():
            raise RunError(
                f"{unit.name}: no test row reaches pseudo.confidence {config.confidence}: the "
                f"surest has {certainty[kept].max():.3f}",
                remedy="lower it, or use share to keep the surest rows",
            )
        dropped["not sure enough"] = int((kept & ~is_sure).sum())
        kept &= is_sure
    rows = ExtraRows(
        problem.test.take(kept),
        places[kept],
        taught_decision(unit).answers(scores, test_timeline(problem, problem.test.ids))[kept],
        scores[kept] if config.labels == "soft" else None,
        np.full(int(kept.sum()), float(config.weight)),
    )
    return Taken("pseudo", rows, dropped)


def _is_sure(certainty: np.ndarray, among: np.ndarray, config: PseudoConfig) -> np.ndarray:
    """(M,) bool: the surest share of some rows, as far as they reach the limit."""
    rows = np.flatnonzero(among)
    num = int(np.ceil(config.share * len(rows)))
    surest = rows[np.argsort(-certainty[rows], kind="stable")[:num]]
    found = np.zeros(len(among), dtype=bool)
    found[surest] = True
    return found if config.confidence is None else found & (certainty >= config.confidence)


def _sifted(reasons: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, int]]:
    """(n,) bool, rows that no reason speaks against; and how many each left out, the first wins."""
    kept = np.ones(len(next(iter(reasons.values()))), dtype=bool)
    dropped = {}
    for reason, speaks_against in reasons.items():
        dropped[reason] = int((kept & speaks_against).sum())
        kept &= ~speaks_against
    return kept, dropped


def _listed(dropped: dict[str, int]) -> str:
    return ", ".join(f"{num} {reason}" for reason, num in dropped.items() if num)
