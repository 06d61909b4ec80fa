"""Where a competition is held."""

from __future__ import annotations

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.errors import ConfigError
from foldwise.home import Home


def slug_on_platform(home: Home) -> str:
    """The competition's name on Kaggle.

    Raises:
        ConfigError: competition.yaml does not say.
    """
    platform = load(home.competition, Competition).platform
    if platform is None:
        raise ConfigError(
            f"{home.competition}: platform: not said, so nothing can be uploaded",
            remedy="add a line such as platform: kaggle:digit-recognizer",
        )
    return platform.partition(":")[2]
