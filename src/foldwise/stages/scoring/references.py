"""What a run is judged against: majority, nearest thumbnail, and the head on frozen features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.auditing.references import REFERENCES
from foldwise.blending.gain import verdict
from foldwise.config.writing import fingerprint
from foldwise.data.cache import Cache
from foldwise.data.spec import THUMB
from foldwise.home import Home
from foldwise.masks.of_samples import empty_masks
from foldwise.masks.runs import concatenate
from foldwise.masks.sets import complement
from foldwise.predictions import Predictions
from foldwise.rundir import RunDir
from foldwise.stages.audit import thumbnails
from foldwise.stages.scoring.best_of import Best, best_of, highest_of
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.frozen import frozen_runs
from foldwise.stages.scoring.held_out import Answered, HeldOut, file_hash, held_out
from foldwise.stages.scoring.intervals import gain_over
from foldwise.stages.training.prints import data_hash
from foldwise.tasks.problem import Problem

_VERSION = 1
_LABELS = {
    "majority": "always the mean of the other folds",
    "nearest_thumbnail": "nearest 20 x 20 grey thumbnails",
}
#: Those that are members of a blend.
OF_MEMBERS = ("best_member", "highest_member")
#: The mean of the other folds counts as much as this share of five neighbours' votes, so that a
#: class none of them is of keeps a probability above 0.
_PRIOR_SHARE = 1 / 6


@dataclass(frozen=True)
class Reference:
    """Something a run has to beat.

    Attributes:
        name: `majority`, `nearest_thumbnail`, `frozen` for the best frozen head, `one_frozen` for
            each where there are several; of a blend `best_member`, and `highest_member` where
            that is another one.
        label: what it is, for people.
        run: the run it is; None for those that are no single run.
        held: its out-of-fold scores.
    """

    name: str
    label: str
    run: str | None
    held: HeldOut


def references(
    problem: Problem, run: RunDir, record: dict[str, Any], held: HeldOut
) -> list[Reference]:
    """The references of a run whose out-of-fold scores are `held`; a frozen run has no frozen one.

    Of several frozen heads each is a reference, and then the best of them. A blend is compared
    with its best member, too, both by their own decisions: the gain that a blend's record tells is
    that of its scores, under the fixed decision. The best one is chosen on the other folds; where
    another is the highest on these rows, which flatters it, the blend is compared with that, too,
    unless score files are members: how these are decided is not known, and so which is highest.
    """
    found = [_of_masks(held)] if problem.task.kind == "map" else _simple(problem)
    frozen = [read_decided(problem, place) for place in frozen_runs(problem.home, run, record)]
    if len(frozen) > 1:
        found += [
            Reference("one_frozen", f"head on frozen features ({each.name})", each.name, each)
            for each in frozen
        ]
    if frozen:
        best = best_of(held, frozen)
        several = len(frozen) > 1
        found.append(
            _best("frozen", "best head on frozen features", best)
            if several
            else Reference(
                "frozen", f"head on frozen features ({best.held.name})", best.held.name, best.held
            )
        )
    members = [read_decided(problem, place) for place in member_runs(problem.home, record)]
    if members:
        best, highest = best_of(held, members), highest_of(held, members)
        found.append(_best("best_member", "best member by its own decision", best))
        is_every = len(members) == len(record["members"])
        if is_every and highest is not None and best.names != (highest.name,):
            label = f"member by its own decision that is highest on these rows ({highest.name})"
            found.append(Reference("highest_member", label, highest.name, highest))
    return found


def find_reference(scores: Mapping[str, Any], name: str) -> Any | None:
    """The reference of that name in a `scores.json`; None: there is none."""
    return next((each for each in scores["references"] if each["name"] == name), None)


def _simple(problem: Problem) -> list[Reference]:
    decision = problem.default_decision()
    return [
        Reference(name, _LABELS[name], None, held_out(problem, scores, decision, name=name))
        for name, scores in simple_references(problem).items()
    ]


def _of_masks(held: HeldOut) -> Reference:
    """Empty masks; where every pixel has a class, the commonest class of the other folds."""
    target, masks = held.target, held.problem.competition.masks
    answers = empty_masks(target.sizes, target.num_classes)
    name, label = "all_empty", "every mask empty"
    if masks is not None and masks.exclusive:
        areas = target.areas
        commonest = np.array(
            [areas[held.folds != fold].sum(axis=0).argmax() for fold in held.folds]
        )
        full = complement(answers.runs)
        chosen = (np.arange(target.num_classes) == commonest[:, None]).ravel()
        order = np.arange(len(full)) + np.where(chosen, len(full), 0)
        answers = replace(answers, runs=concatenate([answers.runs, full]).take(order))
        name, label = "commonest_class", "the commonest class of the other folds everywhere"
    answered = Answered(answers, held.decision, held.by_fold)
    return Reference(name, label, None, replace(held, name=name, answered=answered))


def member_runs(home: Home, record: dict[str, Any]) -> list[RunDir]:
    """The runs that a blend is made of; score files are none."""
    places = [home.run(member["name"]) for member in record.get("members", [])]
    return [place for place in places if place.record.exists() and place.oof.exists()]


def _best(name: str, what: str, best: Best) -> Reference:
    how = "chosen on the other folds" if best.is_cross_fitted else "chosen on these rows"
    run = best.names[0] if len(best.names) == 1 else None
    return Reference(name, f"{what}, {how} ({', '.join(best.names)})", run, best.held)


def compare(held: HeldOut, found: list[Reference]) -> list[dict[str, Any]]:
    """Each reference's score and the paired gain of the run over it, as `scores.json` has them.

    Scores are on the rows that both have; `verdict` is `gain` or `loss` only if the interval
    lies wholly on one side of 0.
    """
    return [_compared(held, reference) for reference in found]


def simple_references(problem: Problem) -> dict[str, Predictions]:
    """Name → out-of-fold scores of the references that see no network; computed once.

    With one fold for all rows there are none, as nothing is left to learn them from.

    Kept under `runs/.references`, named after the folds and data they were made from. Without
    thumbnails in the cache only the majority comes back.
    """
    folder = problem.home.runs / ".references"
    key = fingerprint(
        [_VERSION, problem.folds_hash, data_hash(problem), file_hash(problem.home.gaps)]
    )
    if len(np.unique(problem.folds)) < 2:
        return {}
    made = {}
    for name, function in REFERENCES.items():
        path = folder / f"{name}-{key}.parquet"
        if not path.exists():
            if name != "majority" and not has_thumbnails(problem):
                continue
            _remove_old(folder, name)
            predictions_file.write(path, _computed(problem, function, needs=name != "majority"))
        made[name] = predictions_file.read(path)
    if "nearest_thumbnail" in made and problem.metric.takes == "scores":
        made["nearest_thumbnail"] = _smoothed(made["nearest_thumbnail"], made["majority"])
    return made


def has_thumbnails(problem: Problem) -> bool:
    """Whether every image has its thumbnail in the cache, which may be deleted at any time."""
    cache = Cache.open(problem.home.cache, THUMB)
    return all(sha in cache for sha in problem.samples.hashes)


def _compared(held: HeldOut, reference: Reference) -> dict[str, Any]:
    metric = held.problem.metric
    common = reference.held.among(np.isin(reference.held.rows, held.rows))
    try:
        score: float | None = common.score(metric)
    except ValueError:
        score = None
    gain = gain_over(reference.held, held)
    return {
        "name": reference.name,
        "label": reference.label,
        "run": reference.run,
        "score": score,
        "gain": None if gain is None else asdict(gain),
        "verdict": "undecided" if gain is None else verdict(gain.low, gain.high),
    }


def _computed(problem: Problem, function: Callable[..., Any], *, needs: bool) -> Predictions:
    train, test = problem.train, problem.test
    none = np.zeros((0, 1, 1, 3), dtype=np.uint8)
    scores = function(
        thumbnails(problem.home, train) if needs else none,
        problem.one_hot,
        problem.folds,
        thumbnails(problem.home, test) if needs and len(test) else none,
        _gap_rows(problem),
    )
    # A weighted mean of targets lies among them, but for rounding.
    oof = np.clip(scores.oof, problem.one_hot.min(axis=0), problem.one_hot.max(axis=0))
    return Predictions(train.ids, oof, problem.columns, folds=problem.folds)


def _gap_rows(problem: Problem) -> np.ndarray | None:
    if not problem.home.gaps.exists():
        return None
    return np.stack([problem.gap_rows(fold) for fold in range(int(problem.folds.max()) + 1)])


def _smoothed(votes: Predictions, shares: Predictions) -> Predictions:
    mixed = (1 - _PRIOR_SHARE) * votes.scores + _PRIOR_SHARE * shares.scores
    return votes.with_scores(mixed)


def _remove_old(folder: Path, name: str) -> None:
    for path in _old(folder, name):
        path.unlink(missing_ok=True)


def _old(folder: Path, name: str) -> Iterator[Path]:
    return folder.glob(f"{name}-*.parquet")
