"""A training whose memory runs out goes on with batches cut into more parts."""

from __future__ import annotations

from foldwise.engine.assemble import Assembly
from foldwise.engine.memory import in_parts
from foldwise.errors import ConfigError, RunError
from foldwise.models.network import Network
from foldwise.stages.training.at_work import UnitWork
from foldwise.stages.training.course import History, fit_unit


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
    batch = min(unit.recipe.train.batch, unit.num_fitted)
    start = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}

    def cut(parts: int, problem: str) -> None:
        check_cut(at_work.assembly, parts, problem)
        note = f"memory ran out ({problem}): batches of {batch} are cut into {parts} parts"
        at_work.amend(note, parts=parts)
        network.zero_grad(set_to_none=True)
        network.load_state_dict(start)

    return in_parts(lambda _: fit_unit(at_work, network), batch=batch, parts=at_work.parts, cut=cut)


def check_cut(assembly: Assembly, parts: int, problem: str) -> None:
    """Check that batches may be cut into so many parts.

    Args:
        assembly: of the recipe.
        parts: more than it asks for.
        problem: how memory ran out, for the message.

    Raises:
        RunError: the loss takes whole batches.
    """
    recipe = assembly.recipe
    train = recipe.train.model_copy(update={"accumulate": parts})
    try:
        Assembly(assembly.problem, recipe.model_copy(update={"train": train})).loss()
    except ConfigError as refusal:
        raise RunError(
            f"memory ran out: {problem}", *refusal.problems, remedy=refusal.remedy
        ) from None
