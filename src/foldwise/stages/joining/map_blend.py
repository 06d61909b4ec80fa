"""Blends of maps: the mean of members, map by map, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from foldwise.blending.gain import Ends, Gain, GainReport
from foldwise.blending.map_means import MapMean
from foldwise.errors import ConfigError, DataError, RunError
from foldwise.maps.maps import Maps, scattered_maps
from foldwise.parts import Spec, name_of, options_of
from foldwise.stages.joining.member import Member
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import gain_over


@dataclass(frozen=True)
class MapBlend:
    """A mean of maps.

    Attributes:
        blend: of the members.
        oof: of the common train rows.
        test: of the test rows.
        held: the common rows, with the fixed decision.
        gain: what it is worth under that.
    """

    blend: MapMean
    oof: Maps
    test: Maps
    held: HeldOut
    gain: GainReport


def blend_maps(method: Spec, members: Sequence[Member]) -> MapBlend:
    """The plain mean of members' maps; none is held in memory.

    Args:
        method: `mean`; others read a number a class of each sample.
        members: on their common rows.

    Raises:
        ConfigError: another method.
        RunError: maps of the same samples have different sizes.
    """
    blend, oof = mean_of_maps(method, members)
    try:
        test = blend.apply([member.test for member in members])
    except DataError as error:
        raise RunError(f"these members cannot be blended: {error}") from None
    held = oof.with_answers()
    return MapBlend(blend, oof.scores, test, held, _gain(held, members))


def mean_of_maps(method: Spec, members: Sequence[Member]) -> tuple[MapMean, HeldOut]:
    """The plain mean of members' maps, and their common rows by it with the fixed decision.

    Raises:
        ConfigError, RunError: as `blend_maps`.
    """
    if name_of(method) != "mean" or options_of(method):
        raise ConfigError(
            f"blend method {name_of(method)}: maps are blended by their mean",
            remedy="use method: mean",
        )
    blend, first = MapMean((1 / len(members),) * len(members)), members[0].held
    try:
        oof = blend.apply([member.held.scores for member in members])
    except DataError as error:
        raise RunError(f"these members cannot be blended: {error}") from None
    fixed = first.problem.default_decision()
    return blend, replace(first.with_scores(oof), decision=fixed, by_fold=None)


def _gain(held: HeldOut, members: Sequence[Member]) -> GainReport:
    """Under the fixed decision, as the gains of other blends are."""
    solo = [
        replace(member.held, decision=held.decision, by_fold=None).with_answers()
        for member in members
    ]
    scores = {member.name: _score(each) for member, each in zip(members, solo, strict=True)}
    names = list(scores)
    blended, folds = _score(held), np.unique(held.folds).tolist()
    best = max(names, key=scores.__getitem__)
    nothing = Gain.of(0.0, 0.0, None)
    over_best, chosen = nothing, dict.fromkeys(folds, best)
    if len(members) > 1:
        over_best, chosen = _over_best(held, solo, names, blended - scores[best])
    weights = dict.fromkeys(names, 1 / len(names))
    return GainReport(
        solo_scores=scores,
        best_member=best,
        blend_score=blended,
        over_best=over_best,
        over_mean=nothing,
        verdict=over_best.verdict,
        weights=weights,
        best_per_fold=chosen,
        weights_per_fold=dict.fromkeys(folds, weights),
    )


def _over_best(
    held: HeldOut, solo: Sequence[HeldOut], names: Sequence[str], naive: float
) -> tuple[Gain, dict[int, str]]:
    """Over the member that in each fold is best on the others, and which one that is."""
    folds = np.unique(held.folds).tolist()
    if len(folds) < 2:
        return Gain.of(naive, None, None), {}
    others = {fold: [_score(each.among(each.folds != fold)) for each in solo] for fold in folds}
    chosen = {fold: int(np.argmax(scores)) for fold, scores in others.items()}
    parts = [
        (np.flatnonzero(held.folds == fold), solo[place].among(held.folds == fold))
        for fold, place in chosen.items()
    ]
    maps = scattered_maps([(rows, part.scores) for rows, part in parts])
    reference = solo[0].with_scores(maps)
    found = gain_over(reference, held)
    by_fold = {fold: names[place] for fold, place in chosen.items()}
    if found is None:
        return Gain.of(naive, None, None), by_fold
    ends = None
    if found.low is not None and found.high is not None and found.covers is not None:
        ends = Ends(found.low, found.high, found.covers)
    return Gain.of(naive, found.point, ends), by_fold


def _score(held: HeldOut) -> float:
    metric = held.problem.metric
    value = held.score(metric)
    return value if metric.higher_is_better else -value
