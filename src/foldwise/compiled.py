"""Loops that numba compiles when they are first called, kept for the next process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from foldwise.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """The function compiled, without the interpreter's lock while it runs.

    What was compiled is kept beside the source or in the user's cache, where either can be written.

    Raises:
        ConfigError: numba is not installed.
    """
    try:
        import numba
    except ImportError:
        raise ConfigError(
            "masks are worked on by compiled loops, and numba is not installed",
            remedy="pip install 'foldwise[masks]'",
        ) from None
    try:
        found = numba.njit(nogil=True, cache=True)(function)
    except (RuntimeError, OSError):  # Neither the package's folder nor the user's is writable.
        found = numba.njit(nogil=True)(function)
    return cast(F, found)
