"""Loops that numba compiles, kept for the next process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from foldwise.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """The function compiled when it is first called; see `compile_loop`.

    Raises:
        ConfigError: numba is not installed.
    """
    try:
        return compile_loop(function)
    except ImportError:
        raise ConfigError(
            "masks are worked on by compiled loops, and numba is not installed",
            remedy="pip install 'foldwise[masks]'",
        ) from None


def compile_loop(function: F, types: Any = None) -> F:
    """The function compiled, without the interpreter's lock while it runs.

    What was compiled is kept beside the source or in the user's cache, where either can be written.

    Args:
        function: that numba takes.
        types: signatures to compile now, as `numba.njit` takes them; None: when it is called.

    Raises:
        ImportError: numba is not installed, or not for this numpy.
    """
    import numba

    signatures = () if types is None else (types,)
    try:
        found = numba.njit(*signatures, nogil=True, cache=True)(function)
    except (RuntimeError, OSError):  # Neither the package's folder nor the user's is writable.
        found = numba.njit(*signatures, nogil=True)(function)
    return cast(F, found)
