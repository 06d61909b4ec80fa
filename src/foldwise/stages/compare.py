"""Says whether one run is better than another, given the noise of samples and of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foldwise.errors import FoldwiseError, RunError
from foldwise.home import Home
from foldwise.stages.comparing.runs import Run, read_run
from foldwise.stages.comparing.showing import tell
from foldwise.stages.comparing.table import Compared, result
from foldwise.stages.display import Display
from foldwise.tasks.problem import Problem, open_problem


def compare(
    home: Home,
    names: Sequence[str],
    *,
    level: float = 0.95,
    problem: Problem | None = None,
    display: Display | None = None,
) -> dict[str, Any]:
    """Compare runs on the rows that all of them have; writes nothing.

    Recipes are compared as trained again with new seeds: by the scores of single seeds. Where one
    of two has no seeds (a blend, a reference, score files), their merged predictions are, and
    the interval covers samples only.

    Args:
        home: the competition.
        names: two or more runs, `run/reference`, blends, or score files as `oof.csv,test.csv`.
        level: of the intervals, and 1 - level the chance of a false verdict.
        problem: if it is already open.
        display: where tables and sentences are shown.

    Returns:
        `metric`, `level`, `folds`, `num_rows`, `covers`; `runs` (see `score_facts`); `seed_noise`
        (`sd` of one-seed scores, `df`, `runs`) or None; `best` and `best_by`, the scores it is
        best by; `against_first` and, of more than two runs, `against_best`: for each challenger
        what `Comparison.to_json` gives, `p_corrected` and the verdict corrected for several
        comparisons, `by_fold`, `rows`, `recipe_difference`, and the `sentences` and `warnings`
        that are shown; `notes`.

    Raises:
        RunError: fewer than two runs, no such run, other folds, no common complete fold, the
            metric is undefined on the common rows, or some answer another question than others;
            all that is wrong with the runs at once.
        DataError: score files are absent or damaged.
    """
    if not 0.5 < level < 1:
        raise RunError(f"level {level} makes no sense", remedy="give one such as 0.95")
    problem = problem or open_problem(home)
    every = _read(problem, names)
    problem = _question(every)
    folds, notes = _common_folds(every)
    runs = [run.among(folds) for run in every]
    found = result(Compared.of(problem, runs, level), notes)
    tell(display or Display(), found)
    return found


def _read(problem: Problem, names: Sequence[str]) -> list[Run]:
    """The runs; all that is wrong with any of them at once."""
    if len(names) < 2:
        raise RunError(
            f"found {len(names)} run{'s' * (len(names) != 1)} to compare, wanted two or more",
            remedy=f"known: {', '.join(problem.home.run_names()) or 'none'}",
        )
    runs: list[Run] = []
    problems: list[str] = []
    for name in names:
        try:
            run = read_run(problem, name)
        except FoldwiseError as error:
            problems.append(str(error))
            continue
        if run.name in {other.name for other in runs}:
            problems.append(f"{name}: is named twice")
        runs.append(run)
    if problems:
        raise RunError(*problems)
    return runs


def _question(runs: Sequence[Run]) -> Problem:
    """What all runs answer."""
    others = [run.name for run in runs if not run.held.problem.is_handed_in]
    if others and len(others) < len(runs):
        raise RunError(
            f"{', '.join(others)}: says which classes are in an image, the others say where they "
            "are: they are not scored alike",
            remedy="compare it with others of target presence",
        )
    return runs[0].held.problem


def _common_folds(runs: Sequence[Run]) -> tuple[list[int], list[str]]:
    """The folds that all runs have whole, and what is not compared for it."""
    present = {run.name: set(run.held.present_folds) for run in runs}
    common = sorted(set.intersection(*present.values()))
    if not common:
        raise RunError(
            "the runs have no complete fold in common",
            *(f"{name}: has folds {_listed(folds) or 'none'}" for name, folds in present.items()),
            remedy="train the same folds of each",
        )
    notes = [
        f"{name}: fold {_listed(folds - set(common))} is not compared, since others lack it"
        for name, folds in present.items()
        if folds - set(common)
    ]
    return common, notes


def _listed(folds: set[int]) -> str:
    return ", ".join(map(str, sorted(folds)))
