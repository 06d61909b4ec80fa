"""What views are worth and what they cost: each alone, and the set that is proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from foldwise.blending.gain import Verdict, verdict
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import Gain, gain_over
from foldwise.stages.viewing.forward import ViewAnswers
from foldwise.views import View


@dataclass(frozen=True)
class Worth:
    """A set of views against the image as it is.

    Attributes:
        views: names.
        score: cross-fitted; None: undefined.
        gain: over the image as it is, with its paired interval; None: undefined.
        verdict: of the interval.
        seconds: of 1,000 images, reading aside.
    """

    views: tuple[str, ...]
    score: float | None
    gain: Gain | None
    verdict: Verdict
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As nested JSON."""
        return {**asdict(self), "views": list(self.views)}


@dataclass(frozen=True)
class Judged:
    """All that was measured of a run's views.

    Attributes:
        plain: the image as it is.
        single: each other view, together with the image as it is.
        own: the recipe's views.
        steps: the best first 2, 3... views, chosen without the fold they are scored on; named are
            those that all rows choose.
        by_fold: fold → the set that was chosen without it.
        chosen: the set that all rows choose; its gain is of the sets chosen without each fold.
    """

    plain: Worth
    single: tuple[Worth, ...]
    own: Worth
    steps: tuple[Worth, ...]
    by_fold: dict[int, tuple[str, ...]]
    chosen: Worth

    @property
    def proposed(self) -> Worth:
        """What is simple until it is beaten."""
        return self.chosen if self.chosen.verdict == "gain" else self.plain

    def to_json(self) -> dict[str, Any]:
        """As nested JSON; folds become strings as JSON keys are."""
        return {
            "plain": self.plain.to_json(),
            "single": [worth.to_json() for worth in self.single],
            "own": self.own.to_json(),
            "steps": [worth.to_json() for worth in self.steps],
            "by_fold": {str(fold): list(names) for fold, names in self.by_fold.items()},
            "chosen": self.chosen.to_json(),
            "proposed": list(self.proposed.views),
        }


def judge(
    answers: ViewAnswers, views: Sequence[View], own: Sequence[View], seconds: Mapping[str, float]
) -> Judged:
    """What each view is worth, and which set to take.

    The set is chosen forward, from the image as it is, by the score of its mean. It is chosen
    anew without each fold and scored on that fold, so its gain holds for the choosing, too.

    Args:
        answers: of a run in these views; two folds at least.
        views: the image as it is first.
        own: the recipe's.
        seconds: view → of 1,000 images.
    """
    plain = answers.decided(views[:1])

    def worth(sets: Sequence[View], held: HeldOut) -> Worth:
        gain = gain_over(plain, held)
        said = verdict(None, None) if gain is None else verdict(gain.low, gain.high)
        names = tuple(view.name for view in sets)
        return Worth(names, _score(held), gain, said, sum(seconds[name] for name in names))

    chosen = answers.forward(views)
    by_fold = {fold: answers.forward(views, without=fold) for fold in answers.folds}
    steps = []
    for num in range(2, len(chosen) + 1):
        first = {fold: found[:num] for fold, found in by_fold.items()}
        steps.append(worth(chosen[:num], answers.crossed(first)))
    pairs = [[views[0], view] for view in views[1:]]
    return Judged(
        plain=worth(views[:1], plain),
        single=tuple(worth(pair, answers.decided(pair)) for pair in pairs),
        own=worth(own, answers.decided(own)),
        steps=tuple(steps),
        by_fold={fold: tuple(view.name for view in found) for fold, found in by_fold.items()},
        chosen=worth(chosen, answers.crossed(by_fold)),
    )


def _score(held: HeldOut) -> float | None:
    try:
        return held.score(held.problem.metric)
    except ValueError:
        return None
