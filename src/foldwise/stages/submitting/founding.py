"""Which of two runs is better founded, and which run of all to submit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foldwise import parts
from foldwise.config.writing import fingerprint
from foldwise.errors import FoldwiseError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.joining.telling import is_of_maps
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import HeldOut, file_hash
from foldwise.stages.scoring.intervals import gain_over
from foldwise.stages.scoring.references import find_reference
from foldwise.tasks.problem import Problem, open_problem


@dataclass(frozen=True)
class Founding:
    """What a run's claim to be submitted rests on.

    Attributes:
        run: its name.
        num_folds: complete folds.
        is_honest: its score is cross-fitted, neither naive nor optimistic.
        rank: 0 for the default, 1 for what must beat the default, 2 for what must beat all.
        score: the headline score, its sign turned where lower is better; None: undefined.
        held: its out-of-fold scores; None where only this record is left of them.
    """

    run: str
    num_folds: int
    is_honest: bool
    rank: int
    score: float | None
    held: HeldOut | None

    def to_json(self) -> dict[str, Any]:
        """The record without the scores of rows."""
        return {
            "run": self.run,
            "num_folds": self.num_folds,
            "is_honest": self.is_honest,
            "rank": self.rank,
            "score": self.score,
        }


def founding(problem: Problem, name: str, scores: dict[str, Any]) -> Founding:
    """The founding of an evaluated run.

    Args:
        problem: the competition's.
        name: of the run.
        scores: its `scores.json`.
    """
    run = problem.home.run(name)
    record = run.read_record()
    sign = 1 if problem.metric.higher_is_better else -1
    score = scores["score"]
    return Founding(
        run=name,
        # A reference is no model: any finished fold is better founded.
        num_folds=0 if record["kind"] == "reference" else len(scores["present_folds"]),
        is_honest=scores["how"]["got"] == "cross-fitted",
        rank=_rank(record, scores),
        score=None if score is None else sign * score,
        held=read_decided(problem, run),
    )


def is_better(new: Founding, old: Founding) -> tuple[bool, str]:
    """Whether `new` takes the place of `old`, and why.

    1. More complete folds win.
    2. A cross-fitted score wins over a naive or optimistic one, which says too little.
    3. Simple until beaten. A plain mean of comparable members is the default, as long as its own
       verdict is not `loss`: averaging costs little and the best of several single runs looks
       better than it is. Single runs, and blends whose verdict is `gain`, take its place only if
       the paired interval of the gain lies above 0. Other blends (fitted weights that have not
       won) must beat single runs in the same way. Where no interval can be given, the higher
       score on common rows decides.
    4. Between equals the higher score on common rows; a tie keeps the old one.
    """
    if new.num_folds != old.num_folds:
        more = new.num_folds > old.num_folds
        return more, f"{new.num_folds} complete folds against {old.num_folds}"
    if new.is_honest != old.is_honest:
        honest = new if new.is_honest else old
        return new.is_honest, f"only the score of {honest.run} is cross-fitted"
    if new.held is None or old.held is None:
        return _is_higher(new, old)
    if new.rank < old.rank:
        beaten, reason = _beats(old, new)
        return not beaten, reason
    if new.rank > old.rank:
        return _beats(new, old)
    gain = gain_over(old.held, new.held)
    if gain is None:
        return _is_higher(new, old)
    return gain.point > 0, f"{gain.point:+z.4f} on {gain.num_rows} common rows"


def best_run(home: Home, *, problem: Problem | None = None) -> str:
    """The run to submit when nobody has chosen: the one that no other is better founded than.

    All evaluated recipes' runs, blends and runs from outside are candidates, references are not.
    The default, the plain mean with the most members, is taken first; then the others by falling
    score, each taking the place of what stands so far if `is_better` says so.

    Raises:
        RunError: no run has been evaluated on these folds.
    """
    problem = problem or open_problem(home)
    found = [
        candidate
        for name in home.run_names()
        if (candidate := _candidate(problem, name)) is not None
    ]
    if not found:
        raise RunError(
            f"{home.runs}: no run has been evaluated on the folds of folds.csv",
            remedy="run `foldwise train` and `foldwise evaluate` first",
        )
    found.sort(key=lambda c: (c.rank, -_num_members(home, c.run) if c.rank == 0 else 0, _low(c)))
    best = found[0]
    for candidate in found[1:]:
        if is_better(candidate, best)[0]:
            best = candidate
    return best.run


def _candidate(problem: Problem, name: str) -> Founding | None:
    run = problem.home.run(name)
    scores = read_json(run.scores)
    if scores is None or scores["score"] is None:
        return None
    now = (problem.folds_hash, file_hash(run.oof), fingerprint(problem.competition))
    if now != tuple(scores["inputs"][key] for key in ("folds", "oof", "competition")):
        return None
    try:
        return founding(problem, name, scores)
    except FoldwiseError:
        return None  # Rows have changed since: it must be trained again before it can be chosen.


def _rank(record: dict[str, Any], scores: dict[str, Any]) -> int:
    if record["kind"] != "blend":
        return 1
    verdict = blend_verdict(record, scores)
    if parts.name_of(record["method"]) == "mean" and verdict != "loss":
        return 0
    return 1 if verdict == "gain" else 2


def blend_verdict(record: dict[str, Any], scores: dict[str, Any]) -> str:
    """A blend's verdict once all runs are decided by their own decisions.

    A plain mean's is that over its best member; another blend must also have won by its scores.
    Gains of maps by the fixed decision do not count: a member may be made for a fitted one.
    """
    found = find_reference(scores, "best_member")
    by_scores = str(record["gain"]["verdict"])
    if found is None:
        return by_scores
    decided = str(found["verdict"])
    if is_of_maps(record):
        return decided
    if parts.name_of(record["method"]) == "mean" or "loss" in (decided, by_scores):
        return decided if by_scores != "loss" else "loss"
    return "gain" if decided == by_scores == "gain" else "undecided"


def _beats(challenger: Founding, standing: Founding) -> tuple[bool, str]:
    assert challenger.held is not None
    assert standing.held is not None
    gain = gain_over(standing.held, challenger.held)
    if gain is None:
        return False, f"{challenger.run} cannot be compared with {standing.run}"
    against = f"{challenger.run} against {standing.run}: {gain.point:+z.4f}"
    if gain.low is None:
        return gain.point > 0, f"{against} on {gain.num_rows} common rows, no interval"
    return gain.low > 0, f"{against}, {gain.low:+z.4f} to {gain.high:+z.4f}"


def _is_higher(new: Founding, old: Founding) -> tuple[bool, str]:
    if new.score is None or old.score is None:
        return old.score is None and new.score is not None, "one score is undefined"
    return new.score > old.score, f"{new.score - old.score:+z.4f}, by the recorded scores"


def _num_members(home: Home, name: str) -> int:
    return len(home.run(name).read_record().get("members", []))


def _low(candidate: Founding) -> float:
    return 0.0 if candidate.score is None else -candidate.score
