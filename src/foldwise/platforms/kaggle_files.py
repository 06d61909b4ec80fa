"""The files of a competition on Kaggle, which come in one zip file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldwise.errors import PlatformError
from foldwise.platforms.kaggle_client import status_of
from foldwise.platforms.kaggle_datasets import Shown
from foldwise.platforms.kaggle_entrance import rules_not_accepted
from foldwise.platforms.kaggle_line import AnyLine

_HIDDEN, _ABSENT = 403, 404


def download_files(line: AnyLine, slug: str, path: Path, shown: Shown) -> None:
    """Download all files of a competition into one zip file.

    Args:
        line: to Kaggle.
        slug: the competition.
        path: the zip file; it appears whole, and an interrupted download goes on.
        shown: gives what shows the progress.

    Raises:
        PlatformError: Kaggle does not give them, or it was cut off again and again.
    """
    from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest
    from requests import HTTPError

    request = ApiDownloadDataFilesRequest()
    request.competition_name = slug

    def ask() -> Any:
        return line.ask("competitions", "download_data_files", request)

    try:
        with shown(path.name, 0) as step:
            line.receive(ask, path, step)
    except HTTPError as error:
        if status_of(error) == _HIDDEN:
            raise rules_not_accepted(slug) from None
        if status_of(error) != _ABSENT:
            raise
        raise PlatformError(
            f"Kaggle has no files of competition {slug!r}",
            remedy="look at its page; what is handed out elsewhere is named by --data",
        ) from None
