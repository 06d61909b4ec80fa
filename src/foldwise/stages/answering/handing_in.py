"""Writes what there is into the output folder, always whole, and says what is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.errors import FoldwiseError
from foldwise.predictions import Predictions
from foldwise.publish import publish_bytes, publish_json
from foldwise.rundir import Home, UnitDir
from foldwise.stages.answering.pacing import Pacing
from foldwise.stages.answering.rounds import Round
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.submitting.answering import Part
from foldwise.stages.submitting.content import checked_submission
from foldwise.tasks.problem import Problem

SUBMISSION, LOG = "submission.csv", "answer.json"


@dataclass
class HandIn:
    """What was handed in.

    Attributes:
        output: folder of `submission.csv` and `answer.json`.
        num_rounds: that were planned.
        pacing: the time there is.
        show: where it is told.
        first_s: when the first file was there, in seconds from the beginning.
        rounds: that are in the file; 0: the same answer for every row.
        units: that have scored the test rows.
        notes: what the user should know.
    """

    output: Path
    num_rounds: int
    pacing: Pacing
    show: Display
    first_s: float = 0.0
    rounds: int = 0
    units: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether all that was planned is in the file."""
        return self.rounds == self.num_rounds

    def constant(self, problem: Problem) -> None:
        """The mean of the train rows for every row: valid, and there at once."""
        mean, ids = problem.one_hot.mean(axis=0, dtype=np.float64), problem.test.ids
        everywhere = Predictions(ids, np.tile(mean, (len(ids), 1)), problem.columns)
        self._write(problem, [Part(everywhere, problem.default_decision())], "a constant")
        self.first_s = self.pacing.spent_s
        self._log()
        self.show.say(f"{SUBMISSION}: the same answer for every row, until a network has one")

    def round(self, problem: Problem, number: int, given: Round) -> None:
        """What a round gives, by the units that are there; one that lacks a run gives nothing."""
        try:
            with self.pacing.handing_in():
                self._write(problem, self._parts(problem, given), given.node.name)
        except FoldwiseError as error:
            self.say(f"round {number} of {self.num_rounds} is not handed in: {error}")
            return
        self.rounds = number
        self._log()
        score = "" if given.score is None else f", {given.score:.4f} cross-fitted"
        left = duration(max(0.0, self.pacing.left_s))
        self.show.say(
            f"{SUBMISSION}: round {number} of {self.num_rounds}, {given.node.name}{score}; "
            f"{left} left"
        )

    def say(self, note: str) -> None:
        """Warn, and note it beside the file."""
        self.show.warn(note)
        self.notes.append(note)
        self._log()

    def _write(self, problem: Problem, parts: Sequence[Part], name: str) -> None:
        data, notes = checked_submission(problem, parts, name=name)
        self.notes += [note for note in notes if note not in self.notes]
        publish_bytes(self.output / SUBMISSION, data)
        self._log()

    def _log(self) -> None:
        publish_json(
            self.output / LOG,
            {
                "rounds": self.rounds,
                "planned": self.num_rounds,
                "units": self.units,
                "notes": self.notes,
                "first_file_after_s": round(self.first_s, 1),
                "seconds": round(self.pacing.spent_s, 1),
                "times_slower_than_planned": round(self.pacing.pace, 2),
            },
        )

    def _parts(self, problem: Problem, given: Round) -> list[Part]:
        """Scores and decision; for `per_fold_decision` those of every fold."""
        whole = self._scores(problem, given, self.units)
        if problem.competition.submission.test_merge == "mean_score" or not given.by_fold:
            return [Part(whole, given.decision)]
        parts = []
        for fold, decision in given.by_fold.items():
            own = [unit for unit in self.units if _is_of(unit, given, fold)]
            parts.append(Part(self._scores(problem, given, own) if own else whole, decision))
        return parts

    def _scores(self, problem: Problem, given: Round, units: Sequence[str]) -> Predictions:
        scores = given.node.scores(problem, _reader(problem.home, units))
        return Predictions(problem.test.ids, scores, problem.columns)


def unit_dir(home: Home, unit: str) -> UnitDir:
    """The folder of `run/unit`."""
    run, name = unit.split("/")
    return UnitDir(home.runs / run / "units" / name)


def _is_of(unit: str, given: Round, fold: int) -> bool:
    """Whether a unit of a run that stands alone was trained without a fold; a blend has none."""
    is_alone = given.node.blend is None and unit in given.node.units
    return is_alone and unit.split("/")[1].startswith(f"fold{fold}-")


def _reader(home: Home, units: Sequence[str]) -> Callable[[str, bool], Predictions | None]:
    known = set(units)

    def scores_of(unit: str, is_reference: bool) -> Predictions | None:
        if unit not in known:
            return None
        folder = unit_dir(home, unit)
        return predictions_file.read(folder.reference_test if is_reference else folder.test)

    return scores_of
