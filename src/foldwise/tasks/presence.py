"""Which classes are in an image: what a classifier can be asked where masks are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foldwise.config.competition import Competition, Submission
from foldwise.tasks import multilabel
from foldwise.tasks.task import Task

#: What a recipe's `target` says.
PRESENCE = "presence"
#: One label for each class of the masks.
PRESENCE_TASK: Task = multilabel.TASK
#: Ranks images class by class, as a gate does; says nothing of a threshold.
_METRIC = "mean_average_precision"


def target_of(record: Mapping[str, Any]) -> str | None:
    """What a run was to learn, by its `run.json`; a blend says it itself."""
    found: str | None = record.get("target") or record.get("recipe", {}).get("target")
    return found


def asks_presence(competition: Competition) -> Competition:
    """The competition as a classifier is asked: the same rows and classes, and a metric of scores.

    Nothing of it is handed in.
    """
    return competition.model_copy(
        update={
            "task": PRESENCE_TASK.name,
            "metric": _METRIC,
            "more_metrics": (),
            "submission": Submission(gives="scores"),
        }
    )
