"""The errors a user can cause: each says what is wrong, what was found and what would do."""

from __future__ import annotations


class FoldwiseError(Exception):
    """A mistake in the input or its setting; shown without a traceback.

    Args:
        problems: one sentence each; all that were found, not only the first.
        remedy: what would do, shown last.
    """

    def __init__(self, *problems: str, remedy: str = "") -> None:
        self.problems = problems
        self.remedy = remedy
        super().__init__("\n".join([*problems, *([remedy] if remedy else [])]))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep problems and remedy when the error crosses a process border."""
        return _rebuild, (type(self), self.problems, self.remedy)


def _rebuild(kind: type[FoldwiseError], problems: tuple[str, ...], remedy: str) -> FoldwiseError:
    return kind(*problems, remedy=remedy)


class ConfigError(FoldwiseError):
    """A YAML file, an override or an option is wrong; names file, line and key."""


class DataError(FoldwiseError):
    """A table, an image or a score file is wrong; names file, line or sample."""


class RunError(FoldwiseError):
    """A run folder does not fit what was asked of it."""


class NoExactFitError(FoldwiseError):
    """No exact fit of this decision is known for what it should reach; it can stay fixed."""


class LockedError(FoldwiseError):
    """Another process holds the lock; names the holder."""


class OfflineError(FoldwiseError):
    """Nobody asked for the download that this needs; names the file that would do."""


class PlatformError(FoldwiseError):
    """A platform cannot be asked, or does not have what it was asked for; holds no secret."""


class RulesError(FoldwiseError):
    """The competition's rules forbid it."""


class BudgetError(FoldwiseError):
    """It cannot be done in the time given."""
