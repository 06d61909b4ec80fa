"""Whether `submission.over_time` can be honoured: told by file and line, before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from foldwise.config.loading import origins
from foldwise.config.reading import shown
from foldwise.errors import FoldwiseError
from foldwise.metrics.bootstrap import FEWEST
from foldwise.stages.examining.cases import Ground
from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.stages.recipes import Places
from foldwise.stages.scoring.over_time import asked_steps
from foldwise.tasks.problem import Problem
from foldwise.tasks.timelines import test_timeline, train_timeline

_KEY = "submission.over_time"


def check_over_time(problem: Problem) -> None:
    """Check the steps over time, and that every row has its place in time.

    Raises:
        ConfigError: they cannot be honoured.
    """
    try:
        _try(problem)
    except FoldwiseError as found:
        file = problem.home.competition
        raise Places(shown(file), origins(file)).error(_KEY, found) from None


def over_time(ground: Ground) -> Iterator[Fault]:
    """Steps over time do not suit the task, or nothing says how rows stand in time."""
    if ground.train is None:
        return
    try:
        _try(Problem(ground.home, ground.competition, ground.task, ground.train))
    except FoldwiseError as found:
        yield error(_KEY, "; ".join(found.problems), found.remedy)


def unproved_over_time(ground: Ground) -> Iterator[Fault]:
    """Groups are too few for an interval, so that steps over time could never win."""
    submission, groups = ground.competition.submission, ground.groups
    if submission.over_time is None or submission.decision != "auto" or groups is None:
        return
    num = len(set(groups.tolist()))
    if num < FEWEST:
        yield warning(
            _KEY,
            f"{num} groups are fewer than {FEWEST}, too few for the interval of a gain, so with "
            "decision: auto the steps are never used",
            "write decision: fitted to use them nevertheless, or cut long sequences into pieces "
            "of their own group",
        )


def _try(problem: Problem) -> None:
    if asked_steps(problem) is not None:
        train_timeline(problem)
        test_timeline(problem, problem.test.ids)


RULES: dict[str, Callable[[Ground], Iterator[Fault]]] = {
    "over-time": over_time,
    "unproved-over-time": unproved_over_time,
}
