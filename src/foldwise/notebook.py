"""The score room from Python: load, blend, compare and pick runs or data frames of scores."""

from __future__ import annotations

import contextlib
import html
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from foldwise import predictions as predictions_file
from foldwise.errors import DataError, RunError
from foldwise.home import Home, find_home
from foldwise.json_files import read_json
from foldwise.parts import Spec
from foldwise.rundir import RunDir
from foldwise.stages.blend import blend as blend_stage
from foldwise.stages.compare import compare as compare_stage
from foldwise.stages.display import Display
from foldwise.stages.evaluate import evaluate
from foldwise.stages.joining.outside_scores import is_outside
from foldwise.stages.joining.room import Truth, make_room, put_run
from foldwise.stages.joining.score_frames import frame_of
from foldwise.stages.ledger import ledger_add
from foldwise.stages.pick import pick as pick_stage
from foldwise.tasks.problem import Problem, open_problem

__all__ = ["Blended", "Run", "Told", "Truth", "blend", "compare", "load_run", "pick"]

#: Out-of-fold scores, or a pair of out-of-fold and test scores.
Scores = pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]
#: Run folders of one competition, or score tables by name.
Runs = Sequence[str | Path] | Mapping[str, Scores]

_SILENT = Display(Console(quiet=True), quiet=True)


@dataclass(frozen=True)
class Run:
    """A run folder as tables.

    Attributes:
        name: such as `b` or `blend`.
        oof: `id`, a column per score on the common scale, and `fold`.
        test: the same for the rows to be answered, without `fold`.
        record: its `run.json`: what it was made from.
        scores: its `scores.json`; None: not evaluated yet.
    """

    name: str
    oof: pd.DataFrame
    test: pd.DataFrame
    record: dict[str, Any]
    scores: dict[str, Any] | None


@dataclass(frozen=True)
class Told:
    """What a verb found, shown as the command line shows it.

    Attributes:
        facts: all numbers, as JSON takes them.
        text: the table and sentences.
    """

    facts: dict[str, Any]
    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"


@dataclass(frozen=True)
class Blended(Told):
    """A blend, and what it is honestly worth.

    Attributes:
        weights: member → weight.
        oof: cross-fitted scores: `id`, a column per score, and `fold`.
        test: scores of the rows to be answered, by the blend fitted to all rows.
    """

    weights: dict[str, float]
    oof: pd.DataFrame
    test: pd.DataFrame


def load_run(path: str | Path) -> Run:
    """Read a run folder.

    Args:
        path: of the run, such as `my-comp/runs/b`.

    Raises:
        RunError: there is no run.
        DataError: its score files are absent or damaged.
    """
    run = RunDir(Path(path))
    record = run.read_record()
    return Run(
        name=run.name,
        oof=frame_of(predictions_file.read(run.oof)),
        test=frame_of(predictions_file.read(run.test)),
        record=record,
        scores=read_json(run.scores),
    )


def blend(
    runs: Runs,
    truth: Truth | None = None,
    *,
    method: Spec = "mean",
    refit: int = 0,
    gate: str | None = None,
    name: str = "blend",
    folder: str | Path | None = None,
) -> Blended:
    """Blend runs; the same as `foldwise blend`.

    Args:
        runs: folders of runs in one competition, into which the blend is written; or name →
            table of out-of-fold scores, or a pair of that and the table of test scores. Columns:
            the id, one per score (probabilities, grades counted from 0, or values), and `fold`:
            without it nobody says that rows were held out, and the blend is marked optimistic.
        truth: what is true of the rows; for tables.
        method: a way to blend, or a mapping with `name` and options.
        refit: resamples on which it is fitted again, so that intervals cover fitting; 0: none.
        gate: of masks: name of a run of target presence.
        name: of the blend.
        folder: for tables: a new folder to keep the competition made of them in, so that later
            calls can name its runs by their folders; None: nowhere.

    Raises:
        RunError, DataError: members that cannot be blended, all reasons at once.
        ConfigError: unknown method, task or metric.

    >>> import numpy as np
    >>> target = np.arange(60) % 3
    >>> frame = pd.DataFrame({"id": np.arange(60), "grade": target, "fold": np.arange(60) % 4})
    >>> truth = Truth(frame, target="grade", metric="qwk", task="ordinal")
    >>> held_out = frame[["id", "fold"]]
    >>> up, down = (held_out.assign(grade=np.clip(target + e, 0, 2)) for e in (0.6, -0.6))
    >>> found = blend({"up": up, "down": down}, truth)
    >>> found.weights, found.facts["gain"]["verdict"]
    ({'up': 0.5, 'down': 0.5}, 'gain')
    """
    with _opened(runs, truth, folder) as (problem, names):
        display, out = _recorder()
        facts = blend_stage(
            problem.home,
            name,
            method=method,
            members=names,
            refit=refit,
            gate=gate,
            problem=problem,
            display=display,
        )
        made = load_run(problem.home.run(name).path)
        weights = {member["name"]: member["weight"] for member in facts["members"]}
        return Blended(facts, out.getvalue(), weights, made.oof, made.test)


