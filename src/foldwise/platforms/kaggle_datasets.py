"""Datasets on Kaggle: files are uploaded one by one and become a version together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.errors import PlatformError
from foldwise.platforms.kaggle_client import status_of
from foldwise.platforms.kaggle_line import AnyLine
from foldwise.platforms.kaggle_transfer import Step

_HIDDEN, _ABSENT = 403, 404
_FAILED = ("FAILED", "DELETED")
#: Kaggle wants a title of so many characters.
TITLE_LENGTH = (6, 50)
_LICENCE = "unknown"

#: Gives what shows the progress of a file.
Shown = Callable[[str, int], AbstractContextManager[Step]]


@dataclass(frozen=True)
class Dataset:
    """A dataset as it stands on Kaggle.

    Attributes:
        version: of its newest content.
        notes: what that version was made with: its own notes, and the dataset's description.
    """

    version: int
    notes: str


def find_dataset(
    line: AnyLine, owner: str, slug: str, *, supposed: Dataset | None
) -> Dataset | None:
    """A dataset of one's own; None if there is none.

    Args:
        line: to Kaggle.
        owner: user or organisation.
        slug: its name in addresses.
        supposed: what a rehearsal takes to be there.
    """
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest
    from requests import HTTPError

    request = ApiGetDatasetRequest()
    request.owner_slug, request.dataset_slug = owner, slug
    try:
        found = line.ask("datasets", "get_dataset", request)
    except HTTPError as error:
        # What is not there is hidden as often as it is absent.
        if status_of(error) in (_HIDDEN, _ABSENT):
            return None
        raise
    if line.is_rehearsal:
        return supposed
    version = int(found.current_version_number or 1)
    notes = [each.version_notes for each in found.versions or [] if each.version_number == version]
    described = [found.description] if version == 1 else []
    return Dataset(version, " ".join(map(str, (*notes, *described))))


def upload_blob(line: AnyLine, path: Path, shown: Shown) -> str:
    """Upload a file; the token by which a version names it."""
    from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest

    request = ApiStartBlobUploadRequest()
    request.type = ApiBlobType.DATASET
    request.name = path.name
    request.content_length = path.stat().st_size
    request.last_modified_epoch_seconds = int(path.stat().st_mtime)
    supposed = {"token": f"(token of {path.name})", "create_url": "(the address in that answer)"}
    found = line.ask("blobs", "start_blob_upload", request, supposed=supposed)
    with shown(path.name, path.stat().st_size) as step:
        line.send(path, found.create_url, step)
    return str(found.token)


def create_dataset(
    line: AnyLine, owner: str, slug: str, title: str, tokens: Sequence[str], *, notes: str
) -> int:
    """Make a private dataset of uploaded files.

    Returns:
        Its version, 1.

    Raises:
        PlatformError: Kaggle refuses it.
    """
    from kagglesdk.datasets.types.dataset_api_service import ApiCreateDatasetRequest

    request = ApiCreateDatasetRequest()
    request.owner_slug, request.slug, request.title = owner, slug, title
    request.license_name, request.is_private = _LICENCE, True
    request.description = notes
    request.files = _files(tokens)
    found = line.ask("datasets", "create_dataset", request, supposed={"error": ""}, once=True)
    _check(line, found, owner, slug)
    return 1


def add_version(
    line: AnyLine, owner: str, slug: str, tokens: Sequence[str], *, notes: str, version: int
) -> int:
    """Make a new version of a dataset of uploaded files.

    Args:
        line: to Kaggle.
        owner: user or organisation.
        slug: the dataset.
        tokens: of all its files; those of the version before are not in it.
        notes: what is told of it.
        version: the newest one so far.

    Returns:
        The version it is.

    Raises:
        PlatformError: Kaggle refuses it.
    """
    from kagglesdk.datasets.types.dataset_api_service import (
        ApiCreateDatasetVersionRequest,
        ApiCreateDatasetVersionRequestBody,
    )

    body = ApiCreateDatasetVersionRequestBody()
    body.version_notes, body.files = notes, _files(tokens)
    request = ApiCreateDatasetVersionRequest()
    request.owner_slug, request.dataset_slug, request.body = owner, slug, body
    found = line.ask(
        "datasets", "create_dataset_version", request, supposed={"error": ""}, once=True
    )
    _check(line, found, owner, slug)
    return version + 1


def is_ready(line: AnyLine, owner: str, slug: str) -> bool:
    """Whether Kaggle has unpacked a dataset's newest version.

    Raises:
        PlatformError: it could not.
    """
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetStatusRequest
    from kagglesdk.datasets.types.dataset_enums import DatabundleVersionStatus

    request = ApiGetDatasetStatusRequest()
    request.owner_slug, request.dataset_slug = owner, slug
    supposed = {"status": DatabundleVersionStatus.READY}
    found = line.ask("datasets", "get_dataset_status", request, supposed=supposed)
    if found.status.name in _FAILED:
        raise PlatformError(
            f"Kaggle could not make dataset {owner}/{slug} of what was uploaded "
            f"({found.status.name.lower()})",
            remedy="look at its page, and run the same command again",
        )
    return bool(found.status.name == "READY")


def _files(tokens: Sequence[str]) -> list[Any]:
    from kagglesdk.datasets.types.dataset_api_service import ApiDatasetNewFile

    files = []
    for token in tokens:
        file = ApiDatasetNewFile()
        file.token = token
        files.append(file)
    return files


def _check(line: AnyLine, found: Any, owner: str, slug: str) -> None:
    if found.error:
        raise PlatformError(
            f"Kaggle does not take dataset {owner}/{slug}: {line.shown(found.error)}",
            remedy="correct that; title and id may be said in dataset-metadata.json in the pack",
        )
