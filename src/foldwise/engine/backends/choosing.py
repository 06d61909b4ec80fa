"""A short trial on the machine at hand: each backend checked against eager, and timed in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import torch

from foldwise.engine.backends.checking import Activate, Checked, checked, logits
from foldwise.engine.backends.exporting import Inputs
from foldwise.engine.backends.making import BACKENDS, Forward
from foldwise.engine.backends.trial import BackendTrial, Candidate, trial_key
from foldwise.models.network import Network

_ROUNDS = 3
#: Seconds that the rounds of one backend may take: slow networks have fewer.
_MOST_S = 15.0
_PRECISIONS = {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def choose_backend(
    network: Network,
    inputs: Inputs,
    *,
    num_images: int,
    activate: Activate,
    half: torch.dtype | None = None,
) -> BackendTrial:
    """Check each backend against eager, and time those that pass, in turn: the least of three.

    Args:
        network: in eval mode, on the inputs' device; left as it is.
        inputs: a batch as `infer` will give it: (B, C, S, S) uint8 images of the real kind, and
            columns if the network takes any.
        num_images: to come for the network, each view counted; few are not worth a trial.
        activate: logits → what is handed in, as of a formulation.
        half: half precision to compute in, or None: see `precision.scoring_dtype`.
    """
    check = partial(checked, network, inputs=inputs, activate=activate, half=half)
    batch_s = partial(_batch_s, inputs=inputs, half=half)
    eager = check("eager")
    assert eager.forward is not None, "it is within its own limit"
    eager_s = batch_s(eager.forward)
    total_s = eager_s / len(inputs[0]) * num_images
    others = [name for name in BACKENDS if name != "eager" and total_s >= BACKENDS[name].least_s]
    checks = {"eager": eager, **{name: check(name) for name in others}}
    passes = {name: each.forward for name, each in checks.items() if each.forward is not None}
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(max(1, min(_ROUNDS, int(_MOST_S / eager_s)))):
        for name, forward in passes.items():
            seconds[name].append(batch_s(forward))
    for name in others:
        BACKENDS[name].release()
    reason = f"not tried: eager takes {total_s:.0f} s in all"
    return BackendTrial(
        key=trial_key(network, inputs, half=half),
        num_images=num_images,
        precision=_PRECISIONS[half],
        limit=eager.limit,
        candidates=tuple(
            _candidate(name, checks[name], seconds.get(name), len(inputs[0]))
            if name in checks
            else Candidate(name, reason=reason, is_untried=True)
            for name in BACKENDS
        ),
    )


def _batch_s(forward: Forward, inputs: Inputs, half: torch.dtype | None) -> float:
    started = time.perf_counter()
    logits(forward, inputs, half)  # They come to the CPU: nothing is left to wait for.
    return time.perf_counter() - started


def _candidate(name: str, check: Checked, seconds: Sequence[float] | None, batch: int) -> Candidate:
    # JSON has no infinity; the reason tells it.
    difference = None if check.difference == float("inf") else check.difference
    if seconds is None:
        return Candidate(name, None, check.first_s, difference, check.reason)
    making_s = max(check.first_s - min(seconds), 0.0)
    return Candidate(name, min(seconds) / batch, making_s, difference)
