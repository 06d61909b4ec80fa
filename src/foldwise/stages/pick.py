"""Chooses the submissions that count at the end, and says why and what other rules would get."""

from __future__ import annotations

import math
from typing import Any

from foldwise.choosing.futures import Split
from foldwise.choosing.pick import pick as choose
from foldwise.errors import ConfigError, DataError, RulesError, RunError
from foldwise.home import Home
from foldwise.publish import locked, publish_json
from foldwise.stages.display import Display
from foldwise.stages.picking.field import as_candidates, read_field
from foldwise.stages.picking.public_scores import public_scores
from foldwise.stages.picking.result import as_json
from foldwise.stages.picking.telling import tell
from foldwise.tasks.problem import Problem, open_problem

#: Share of the test rows behind the public score, where nobody says.
PUBLIC_SHARE = 0.3
#: Resamples of rows: as many as this, fewer where many scores must be read for each.
RESAMPLES, _FEWEST, _MOST_READ = 1000, 200, 100_000_000


def pick(
    home: Home,
    num: int | None = None,
    *,
    pass_score: float | None = None,
    public_share: float | None = None,
    problem: Problem | None = None,
    display: Display | None = None,
) -> dict[str, Any]:
    """Choose the set of runs whose best private score is expected highest; write `picks.json`.

    Candidates are all evaluated runs and blends and whatever was submitted. Their cross-fitted
    scores and the known public scores say what to expect of each on private; see
    `choosing.futures.simulate` for how. A run that has not been submitted may be picked: the
    result says that it must be.

    Args:
        home: the competition.
        num: how many count; None: as the rules say (`rules.final_picks`).
        pass_score: choose for the chance that the best one reaches this private score.
        public_share: of the test rows, the part that the public score rests on; None: 0.3.
        problem: if it is already open.
        display: where table and reasons are shown.

    Returns:
        What was written: `picks` (names, the most promising first); `reasons`, plain sentences;
        `sets` (see `choosing.pick.Set`): `picked`, `by_public`, `by_cv`; `candidates`, each with
        `cv`, `public`, `private` and its 90 % interval, `chance_first` and `climb`, quantiles of
        the places it gains from public to private; `shift`, `split`, `metric`, `left_out`.

    Raises:
        ConfigError: a number out of its range.
        RulesError: more picks than the rules count.
        RunError: too few candidates, none of them cross-fitted, or the metric is undefined.
        DataError: a wrong public score, or no test rows.
    """
    show = display or Display()
    problem = problem or open_problem(home)
    num = _checked_num(problem, num)
    share = PUBLIC_SHARE if public_share is None else public_share
    _check_scores(problem, share, pass_score)
    field = read_field(problem, public_scores(home), show)
    if len(field.entrants) < num:
        names = ", ".join(entrant.name for entrant in field.entrants)
        raise RunError(
            f"wanted {num} picks, found {len(field.entrants)} to pick from: {names}",
            *field.left_out.values(),
            remedy="train or blend more, or ask for fewer picks",
        )
    candidates = as_candidates(problem, field.entrants)
    num_rows = len(candidates.units)
    split = _split(problem, share, candidates.num_units, num_rows)
    num_read = len(candidates) * num_rows
    try:
        found = choose(
            candidates,
            split,
            num=num,
            pass_score=pass_score,
            num_resamples=min(RESAMPLES, max(_FEWEST, _MOST_READ // num_read)),
        )
    except ValueError as error:
        raise RunError(
            f"the metric is undefined on simulated test sets: {error}",
            remedy="train more folds; a smaller --public-share leaves more private rows",
        ) from None
    result = as_json(problem, field, candidates, found, split, share, pass_score)
    with locked(home.submissions / ".lock", doing="picking", wait_s=600):
        publish_json(home.submissions / "picks.json", result)
    tell(show, result)
    return result


def _checked_num(problem: Problem, num: int | None) -> int:
    allowed = problem.competition.rules.final_picks
    if num is None:
        return allowed
    if num < 1:
        raise ConfigError(f"picks: found {num}, wanted 1 or more")
    if num > allowed:
        raise RulesError(
            f"{problem.home.competition}: rules.final_picks: {allowed} count, found {num} asked",
            remedy=f"ask for up to {allowed}, or mend rules.final_picks",
        )
    return num


def _check_scores(problem: Problem, share: float, pass_score: float | None) -> None:
    if not 0 < share < 1:
        raise ConfigError(
            f"--public-share: found {share:g}, wanted a share between 0 and 1, such as 0.3"
        )
    metric = problem.metric
    if pass_score is None:
        return
    if not math.isfinite(pass_score) or not metric.lowest <= pass_score <= metric.highest:
        raise ConfigError(
            f"--pass: found {pass_score:g}, wanted {metric.label} between "
            f"{metric.lowest:g} and {metric.highest:g}"
        )


def _split(problem: Problem, share: float, num_units: int, num_rows: int) -> Split:
    """The test set in units; its groups are taken to be as large as those of train."""
    num_test = len(problem.test)
    if not num_test:
        raise DataError(
            f"{problem.home.samples}: there are no test rows, so no split of them to simulate",
            remedy="name the test table in competition.yaml: tables.test",
        )
    units = num_test * num_units / num_rows
    return Split(max(1, round(share * units)), max(1, round((1 - share) * units)))