def compare(
    runs: Runs,
    truth: Truth | None = None,
    *,
    level: float = 0.95,
    folder: str | Path | None = None,
) -> Told:
    """Whether one run is better than another, given noise; the same as `foldwise compare`.

    Args:
        runs: at least two, as for `blend`.
        truth: what is true of the rows; for tables.
        level: of the intervals, and 1 - level the chance of a false verdict.
        folder: as for `blend`.

    Raises:
        RunError, DataError: runs that cannot be compared.
    """
    with _opened(runs, truth, folder) as (problem, names):
        display, out = _recorder()
        facts = compare_stage(problem.home, names, level=level, problem=problem, display=display)
        return Told(facts, out.getvalue())


def pick(
    candidates: str | Path | Mapping[str, Scores],
    truth: Truth | None = None,
    *,
    num: int | None = None,
    public: Mapping[str, float] | None = None,
    pass_score: float | None = None,
    public_share: float | None = None,
    folder: str | Path | None = None,
) -> Told:
    """Which submissions to let count at the end; the same as `foldwise pick`.

    Args:
        candidates: a competition's folder, all of whose runs are candidates; or name → pair of
            out-of-fold and test scores, as for `blend`.
        truth: what is true of the rows; for tables.
        num: how many count; None: as the rules say, 2 for tables.
        public: name → public leaderboard score; for tables, as far as they are known.
        pass_score: a private score to be reached; None: the expected best score counts.
        public_share: share of the test rows that the public score is of, in (0, 1); None: 0.3.
        folder: as for `blend`.

    Raises:
        RunError, DataError: too few candidates, or some that cannot be.
        ConfigError: numbers out of their range.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(candidates, Mapping):
            problem, _ = stack.enter_context(_opened(candidates, truth, folder, num=num))
            for name, score in (public or {}).items():
                ledger_add(problem.home, run=name, public=score, display=_SILENT)
        else:
            _refuse(truth=truth, public=public, folder=folder)
            problem = open_problem(find_home(Path(candidates)))
        display, out = _recorder()
        facts = pick_stage(
            problem.home,
            num,
            pass_score=pass_score,
            public_share=public_share,
            problem=problem,
            display=display,
        )
        return Told(facts, out.getvalue())


def _refuse(**given: Any) -> None:
    """What goes with tables only."""
    wrong = [name for name, value in given.items() if value is not None]
    if wrong:
        raise RunError(
            f"{', '.join(wrong)}: only for tables of scores; runs have these in their competition",
            remedy="public scores go into the ledger: foldwise ledger add RUN --public SCORE",
        )


@contextlib.contextmanager
def _opened(
    runs: Runs, truth: Truth | None, folder: str | Path | None, *, num: int | None = None
) -> Iterator[tuple[Problem, list[str]]]:
    """The competition that runs are of, and their names; made for the while if they are tables."""
    if not isinstance(runs, Mapping):
        _refuse(truth=truth, folder=folder)
        yield _found(runs)
        return
    if truth is None:
        raise RunError("tables of scores need truth=Truth(...)", remedy="see foldwise.Truth")
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="foldwise-"))
        yield _room(Path(folder), runs, truth, num)


def _found(runs: Sequence[str | Path]) -> tuple[Problem, list[str]]:
    if isinstance(runs, str) or not runs:
        raise RunError("wanted a list of run folders", remedy='such as ["my-comp/runs/a", ...]')
    homes = {find_home(Path(run)).path for run in runs}
    if len(homes) > 1:
        raise RunError(
            f"runs of {len(homes)} competitions: {', '.join(sorted(map(str, homes)))}",
            remedy="name runs of one competition",
        )
    home = Home(homes.pop())
    names = [Path(run).resolve().relative_to(home.runs).as_posix() for run in runs]
    return open_problem(home), names


def _room(
    folder: Path, runs: Mapping[str, Scores], truth: Truth, num: int | None
) -> tuple[Problem, list[str]]:
    if not isinstance(truth, Truth) or not isinstance(truth.frame, pd.DataFrame):
        raise RunError("truth: wanted Truth(data frame, ...)", remedy="see foldwise.Truth")
    if not runs:
        raise RunError("found no table of scores", remedy='wanted {"name": table, ...}')
    tables = {name: _pair(name, given) for name, given in runs.items()}
    tests = [test for _, test in tables.values() if test is not None]
    # A table without ids is refused by `put_run`, by name.
    ids = sorted({str(row) for test in tests for row in test.get(truth.id, [])})
    picks = num if num is not None and num > 0 else None  # Else `pick` says what is wrong.
    problem = make_room(folder, truth, ids, final_picks=picks)
    for name, (oof, test) in tables.items():
        put_run(problem, name, oof, test)
        evaluate(problem.home, name, problem=problem, display=_SILENT)
    return problem, list(tables)


def _pair(name: object, given: object) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Out-of-fold and test scores of a run, if they were given as `Scores` are."""
    if not isinstance(name, str) or is_outside(name):
        raise RunError(
            f"{name!r} cannot be the name of a table", remedy="name it by a word, such as 'mine'"
        )
    parts = given if isinstance(given, tuple | list) else (given,)
    if not 1 <= len(parts) <= 2 or not all(isinstance(part, pd.DataFrame) for part in parts):
        kinds = ", ".join(type(part).__name__ for part in parts)
        raise DataError(
            f"{name}: found {kinds}, wanted a data frame of out-of-fold scores, or a pair of that "
            "and one of test scores",
            remedy="read files with pandas first",
        )
    oof, *test = parts
    return oof, test[0] if test else None


def _recorder() -> tuple[Display, io.StringIO]:
    out = io.StringIO()
    return Display(Console(file=out, width=100, highlight=False, soft_wrap=True)), out
