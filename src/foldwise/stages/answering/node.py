"""What a run's test scores are made of: units, and blends of runs, as a value and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foldwise.blending import Members, votes
from foldwise.blending.blend import Blend
from foldwise.blending.map_means import MapMean, blend_from_json
from foldwise.decide.decision import Decision
from foldwise.errors import DataError
from foldwise.maps.maps import Maps
from foldwise.predictions import Predictions
from foldwise.stages.scoring.held_out import ordered_columns
from foldwise.tasks.problem import Problem
from foldwise.tasks.task import merge

#: Unit, whether its frozen reference is meant → its test scores; None: it has none yet.
ScoresOf = Callable[[str, bool], Predictions | None]


@dataclass(frozen=True)
class Node:
    """A run: the mean of its units, or a blend of others.

    Attributes:
        name: the run's, such as `b` or `b/reference`.
        units: `run/unit`, in the order of the mean; empty: it is a blend.
        members: of a blend.
        blend: of a blend, what mixes them.
        family: what it has in common with others, as some blends ask.
        decision: its own, by which it votes.
        gate: of a mean of maps, whose word on each image stands beside them; None: nobody's.
    """

    name: str
    units: tuple[str, ...] = ()
    members: tuple[Node, ...] = ()
    blend: Blend | MapMean | None = None
    family: str = ""
    decision: Decision | None = None
    gate: Node | None = None

    @property
    def is_reference(self) -> bool:
        """Whether it is the frozen head of its units."""
        return self.name.endswith("/reference")

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The runs of units below it, or itself."""
        if self.blend is None:
            return (self,)
        below = (*(() if self.gate is None else (self.gate,)), *self.members)
        return tuple(leaf for node in below for leaf in node.leaves)

    @property
    def every_unit(self) -> tuple[str, ...]:
        """All units below it, each once."""
        return tuple(dict.fromkeys(unit for leaf in self.leaves for unit in leaf.units))

    def turns(self, share: float = 1.0) -> list[tuple[str, ...]]:
        """Its units in turns: one of every run below it, then a second one of each, and so on.

        All of a gate's come first: every answer waits for it.

        Args:
            share: of each run's units that are taken, evenly over their order; at least one.
        """
        first = () if self.gate is None else self.gate.every_unit
        members = self.members or (self,)
        kept = [_spread(leaf.units, share) for node in members for leaf in node.leaves]
        longest = max(map(len, kept))
        found = [
            tuple(dict.fromkeys(units[turn] for units in kept if turn < len(units)))
            for turn in range(longest)
        ]
        return [tuple(dict.fromkeys([*first, *found[0]])), *found[1:]]

    def scores(self, problem: Problem, scores_of: ScoresOf, ids: np.ndarray | None = None) -> Any:
        """(N, C) scores of rows, in their order; or their `Maps`, each read when its sample is.

        Units that have no scores yet are left out of the mean.

        Args:
            problem: the competition's.
            scores_of: what its units say of the rows.
            ids: of the rows; None: the test rows.

        Raises:
            DataError: a run of it has no scored unit at all.
        """
        if self.blend is None:
            found = [scores_of(unit, self.is_reference) for unit in self.units]
            there = [each for each in found if each is not None]
            if not there:
                raise DataError(f"{self.name}: none of its units has scored the test rows")
            whole = ordered_columns(merge(there), problem.columns, name=self.name)
            wanted = problem.test.ids if ids is None else ids
            return whole.align(wanted, name=self.name).scores
        parts = [member.scores(problem, scores_of, ids) for member in self.members]
        if isinstance(self.blend, MapMean):
            return self._gated(self.blend.apply(parts), problem, scores_of, ids)
        return self.blend.apply(self._side_by_side(parts, self.blend.takes))

    def _gated(
        self, maps: Maps, problem: Problem, scores_of: ScoresOf, ids: np.ndarray | None
    ) -> Maps:
        if self.gate is None:
            return maps
        return replace(maps, gates=self.gate.scores(problem.presence, scores_of, ids))

    def _side_by_side(self, parts: Sequence[np.ndarray], takes: str) -> Members:
        families = tuple(member.family for member in self.members)
        if takes == "scores":
            return Members(np.stack(parts), families=families)
        decided = [
            (member.decision, part)
            for member, part in zip(self.members, parts, strict=True)
            if member.decision is not None
        ]
        assert len(decided) == len(parts), "members of such a blend are stored with their decisions"
        return Members(
            np.stack([decision.scores(part) for decision, part in decided]),
            np.stack([votes(decision.answers(part), part.shape[1]) for decision, part in decided]),
            families,
        )

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "name": self.name,
            "units": list(self.units),
            "members": [member.to_json() for member in self.members],
            "blend": None if self.blend is None else self.blend.to_json(),
            "family": self.family,
            "decision": None if self.decision is None else self.decision.to_json(),
            "gate": None if self.gate is None else self.gate.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Node:
        """The node that `to_json` wrote."""
        blend, decision, gate = value["blend"], value["decision"], value.get("gate")
        return cls(
            name=value["name"],
            units=tuple(value["units"]),
            members=tuple(map(cls.from_json, value["members"])),
            blend=None if blend is None else blend_from_json(blend),
            family=value["family"],
            decision=None if decision is None else Decision.from_json(decision),
            gate=None if gate is None else cls.from_json(gate),
        )


def _spread(units: Sequence[str], share: float) -> list[str]:
    num = max(1, int(share * len(units) + 1e-9))
    places = np.unique(np.linspace(0, len(units) - 1, num).round().astype(int))
    return [units[place] for place in places]
