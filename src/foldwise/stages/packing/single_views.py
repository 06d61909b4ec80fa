"""Runs that could answer by their first view alone: what that is worth is known where measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from foldwise.config.recipe import Recipe
from foldwise.json_files import read_json
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.units import unit_of
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.viewing.answers import held_by_view
from foldwise.stages.viewing.files import read_views
from foldwise.tasks.problem import Problem
from foldwise.views import View, num_passes, views_of


@dataclass(frozen=True)
class FirstView:
    """A run by its first view alone.

    Attributes:
        spec: the view's name, by which it is found again.
        passes: of an image by it.
        held: out-of-fold scores, with the fixed decision.
    """

    spec: str
    passes: float
    held: HeldOut


def first_views(
    problem: Problem, node: Node, recipes: Mapping[str, Recipe]
) -> tuple[dict[str, FirstView], list[str]]:
    """Runs by their first view, of members whose single views were measured.

    Args:
        problem: the competition's.
        node: of a run, or of a blend whose members are looked at.
        recipes: run → recipe, of all units below.

    Returns:
        Run → what it is by one view; and runs that have several views of which none was measured.
    """
    members = node.members or (node,)
    leaves = [leaf.name for leaf in node.leaves]
    found, unmeasured = {}, []
    for member in members:
        name = member.name
        # A reference has its own scores by each view, which nobody measures.
        is_shared = f"{name}/reference" in leaves or leaves.count(name) > 1
        if member.members or member.is_reference or is_shared:
            continue
        views = views_of(recipes[name].views)
        if recipes[name].is_second_level or len(views) < 2:
            continue
        held = _held(problem, name, views[0])
        if held is None:
            unmeasured.append(name)
        else:
            first = views[0].name
            found[name] = FirstView(first, num_passes([first]), held)
    return found, unmeasured


def _held(problem: Problem, name: str, first: View) -> HeldOut | None:
    run = problem.home.run(name)
    merged = [unit for unit in read_json(run.path / "merged.json") if unit.startswith("fold")]
    units = [unit_of(problem, f"{name}/{unit}") for unit in merged]
    if not units or any(first.name not in read_views(unit).seconds for unit in units):
        return None
    return held_by_view(problem, run, units, first)
