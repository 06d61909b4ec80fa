"""Steps within the memory there is: where it runs out, batches are cut into more parts."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from foldwise.errors import RunError

T = TypeVar("T")


class StepMemoryError(Exception):
    """The memory of the device ran out within a step; smaller parts of the batch may do."""


@contextmanager
def step_memory() -> Iterator[None]:
    """Tell memory that runs out from other errors.

    Raises:
        StepMemoryError: it ran out.
    """
    try:
        yield
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        raise StepMemoryError(str(error).splitlines()[0]) from None


def in_parts(
    attempt: Callable[[int], T],
    *,
    batch: int,
    parts: int = 1,
    cut: Callable[[int, str], None] = lambda parts, problem: None,
) -> T:
    """What an attempt gives; made anew with twice as many parts each time that memory runs out.

    Args:
        attempt: told the parts that batches are cut into.
        batch: images.
        parts: to begin with.
        cut: told the new number of parts, and how memory ran out, before they take effect.

    Raises:
        RunError: one image at a time is too much.
    """
    while True:
        try:
            return attempt(parts)
        except StepMemoryError as error:
            problem = str(error)
        # Out of the handler, whose traceback holds the tensors of the step.
        if parts >= batch:
            raise RunError(
                f"memory ran out with one image at a time: {problem}",
                remedy="use a smaller input.size or network, precision bf16, or fewer units side "
                "by side (parallel in plan.yaml)",
            )
        parts = min(2 * parts, batch)
        cut(parts, problem)
        gc.collect()
        clear_device_cache()
