"""When kernels are compiled and loaded: where numba is installed, and once they are worth it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from foldwise.compiled import compile_loop
from foldwise.masks import kernels, text_kernels

#: Nanoseconds of numpy's work before kernels are loaded; loading takes about as long.
WORTH_NS = 1_000_000_000

Kernel = Callable[..., Any]

_spent_ns = 0


def compiled(kernel: Callable[..., Any], numpy_ns: float) -> Callable[..., Any] | None:
    """The compiled form of a kernel, or None where numpy should do it.

    Loading takes a second or two, and compiling for the first time some more; so numpy does what
    comes first, and a process that has a few masks never waits.

    Args:
        kernel: one of the functions of `kernels` or `text_kernels`.
        numpy_ns: nanoseconds that numpy would take for this call, roughly.
    """
    global _spent_ns
    if _spent_ns < WORTH_NS:
        _spent_ns += int(numpy_ns)
        return None
    return _load().get(kernel.__name__)


def load() -> bool:
    """Load the kernels now, for work known to be much; returns whether there are any."""
    global _spent_ns
    _spent_ns = WORTH_NS
    return bool(_load())


@functools.cache
def _load() -> dict[str, Callable[..., Any]]:
    every = kernels.TYPES | text_kernels.TYPES
    try:
        return {kernel.__name__: compile_loop(kernel, types) for kernel, types in every.items()}
    except ImportError:  # Not installed, or not for this numpy.
        return {}
