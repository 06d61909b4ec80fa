"""A backend's pass is taken only where it gives what eager gives, to a stated tolerance."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import Tensor

from foldwise.engine.backends.exporting import Inputs
from foldwise.engine.backends.making import BACKENDS, Forward
from foldwise.engine.compiling import first_line
from foldwise.models.network import Network

#: How far predictions may be from eager's, and logits as well: numbers up to 1 by so much, larger
#: ones by this share of the largest. Logits, since probabilities near 0 and 1 hide a difference
#: that other images would show.
TOLERANCE = 1e-4

#: (N, O) float64 logits → (N, R) predictions, as of a formulation.
Activate = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Checked:
    """A backend's pass for inputs of one shape, and how it compares with eager in full precision.

    Attributes:
        forward: None: it cannot be had, or not be taken.
        first_s: seconds from the network to its first predictions.
        difference: from eager's predictions or logits, the larger; None: it gave none.
        limit: the difference that is allowed.
        reason: why it is not taken; empty: it is.
    """

    forward: Forward | None
    first_s: float = 0.0
    difference: float | None = None
    limit: float = TOLERANCE
    reason: str = ""


def checked(
    network: Network,
    backend: str,
    inputs: Inputs,
    *,
    activate: Activate,
    half: torch.dtype | None = None,
) -> Checked:
    """Make a backend's pass for inputs of this shape, and compare what it gives for these.

    In half precision, what eager itself differs from full precision is allowed to all: the run was
    scored with that difference.

    Args:
        network: in eval mode, on the inputs' device.
        backend: of `BACKENDS`.
        inputs: real ones: (B, C, S, S) images, and columns if the network takes any.
        activate: logits → what is handed in.
        half: half precision to compute in, or None.

    Raises:
        RuntimeError: memory runs out, which `infer` sees to.
    """
    if missing := BACKENDS[backend].obstacle(inputs[0].device):
        return Checked(None, reason=missing)
    wanted, limit = logits(network, inputs), TOLERANCE
    if half is not None:
        limit = max(limit, _away(logits(network, inputs, half), wanted, activate))
    started = time.perf_counter()
    try:
        with torch.inference_mode(False), torch.no_grad():
            forward = BACKENDS[backend].make(network, inputs, half)
        found = logits(forward, inputs, half)
    except Exception as error:  # Whatever the library or the network's own code may raise.
        if should_reduce_batch_size(error):
            raise
        return Checked(None, limit=limit, reason=first_line(error))
    first_s, away = time.perf_counter() - started, _away(found, wanted, activate)
    if away > limit:
        reason = f"it differs from eager by {away:.1e}, and {limit:.1e} is allowed"
        return Checked(None, first_s, away, limit, reason)
    return Checked(forward, first_s, away, limit)


@contextlib.contextmanager
def opened(
    network: Network,
    backend: str,
    *,
    activate: Activate,
    half: torch.dtype | None = None,
    tell: Callable[[str], None] = lambda said: print(said, file=sys.stderr),
) -> Iterator[Forward]:
    """A network's forward pass by a backend, to be given to `infer`.

    A pass is made for each shape of inputs that comes, and checked on the first ones of it: so
    every network and every size of view is. Meant for one network after the other: at its end a
    compiled one drops the compiled passes of all, which are then made again.

    Args:
        network: in eval mode, on the inputs' device.
        backend: of `BACKENDS`.
        activate: logits → what is handed in.
        half: half precision to compute in, or None; `infer` need not be told.
        tell: hears where eager takes the backend's place, and why.
    """
    passes: dict[tuple[object, ...], Forward] = {}

    def made(inputs: Inputs) -> Forward:
        if backend == "eager":
            return network
        found = checked(network, backend, inputs, activate=activate, half=half)
        if found.forward is None:
            tell(f"{backend} gives way to eager: {found.reason}")
        return found.forward or network

    def forward(*inputs: Tensor) -> Tensor:
        shape = tuple((each.shape, each.dtype) for each in inputs)
        if shape not in passes:
            passes[shape] = made(inputs)
        with _precision(inputs, half):
            return passes[shape](*inputs)

    try:
        yield forward
    finally:
        passes.clear()
        BACKENDS[backend].release()


def logits(forward: Forward, inputs: Inputs, half: torch.dtype | None = None) -> np.ndarray:
    """(B, O) float64 of one pass."""
    with torch.inference_mode(), _precision(inputs, half):
        found: np.ndarray = forward(*inputs).double().cpu().numpy()
    return found


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest distance between two numbers, as a share of the largest where that is over 1.

    Infinite where one is a number and the other is none.

    >>> difference(np.array([0.25, 0.75]), np.array([0.26, 0.74]))  # doctest: +ELLIPSIS
    0.01...
    >>> difference(np.array([100.0, 2020.2]), np.array([100.0, 2020.0]))  # doctest: +ELLIPSIS
    9.9...e-05
    """
    is_same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        away = np.where(is_same, 0.0, np.abs(found - wanted))
    largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
    return float(np.where(np.isnan(away), np.inf, away).max(initial=0.0) / largest)


def _away(found: np.ndarray, wanted: np.ndarray, activate: Activate) -> float:
    """From logits that are wanted, and from the predictions of these."""
    return max(difference(found, wanted), difference(activate(found), activate(wanted)))


def _precision(inputs: Inputs, half: torch.dtype | None) -> torch.autocast:
    return torch.autocast(inputs[0].device.type, dtype=half, enabled=half is not None)
