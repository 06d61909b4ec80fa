"""Who names a metric: a flag, the platform, or the text beside the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from foldwise.metrics import METRICS
from foldwise.stages.proposing.note import listed


@dataclass(frozen=True)
class Source:
    """What one says of the metric.

    Attributes:
        who: as in `the text says`.
        metrics: named metrics → the words that named them.
        strange: words for a metric that foldwise does not have by name; "" if there are none.
        is_vague: the words say more than the metric's name, which may change it.
    """

    who: str
    metrics: Mapping[str, str]
    strange: str = ""
    is_vague: bool = False

    def able(self, task: str) -> list[str]:
        """The named metrics that can score a task."""
        return [name for name in self.metrics if can_score(name, task)]

    def doubt(self, task: str) -> str:
        """Why nothing it says can score the task; "" where it says nothing."""
        if self.metrics:
            words = listed(list(dict.fromkeys(self.metrics.values())))
            return f"{self.who} says {words!r}, which cannot score {task}"
        if self.strange:
            return f"{self.who} says {self.strange!r}, which foldwise does not have by name"
        return ""


def can_score(metric: str, task: str) -> bool:
    """Whether a metric fits a task; of one's own metrics nothing is known."""
    return metric not in METRICS or not METRICS[metric].tasks or task in METRICS[metric].tasks
