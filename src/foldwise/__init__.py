"""foldwise: from a folder of images and a table to a submission you can trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foldwise.notebook import Truth, blend, compare, load_run, pick

__version__ = "0.1.0"
__all__ = ["Truth", "__version__", "blend", "compare", "load_run", "pick"]


def __getattr__(name: str) -> Any:
    # Read when asked for: the command line's help must not wait for tables and metrics.
    if name not in __all__:
        raise AttributeError(f"module 'foldwise' has no attribute {name!r}")
    from foldwise import notebook

    return getattr(notebook, name)
