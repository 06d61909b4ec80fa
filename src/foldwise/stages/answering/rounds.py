"""The order of work of a pack: after every round there is a complete submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foldwise.decide.decision import Decision
from foldwise.stages.answering.node import Node


@dataclass(frozen=True)
class Round:
    """Units that score the test rows, and what is handed in once they have.

    Attributes:
        units: `run/unit`; none where those of earlier rounds are enough for it.
        seconds: that they take by forecast, on the machine that was planned for.
        node: what the test scores are made of from here on.
        decision: from these scores to answers.
        by_fold: fold → the decision that was fitted without it; empty where all are the same.
        score: cross-fitted, of what `node` and `decision` give; None: it is undefined.
        hand_in_s: seconds that the answers then take by forecast, where that is a while.
    """

    units: tuple[str, ...]
    seconds: float
    node: Node
    decision: Decision
    by_fold: Mapping[int, Decision]
    score: float | None
    hand_in_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "units": list(self.units),
            "seconds": round(self.seconds, 3),
            "node": self.node.to_json(),
            "decision": self.decision.to_json(),
            "by_fold": {str(fold): each.to_json() for fold, each in self.by_fold.items()},
            "score": self.score,
            **({"hand_in_s": round(self.hand_in_s, 3)} if self.hand_in_s else {}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Round:
        """The round that `to_json` wrote."""
        return cls(
            units=tuple(value["units"]),
            seconds=float(value["seconds"]),
            node=Node.from_json(value["node"]),
            decision=Decision.from_json(value["decision"]),
            by_fold={int(fold): Decision.from_json(d) for fold, d in value["by_fold"].items()},
            score=value["score"],
            hand_in_s=float(value.get("hand_in_s", 0.0)),
        )
