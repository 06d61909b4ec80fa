"""Everything the report shows, read once; what cannot be read is told instead of shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from foldwise.config.competition import Competition
from foldwise.config.plan import Plan
from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.progress import last_line
from foldwise.stages.recipes import load_plan
from foldwise.stages.reporting.pictures import Pictures
from foldwise.stages.scoring.held_out import file_hash, run_label
from foldwise.tasks.asked import load_competition
from foldwise.tasks.presence import target_of
from foldwise.tasks.problem import Problem, open_problem
from foldwise.tasks.task import Task

T = TypeVar("T")


@dataclass(frozen=True)
class Unit:
    """A unit of a run as its folder shows it.

    Attributes:
        name: such as `fold0-seed0`.
        is_done: it has a record.
        epochs: trained; None: not known.
        seconds: of its last process; None: not known.
        notes: what training had to say.
        log: last lines of its output, of units that are not done.
    """

    name: str
    is_done: bool
    epochs: int | None
    seconds: float | None
    notes: tuple[str, ...]
    log: str


@dataclass(frozen=True)
class Run:
    """A run with what its files say.

    Attributes:
        folder: its place.
        label: `b` or `b/reference`.
        record: its `run.json`.
        scores: its `scores.json`; None: not evaluated.
        is_stale: the scores were made from other predictions than those that are there.
    """

    folder: RunDir
    label: str
    record: dict[str, Any]
    scores: dict[str, Any] | None
    is_stale: bool

    @property
    def kind(self) -> str:
        """`recipe`, `reference` or `blend`."""
        return str(self.record["kind"])

    @property
    def is_handed_in(self) -> bool:
        """Whether it answers what the competition asks, and not which classes are in an image."""
        return target_of(self.record) is None

    @cached_property
    def units(self) -> list[Unit]:
        """Its units by name; none for runs that are not trained."""
        if self.kind != "recipe":
            return []
        return [_unit(path) for path in sorted((self.folder.path / "units").glob("*-seed*"))]

    @property
    def seconds(self) -> float | None:
        """Training time of all its units, as far as it is known."""
        known = [unit.seconds for unit in self.units if unit.seconds is not None]
        return sum(known) if known else None


@dataclass
class Material:
    """What there is of a competition.

    Attributes:
        home: its folder.
        competition: what is asked.
        task: which kind of question.
        problem: with samples; None before `prepare`.
        audit: its `audit.json`; None before `audit`.
        plan: None where it cannot be read.
        runs: with references after their run.
        troubles: what could not be read, in sentences.
    """

    home: Home
    competition: Competition
    task: Task
    problem: Problem | None = None
    audit: dict[str, Any] | None = None
    plan: Plan | None = None
    runs: list[Run] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @cached_property
    def folds(self) -> np.ndarray | None:
        """(N,) fold of each train row; None before `split` or where rows lack one."""
        problem = self.problem
        if problem is None or not self.home.folds.exists():
            return None
        return self.tried(lambda: problem.folds)

    @cached_property
    def pictures(self) -> Pictures | None:
        """Pictures of samples; None before `prepare`."""
        if self.problem is None:
            return None
        return Pictures(self.home, self.problem.samples, self.troubles)

    @property
    def scored(self) -> list[Run]:
        """Runs with scores of what the competition asks; the best first, without a score last."""
        found = [run for run in self.runs if run.scores is not None and run.is_handed_in]
        return sorted(found, key=_standing)

    @property
    def gates(self) -> list[Run]:
        """Runs with scores that say which classes are in an image, as `scored` has its own."""
        found = [run for run in self.runs if run.scores is not None and not run.is_handed_in]
        return sorted(found, key=_standing)

    def run(self, label: str) -> Run | None:
        """The run of this name."""
        return next((run for run in self.runs if run.label == label), None)

    def tried(self, read: Callable[[], T]) -> T | None:
        """What `read` gives; its mistake goes to the troubles."""
        try:
            return read()
        except FoldwiseError as error:
            if str(error) not in self.troubles:  # Several parts of the page may read one file.
                self.troubles.append(str(error))
            return None


def gather(home: Home) -> Material:
    """Read a competition's folder.

    Raises:
        ConfigError: `competition.yaml` is absent or wrong.
    """
    competition, task = load_competition(home)
    found = Material(home, competition, task)
    if home.samples.exists():
        found.problem = found.tried(lambda: open_problem(home))
    found.audit = found.tried(lambda: read_json(home.audit))
    if home.plan.exists():
        found.plan = found.tried(lambda: load_plan(home))
    for name in home.run_names():
        folder = RunDir(home.runs / name)
        for place in (folder, folder.reference):
            run = found.tried(partial(_run, home, place))
            if run is not None:
                found.runs.append(run)
    return found


def _run(home: Home, folder: RunDir) -> Run | None:
    record = read_json(folder.record)
    if record is None:
        return None
    scores = read_json(folder.scores)
    is_stale = scores is not None and scores["inputs"]["oof"] != file_hash(folder.oof)
    return Run(folder, run_label(home, folder), record, scores, is_stale)


def _unit(path: Path) -> Unit:
    folder = UnitDir(path)
    record = read_json(folder.record)
    seconds = (last_line(folder.timing) or {}).get("seconds")
    return Unit(
        name=folder.name,
        is_done=record is not None,
        epochs=None if record is None else record.get("epochs"),
        seconds=None if seconds is None else float(str(seconds)),
        notes=() if record is None else tuple(record.get("notes", ())),
        log="" if record is not None else _tail(folder.log),
    )


def _tail(path: Path, lines: int = 8) -> str:
    if not path.is_file():
        return ""
    text = path.read_bytes()[-4000:].decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _standing(run: Run) -> tuple[bool, float, str]:
    assert run.scores is not None
    score = run.scores["score"]
    if score is None:
        return True, 0.0, run.label
    return False, -score if run.scores["metric"]["higher_is_better"] else score, run.label
