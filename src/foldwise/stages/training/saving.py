"""When a training state is worth the time it takes to save; the choice changes no result."""

from __future__ import annotations

from foldwise import device as machine
from foldwise.config.duration import seconds
from foldwise.config.training import CheckpointConfig
from foldwise.engine import checkpoint
from foldwise.engine.checkpoint import Checkpoint
from foldwise.rundir import UnitDir


class Saver:
    """Saves a unit's states as its recipe says.

    Args:
        folder: of the unit.
        config: the recipe's `train.checkpoint`.
    """

    def __init__(self, folder: UnitDir, config: CheckpointConfig) -> None:
        self._folder, self._config = folder, config
        self._since, self._cost = machine.monotonic(), 0.0

    def is_due(self, *, at_end: bool) -> bool:
        """Whether to save now.

        Args:
            at_end: of an epoch.
        """
        passed = machine.monotonic() - self._since
        is_time = at_end or passed >= seconds(self._config.every)
        return is_time and self._cost <= self._config.share * passed

    def save(self, state: Checkpoint) -> None:
        """Publish a state and note what that took."""
        started = machine.monotonic()
        checkpoint.save(self._folder.checkpoint, state)
        self._since = machine.monotonic()
        self._cost = self._since - started
