"""What the record of a recipe's run says of how it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foldwise.tasks.task import Task


def formulation_and_network(task: Task, record: Mapping[str, Any]) -> tuple[str, str]:
    """Formulation and network of a recipe's run by its record.

    A second-level model has the networks of its sources: what fails for them fails for it.
    """
    recipe = record["recipe"]
    facts = record.get("second_level")
    if facts is None:
        return recipe["formulation"] or task.default_formulation, recipe["model"]["name"]
    networks = dict.fromkeys(source["network"] for source in facts["sources"].values())
    return facts["formulation"], " + ".join(networks)
