"""Why these picks, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from foldwise.choosing.candidates import Candidates
from foldwise.choosing.pick import Picks, Set
from foldwise.choosing.shift import ENOUGH
from foldwise.stages.picking.field import Field


def reasons(
    field: Field, candidates: Candidates, found: Picks, pass_score: float | None, metric: str
) -> list[str]:
    """Sentences: each pick, the tie if there was one, other rules, the shift, what to do."""
    return [
        *_each_pick(field, candidates, found),
        *_level(found),
        _set("these picks", found.picked, pass_score, metric),
        *_rule("best on public", found.by_public, candidates, found.picked, pass_score, metric),
        *_rule("best by cv", found.by_cv, candidates, found.picked, pass_score, metric),
        _shift(candidates, found),
        *_to_do(field, candidates, found),
    ]


def _each_pick(field: Field, candidates: Candidates, found: Picks) -> Iterator[str]:
    members, names = found.picked.members, candidates.names
    private = found.futures.private
    means = private.mean(axis=0)
    first = members[0]
    expected, low, high = found.private[first]
    best = int(means.argmax())
    lead = f"{names[first]}: expected {expected:.4f} on private ({low:.4f} to {high:.4f})"
    if first == best:
        yield f"{lead}, the highest of {len(names)}"
    else:
        behind = means[best] - means[first]
        yield f"{lead}, {behind:.4f} behind {names[best]}, which the set as a whole makes up for"
    passed = [other for other in np.argsort(-means, kind="stable").tolist() if other not in members]
    for place, member in enumerate(members[1:], start=1):
        text = f"{names[member]}: adds {found.added[place]:.4f} to the expected best"
        if passed and means[passed[0]] > means[member]:
            rival = passed[0]
            instead = private[:, [rival, *(other for other in members if other != member)]]
            text += (
                f"; {names[rival]} is expected {means[rival] - means[member]:.4f} better alone, "
                "but with it instead the expected best would be "
                f"{candidates.sign * instead.max(axis=1).mean():.4f}"
            )
        yield text


def _level(found: Picks) -> Iterator[str]:
    if found.num_level:
        sets = "one other set is" if found.num_level == 1 else f"{found.num_level} other sets are"
        yield (
            f"{sets} as good as far as the simulation tells; what can be made again came first, "
            "then cross-fitted scores, then what is expected highest by itself"
        )


def _set(name: str, found: Set, pass_score: float | None, metric: str) -> str:
    chance = ""
    if found.chance is not None:
        chance = f", {found.chance:.0%} to reach {metric} {pass_score:g}"
    return (
        f"{name}: expected best private score {found.expected:.4f}{chance}, regret "
        f"{found.regret:.4f}, mean place {found.place:.1f}"
    )


def _rule(
    name: str,
    rule: Set | None,
    candidates: Candidates,
    picked: Set,
    pass_score: float | None,
    metric: str,
) -> Iterator[str]:
    if rule is None:
        yield f"{name}: no public score is known"
        return
    names = ", ".join(candidates.names[member] for member in rule.members)
    if set(rule.members) == set(picked.members):
        yield f"{name} ({names}): the same"
        return
    filled = ""
    if name == "best on public" and rule.num_public < len(rule.members):
        filled = "; too few public scores, filled up by cv"
    yield _set(f"{name} ({names}{filled})", rule, pass_score, metric)


def _shift(candidates: Candidates, found: Picks) -> str:
    shifts = found.futures.shifts
    sizes = (
        f"common {shifts.typical(shifts.common):.4f}, family {shifts.typical(shifts.family):.4f}, "
        f"own {shifts.typical(shifts.own):.4f}"
    )
    num = shifts.num_scores
    if shifts.is_learnt:
        return f"shift from train to test, learnt from {num} public scores: {sizes}"
    known = f"{num} public score{'s' * (num != 1)} known, {ENOUGH} are enough"
    return f"shift from train to test, mostly assumed ({known}): {sizes}"


def _to_do(field: Field, candidates: Candidates, found: Picks) -> Iterator[str]:
    for member in found.picked.members:
        entrant = field.entrants[member]
        if not entrant.is_submitted:
            yield f"{entrant.name} has not been submitted: foldwise submit {entrant.name}"
        if not entrant.parts.is_reproducible:
            yield f"{entrant.name} cannot be made again from what is here: commit or weights lack"
        if entrant.got != "cross-fitted":
            yield f"{entrant.name}: its score is {entrant.got}; it was expected to promise too much"
