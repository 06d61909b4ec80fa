"""Submissions on Kaggle: those that are there, a new one, and its score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from foldwise.errors import PlatformError
from foldwise.platforms.kaggle_client import status_of
from foldwise.platforms.kaggle_datasets import Shown
from foldwise.platforms.kaggle_entrance import let_in
from foldwise.platforms.kaggle_line import AnyLine

_ABSENT = 404
_PAGE = 100


@dataclass(frozen=True)
class Upload:
    """A submission on Kaggle.

    Attributes:
        ref: its number there.
        state: pending, complete or error.
        time: when it was made, ISO form in UTC.
        description: what was said with it.
        public: score on the public leaderboard.
        private: score on the private one; known once the competition is over.
        failure: why it has no score; "": it has, or may get one.
    """

    ref: int
    state: str
    time: str | None
    description: str
    public: float | None
    private: float | None
    failure: str


def uploads(line: AnyLine, slug: str) -> Iterator[Upload]:
    """The submissions there are, the newest first."""
    from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

    token: str | None = ""
    while token is not None:
        request = ApiListSubmissionsRequest()
        request.competition_name, request.page_size = slug, _PAGE
        if token:
            request.page_token = token
        supposed = {"submissions": [], "next_page_token": ""}
        with let_in(slug):
            found = line.ask("competitions", "list_submissions", request, supposed=supposed)
        yield from (_upload(line, each) for each in found.submissions or [])
        token = found.next_page_token or None


def send_file(line: AnyLine, slug: str, path: Path, *, name: str, shown: Shown) -> str:
    """Upload a file that is to be handed in.

    Args:
        line: to Kaggle.
        slug: the competition.
        path: the file.
        name: what it is called there.
        shown: gives what shows the progress.

    Returns:
        The token by which `submit_file` names it.
    """
    from kagglesdk.competitions.types.competition_api_service import (
        ApiStartSubmissionUploadRequest,
    )

    request = ApiStartSubmissionUploadRequest()
    request.competition_name, request.file_name = slug, name
    request.content_length = path.stat().st_size
    request.last_modified_epoch_seconds = int(path.stat().st_mtime)
    supposed = {"token": f"(token of {name})", "create_url": "(the address in that answer)"}
    with let_in(slug):
        found = line.ask("competitions", "start_submission_upload", request, supposed=supposed)
    with shown(name, path.stat().st_size) as step:
        line.send(path, found.create_url, step)
    return str(found.token)


def submit_file(line: AnyLine, slug: str, token: str, *, description: str) -> int:
    """Hand in a file that was uploaded.

    Args:
        line: to Kaggle.
        slug: the competition.
        token: of `send_file`.
        description: what is said with it.

    Returns:
        The submission's number.

    Raises:
        PlatformError: Kaggle refuses it, or it may have been taken or not.
    """
    from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

    request = ApiCreateSubmissionRequest()
    request.competition_name = slug
    request.blob_file_tokens = token
    request.submission_description = description
    return _created(line, "create_submission", request)


def submit_notebook(
    line: AnyLine,
    slug: str,
    owner: str,
    notebook: str,
    version: int,
    *,
    file: str,
    description: str,
) -> int:
    """Hand in what a version of a notebook writes; see `submit_file`.

    Args:
        line: to Kaggle.
        slug: the competition.
        owner: of the notebook.
        notebook: its name in addresses.
        version: of it.
        file: that it writes.
        description: what is said with it.
    """
    from kagglesdk.competitions.types.competition_api_service import (
        ApiCreateCodeSubmissionRequest,
    )

    request = ApiCreateCodeSubmissionRequest()
    request.competition_name = slug
    request.kernel_owner, request.kernel_slug, request.kernel_version = owner, notebook, version
    request.file_name, request.submission_description = file, description
    return _created(line, "create_code_submission", request)


def upload_of(line: AnyLine, ref: int) -> Upload | None:
    """A submission by its number; None: Kaggle does not show it yet."""
    from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionRequest
    from requests import HTTPError

    request = ApiGetSubmissionRequest()
    request.ref = ref
    try:
        found = line.ask("competitions", "get_submission", request)
    except HTTPError as error:
        if status_of(error) == _ABSENT:
            return None
        raise
    if line.is_rehearsal:
        return Upload(ref, "complete", None, "", None, None, "")
    return _upload(line, found)


def _created(line: AnyLine, method: str, request: Any) -> int:
    supposed = {"ref": 1, "message": ""}
    found = line.ask("competitions", method, request, supposed=supposed, once=True)
    if not found.ref:
        raise PlatformError(
            f"Kaggle does not take the submission: {line.shown(found.message) or 'no reason said'}",
            remedy="correct that, and run the same command again",
        )
    return int(found.ref)


def _upload(line: AnyLine, found: Any) -> Upload:
    date = found.date
    is_time = isinstance(date, datetime)
    return Upload(
        ref=int(found.ref),
        state=found.status.name.lower(),
        time=f"{date.replace(microsecond=0, tzinfo=None).isoformat()}Z" if is_time else None,
        description=str(found.description or ""),
        public=_score(found.public_score),
        private=_score(found.private_score),
        failure=line.shown(found.error_description),
    )


def _score(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None
