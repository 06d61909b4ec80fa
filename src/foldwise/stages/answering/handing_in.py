"""Writes what there is into the output folder, always whole, and says what is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foldwise import predictions as predictions_file
from foldwise.decide.decision import Decision
from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.predictions import Predictions
from foldwise.publish import publish_bytes, publish_json
from foldwise.stages.answering.fallbacks import attempts
from foldwise.stages.answering.pacing import Pacing
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.units import unit_dir
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.submitting.answering import Part
from foldwise.stages.submitting.content import checked_submission
from foldwise.tasks.constant import constant_scores
from foldwise.tasks.problem import Problem

LOG = "answer.json"


@dataclass
class HandIn:
    """What was handed in.

    Attributes:
        output: folder of the submission and `answer.json`.
        num_rounds: that were planned.
        planned_units: of all rounds.
        pacing: the time there is.
        show: where it is told.
        name: of the submission's file.
        first_s: when the first file was there, in seconds from the beginning.
        first_round_s: when the first round was in it; 0: none is.
        made_for: pack and test rows that the file is of.
        rounds: that are in the file; 0: the same answer for every row.
        units: that have scored the test rows.
        measured: what that took, for later plans; see `packing/elsewhere.py`.
        settled: test rows at whose images the last units did not look: their answer stood fast.
        notes: what the user should know.
        is_skipped: whether a constant is all that was asked for.
    """

    output: Path
    num_rounds: int
    planned_units: frozenset[str]
    pacing: Pacing
    show: Display
    name: str
    first_s: float = 0.0
    first_round_s: float = 0.0
    made_for: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    units: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    settled: int = 0
    notes: list[str] = field(default_factory=list)
    is_skipped: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all that was planned is in the file."""
        return self.rounds == self.num_rounds and self.planned_units <= set(self.units)

    def constant(self, problem: Problem) -> None:
        """What the train rows say of every row: valid, and there at once."""
        everywhere = constant_scores(problem, problem.test)
        self._write(problem, [Part(everywhere, problem.default_decision())], "a constant")
        self.first_s = self.pacing.spent_s
        self._log()
        self.show.say(f"{self.name}: the same answer for every row, until a network has one")

    def go_on(self, pack: str, rows: str) -> bool:
        """Whether a file of this pack for these rows is there already; it stays till a better one.

        Args:
            pack: its id.
            rows: hash of the test rows.
        """
        self.made_for = {"pack": pack, "rows": rows}
        log = read_json(self.output / LOG)
        is_same = isinstance(log, dict) and log.get("made_for") == self.made_for
        if not is_same or not log["rounds"] or not (self.output / self.name).exists():
            return False
        self.rounds = log["rounds"]
        self.show.say(f"{self.name}: round {self.rounds} of {self.num_rounds} is in it already")
        return True

    def round(self, problem: Problem, number: int, given: Round) -> None:
        """What a round gives by the units that are there, if no later one is handed in already."""
        if number <= self.rounds:
            return
        failed: list[str] = []
        for each, how in attempts(given, self.units, problem.default_decision()):
            try:
                with self.pacing.handing_in():
                    parts = parts_of(problem, each, self.units, problem.home)
                    self._write(problem, parts, each.node.name)
            except FoldwiseError as error:
                failed.append(str(error))
                continue
            if how:
                self.say(f"round {number}: {how}")
            self.rounds = number
            self._tell(number, each)
            return
        why = "; ".join(failed) or "none of its networks has answered"
        self.say(f"round {number} of {self.num_rounds} is not handed in: {why}")

    def _tell(self, number: int, given: Round) -> None:
        if not self.first_round_s:
            self.first_round_s = self.pacing.spent_s
        self._log()
        score = "" if given.score is None else f", {given.score:.4f} cross-fitted"
        left = duration(max(0.0, self.pacing.left_s))
        self.show.say(
            f"{self.name}: round {number} of {self.num_rounds}, {given.node.name}{score}; "
            f"{left} left"
        )

    def skip(self, why: str) -> None:
        """Leave it at the constant."""
        self.is_skipped = True
        self.say(f"{self.name} stays the same answer for every row: {why}")

    def say(self, note: str) -> None:
        """Warn, and note it beside the file."""
        self.show.warn(note)
        self.notes.append(note)
        self._log()

    def _write(self, problem: Problem, parts: Sequence[Part], name: str) -> None:
        data, notes = checked_submission(problem, parts, name=name)
        self.notes += [note for note in notes if note not in self.notes]
        publish_bytes(self.output / self.name, data)
        self._log()

    def _log(self) -> None:
        publish_json(
            self.output / LOG,
            {
                "made_for": self.made_for,
                "rounds": self.rounds,
                "planned": self.num_rounds,
                "units": self.units,
                "settled": self.settled,
                "notes": self.notes,
                "first_file_after_s": round(self.first_s, 1),
                "first_round_after_s": round(self.first_round_s, 1),
                "seconds": round(self.pacing.spent_s, 1),
                "times_slower_than_planned": round(self.pacing.pace, 2),
                "measured": self.measured,
            },
        )


def parts_of(problem: Problem, given: Round, units: Sequence[str], place: Home) -> list[Part]:
    """Scores and decision of a round; for `per_fold_decision` those of every fold.

    Args:
        problem: whose test rows are answered.
        given: the round.
        units: that have scored the rows.
        place: the competition in which they have.

    Raises:
        DataError: a run has no scored unit at all, or a file is damaged.
    """

    def part(known: Sequence[str], decision: Decision) -> Part:
        scores, kind = given.node.scores(problem, _reader(place, known)), problem.task.kind
        return Part(Predictions(problem.test.ids, scores, problem.columns, kind=kind), decision)

    if problem.competition.submission.test_merge == "mean_score" or not given.by_fold:
        return [part(units, given.decision)]
    return [
        part([unit for unit in units if _is_of(unit, given, fold)] or units, decision)
        for fold, decision in given.by_fold.items()
    ]


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
