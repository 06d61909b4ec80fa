"""Progress that nobody looks at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def shown(name: str, size: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None
