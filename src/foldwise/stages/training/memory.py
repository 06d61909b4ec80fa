"""A training whose memory runs out goes on with batches cut into more parts."""

from __future__ import annotations

import gc

from accelerate.utils.memory import clear_device_cache

from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import StepMemoryError
from foldwise.errors import ConfigError, RunError
from foldwise.models.network import Network
from foldwise.stages.training.at_work import UnitWork
from foldwise.stages.training.course import History, fit_unit
from foldwise.stages.training.unit import Unit


def fit_in_memory(at_work: UnitWork, network: Network) -> History:
    """`fit_unit`; when memory runs out, with twice as many parts, from the last checkpoint on.

    A step still sees the whole batch: the gradients of its parts are summed. Only batch-norm in
    training mode sees the parts. Their number is recorded before it takes effect, so that a killed
    unit goes on with it.

    Args:
        at_work: the unit.
        network: trained in place.

    Raises:
        RunError: one image at a time is too much, or the loss takes whole batches.
    """
    unit = at_work.unit
    start = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    while True:
        try:
            return fit_unit(at_work, network)
        except StepMemoryError as error:
            problem = str(error)
        # Out of the handler, whose traceback holds the tensors of the step.
        batch = min(unit.recipe.train.batch, unit.num_fitted)
        if at_work.parts >= batch:
            raise RunError(
                f"memory ran out with one image at a time: {problem}",
                remedy="use a smaller input.size or network, precision bf16, or fewer units side "
                "by side (parallel in plan.yaml)",
            )
        parts = min(2 * at_work.parts, batch)
        _check_cut(unit, parts, problem)
        note = f"memory ran out ({problem}): batches of {batch} are cut into {parts} parts"
        at_work.amend(note, parts=parts)
        network.zero_grad(set_to_none=True)
        network.load_state_dict(start)
        gc.collect()
        clear_device_cache()


def _check_cut(unit: Unit, parts: int, problem: str) -> None:
    recipe = unit.recipe
    train = recipe.train.model_copy(update={"accumulate": parts})
    try:
        Assembly(unit.problem, recipe.model_copy(update={"train": train})).loss()
    except ConfigError as refusal:
        raise RunError(
            f"memory ran out: {problem}", *refusal.problems, remedy=refusal.remedy
        ) from None
