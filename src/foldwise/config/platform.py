"""Where a competition is held, as config files say it: `kaggle:NAME`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_HELD = re.compile(r"kaggle:[a-z0-9][a-z0-9_-]*")


def _known(platform: str) -> str:
    if not _HELD.fullmatch(platform):
        raise ValueError(
            f"found {platform!r}, wanted kaggle:NAME, with the last part of the competition's "
            "address: kaggle:digit-recognizer"
        )
    return platform


#: `kaggle:NAME`.
Platform = Annotated[str, AfterValidator(_known)]
