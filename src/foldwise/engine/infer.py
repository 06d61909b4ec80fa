"""The one forward pass: validation, test prediction, features and packs come through here."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from foldwise.data.batches import Source, eval_batches
from foldwise.errors import RunError
from foldwise.views import View

T = TypeVar("T")

#: Rows per forward pass in inference: fixed, so that a row's bits never depend on others; fewer
#: only where memory runs out, which is recorded.
EVAL_BATCH = 64


def tell_halved(batch: int, problem: str) -> None:
    """Say in the job's log that scoring goes on with smaller batches."""
    print(f"memory ran out in scoring ({problem}): batches of {batch} from here", file=sys.stderr)


class Passed(NamedTuple):
    """What a network gave for a batch in one view.

    Attributes:
        rows: (B,) positions in the source.
        view: in which it was shown.
        outputs: (B, ...) on the device.
        began: when the pass was begun, on the monotonic clock.
    """

    rows: np.ndarray
    view: View
    outputs: torch.Tensor
    began: float


def passes(
    forward: Callable[..., torch.Tensor],
    source: Source,
    *,
    views: Sequence[View],
    batch: int,
    device: torch.device,
    workers: int,
    autocast: torch.dtype | None,
) -> Iterator[Passed]:
    """A network over all samples: batch by batch in the source's order, each in every view.

    Each image is read once for all views. Every batch has one shape, so that a row's result does
    not depend on how many rows there are.

    Args:
        forward: (B, C, S, S) uint8, and what else the source has for its samples → (B, ...); a
            module is put into eval mode by the caller.
        source: the samples.
        views: with distinct names.
        batch: images per pass.
        device: where to compute.
        workers: threads that prepare batches.
        autocast: half precision to compute in, or None.
    """
    for item in eval_batches(source, batch=batch, workers=workers):
        images, *others = item.inputs(device)
        for view in views:
            began = time.monotonic()
            # Closed before anything is given: who takes it would be left in these modes.
            with computing(device, autocast):
                outputs = forward(view.images(images), *others)[: len(item.rows)]
            yield Passed(item.rows, view, outputs, began)


@contextlib.contextmanager
def computing(device: torch.device, autocast: torch.dtype | None) -> Iterator[None]:
    """Without gradients, and in half precision if one is given."""
    is_half = autocast is not None
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=autocast or torch.bfloat16, enabled=is_half),
    ):
        yield


def halving(
    attempt: Callable[[int], T], *, batch: int, halved: Callable[[int, str], None] = tell_halved
) -> T:
    """What an attempt gives; made anew with half as many images a pass where memory runs out.

    Args:
        attempt: told the images of a pass.
        batch: images to begin with.
        halved: called with the smaller batch and what the device said, before it is used.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    while True:
        try:
            return attempt(batch)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            problem = str(error).splitlines()[0]
        # Out of the handler, whose traceback holds the tensors of the pass.
        if batch == 1:
            raise RunError(
                f"memory ran out in scoring with one image at a time: {problem}",
                remedy="use a smaller input.size or network, precision bf16, or fewer units side "
                "by side (parallel in plan.yaml)",
            )
        batch //= 2
        halved(batch, problem)
        gc.collect()
        clear_device_cache()


def infer(
    forward: Callable[..., torch.Tensor],
    source: Source,
    *,
    views: Sequence[View],
    batch: int,
    device: torch.device,
    workers: int = 1,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda done: None,
    halved: Callable[[int, str], None] = tell_halved,
    timed: Callable[[dict[str, float]], None] = lambda seconds: None,
) -> dict[str, np.ndarray]:
    """Run a network, or its features, over all samples and views.

    Samples go as `passes` takes them. Where memory runs out, all of them are run again in batches
    of half the size, so that a row's result does not depend on where that was.

    Args:
        forward: as `passes` takes it → (B, O).
        source: the samples.
        views: with distinct names.
        batch: images per pass.
        device: where to compute.
        workers: threads that prepare batches.
        autocast: half precision to compute in, or None.
        progress: called with the number of samples done.
        halved: called with the smaller batch and what the device said, before it is used.
        timed: called at the end with view → seconds that it took, reading of images aside.

    Returns:
        Name of the view → (N, O) float64.

    Raises:
        RunError: memory runs out with one image at a time.
    """

    def attempt(batch: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        found: dict[str, np.ndarray] = {}
        seconds = dict.fromkeys((view.name for view in views), 0.0)
        for rows, view, outputs, began in passes(
            forward,
            source,
            views=views,
            batch=batch,
            device=device,
            workers=workers,
            autocast=autocast,
        ):
            # Rows go into an array that is there from the start: a small one kept for each
            # batch would lie between the large blocks of the pass and break them up.
            if view.name not in found:
                found[view.name] = np.empty((len(source), outputs.shape[1]))
            found[view.name][rows] = outputs.double().cpu().numpy()
            seconds[view.name] += time.monotonic() - began
            if view is views[-1]:
                progress(int(rows[-1]) + 1)
        return found, seconds

    found, seconds = halving(attempt, batch=batch, halved=halved)
    timed(seconds)
    return found


def apply_head(head: torch.nn.Module, features: np.ndarray, *, batch: int) -> np.ndarray:
    """A head over cached features, in batches of the shape `infer` uses: the same bits.

    Args:
        head: (B, D) → (B, O), on the CPU.
        features: (N, D) float32.
        batch: rows per pass.

    Returns:
        (N, O) float64.
    """
    parts = []
    with torch.inference_mode():
        for start in range(0, max(len(features), 1), batch):
            rows = features[start : start + batch]
            padded = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), axis=0)])
            outputs = head(torch.from_numpy(padded))[: len(rows)]
            parts.append(outputs.double().numpy())
    return np.concatenate(parts)
