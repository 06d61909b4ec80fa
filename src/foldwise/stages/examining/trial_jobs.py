"""Jobs that measure a recipe, each in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

from foldwise import device as machine
from foldwise.cluster.local import Job
from foldwise.home import Home
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.scheduling.lanes import side_by_side


def measuring_job(
    home: Home, case: RecipeCase, function: str, *numbers: int, name: str, limit_s: float
) -> Job:
    """A job with the threads of a unit: `function(home, recipe as JSON, *numbers)`.

    Args:
        home: the competition.
        case: the recipe.
        function: `module:attribute`.
        numbers: what else it is called with.
        name: for messages.
        limit_s: seconds from now on after which it is stopped.
    """
    recipe = json.dumps(case.recipe.model_dump(mode="json"))
    return Job(
        name=name,
        function=function,
        arguments=(str(home.path), recipe, *numbers),
        log=trial_log(home),
        threads=side_by_side(None)[1],
        stop_at=machine.monotonic() + limit_s,
    )


def trial_log(home: Home) -> Path:
    """Where the output of trials goes."""
    return home.path / ".foldwise" / "doctor-log.txt"
