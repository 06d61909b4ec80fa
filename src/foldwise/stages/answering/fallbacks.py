"""What is handed in for a round whose own blend or decision cannot be had: less, and said."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from foldwise.decide.decision import Decision
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.rounds import Round


def attempts(
    given: Round, units: Collection[str], default: Decision
) -> Iterator[tuple[Round, str]]:
    """The round, then what stands for it, the nearest first, each with what is to be said.

    Args:
        given: as it was planned.
        units: that have scored the test rows.
        default: the decision that looks at no other row.
    """
    if _is_whole(given.node, units):
        yield given, ""
        if given.decision.is_over_time:
            yield replace(given, decision=default, by_fold={}), "without its steps over time"
        return
    shrunk = _shrunk(given.node, units)
    if shrunk is not None:
        left = ", ".join(member.name for member in shrunk.members)
        yield (
            replace(given, node=shrunk, by_fold={}, score=None),
            f"by {left} alone, with the blend's weights among these: nobody has scored that",
        )
    for member in given.node.members:
        if member.decision is not None and _is_whole(member, units):
            alone = replace(given, node=member, decision=member.decision, by_fold={}, score=None)
            yield alone, f"by {member.name} alone, since others have not answered"


def _is_whole(node: Node, units: Collection[str]) -> bool:
    """Whether every run below has a unit that has answered."""
    return all(any(unit in units for unit in leaf.units) for leaf in node.leaves)


def _shrunk(node: Node, units: Collection[str]) -> Node | None:
    """A mean by weights without the members that lack; None: it is no such mean."""
    kept = [place for place, member in enumerate(node.members) if _is_whole(member, units)]
    blend = None if node.blend is None or len(kept) < 2 else node.blend.among(kept)
    if blend is None:
        return None
    return replace(node, members=tuple(node.members[place] for place in kept), blend=blend)
