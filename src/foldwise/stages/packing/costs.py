"""What a pack's units take: measured here by short trials, and brought to another machine."""

from __future__ import annotations

from collections.abc import Mapping

from foldwise.config.recipe import Recipe
from foldwise.data.inputs import image_refs
from foldwise.errors import RunError
from foldwise.rundir import RunDir
from foldwise.stages.answering.node import Node
from foldwise.stages.packing.planning import Costs
from foldwise.stages.prepare import decode_seconds
from foldwise.stages.scheduling.forecast import measure
from foldwise.stages.scheduling.rates import Rates
from foldwise.tasks.problem import Problem, data_folder
from foldwise.views import num_passes

#: For the process, the tables and the last file; and for a unit's process and weights. Measured on
#: two cores: 6 to 8 s and 1 to 2 s.
_START_S, _UNIT_S = 10.0, 2.0


def measured_costs(
    problem: Problem, node: Node, *, num_images: int | None = None, factor: float = 1.0
) -> Costs:
    """Seconds of a node's units on a machine.

    Args:
        problem: with images that are prepared.
        node: all that may be packed.
        num_images: test samples that are announced; None: as many as there are now.
        factor: how many times longer than here it takes there.

    Raises:
        RunError: a network cannot be run here.
    """
    recipes = recipes_of(problem, node)
    rates, failed = measure(problem.home, recipes, parallel=1)
    if failed:
        raise RunError(*(f"{name}: its trial failed: {why}" for name, why in failed.items()))
    num_here = len(problem.test)
    num = num_here if num_images is None else num_images
    images = problem.test.every_image()
    data = data_folder(problem.home, problem.competition)
    decoding = decode_seconds(image_refs(images, data), times=num / max(num_here, 1))
    first = {name: factor * _first_s(recipe, rates[name], num) for name, recipe in recipes.items()}
    more = {
        name: factor * (_UNIT_S + rates[name].start_s)
        if recipe.freeze == "backbone"
        else first[name]
        for name, recipe in recipes.items()
    }
    return Costs(factor * (_START_S + decoding), first, more)


def recipes_of(problem: Problem, node: Node) -> dict[str, Recipe]:
    """Run → recipe, of all units below a node."""
    names = dict.fromkeys(unit.split("/")[0] for unit in node.every_unit)
    return {name: _recipe(problem.home.run(name)) for name in names}


def _recipe(run: RunDir) -> Recipe:
    record: Mapping[str, object] = run.read_record()
    return Recipe.model_validate(record["recipe"])


def _first_s(recipe: Recipe, rates: Rates, num: int) -> float:
    """All test samples in all views; a frozen backbone's features serve its other units, too."""
    return _UNIT_S + rates.start_s + num * num_passes(recipe.views) / rates.infer
