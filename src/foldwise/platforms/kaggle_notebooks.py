"""Notebooks on Kaggle: pushed as a version, which runs at once; then its state and its output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from foldwise.errors import PlatformError
from foldwise.platforms.kaggle_client import status_of
from foldwise.platforms.kaggle_line import AnyLine

_HIDDEN, _ABSENT = 403, 404
_PAGE = 100
_ENDED = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED")
_LOG_LINES = 12


@dataclass(frozen=True)
class Notebook:
    """A notebook to be pushed.

    Attributes:
        owner: user.
        slug: its name in addresses.
        title: its name for people, whose words make the slug.
        text: in nbformat.
        has_gpu: whether it runs on one.
        datasets: mounted, as `owner/slug`.
        competitions: mounted.
        notebooks: whose output is mounted.
    """

    owner: str
    slug: str
    title: str
    text: str
    has_gpu: bool
    datasets: tuple[str, ...]
    competitions: tuple[str, ...]
    notebooks: tuple[str, ...]

    @property
    def ref(self) -> str:
        """As addresses have it."""
        return f"{self.owner}/{self.slug}"


@dataclass(frozen=True)
class Saved:
    """A version of a notebook on Kaggle.

    Attributes:
        number: of the version.
        text: in nbformat, as Kaggle gives it.
    """

    number: int
    text: str

    def says(self, text: str) -> bool:
        """Whether its cells are those of a notebook; Kaggle puts in what else it likes."""
        try:
            return _cells(self.text) == _cells(text)
        except (ValueError, KeyError, TypeError):
            return False


@dataclass(frozen=True)
class Running:
    """How a version of a notebook stands.

    Attributes:
        state: queued, running, complete, error...
        failure: what Kaggle says went wrong; "": nothing.
    """

    state: str
    failure: str

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.state.upper() in _ENDED

    @property
    def is_done(self) -> bool:
        """Whether it ended well."""
        return self.state == "complete"


@dataclass(frozen=True)
class OutputFile:
    """A file that a notebook wrote.

    Attributes:
        name: below its output folder.
        url: where it is to be had; itself the permission.
    """

    name: str
    url: str


def newest_version(
    line: AnyLine, owner: str, slug: str, *, supposed: Saved | None = None
) -> Saved | None:
    """The newest version of a notebook on Kaggle; None if there is none.

    Args:
        line: to Kaggle.
        owner: user.
        slug: its name in addresses.
        supposed: what a rehearsal takes to be there.
    """
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest
    from requests import HTTPError

    request = ApiGetKernelRequest()
    request.user_name, request.kernel_slug = owner, slug
    try:
        found = line.ask("kernels", "get_kernel", request)
    except HTTPError as error:
        if status_of(error) in (_HIDDEN, _ABSENT):
            return None
        raise
    if line.is_rehearsal:
        return supposed
    return Saved(int(found.metadata.current_version_number or 0), str(found.blob.source or ""))


def push_notebook(line: AnyLine, notebook: Notebook) -> int:
    """Save a private version with the network off, which Kaggle runs at once.

    Returns:
        Its number.

    Raises:
        PlatformError: Kaggle refuses it or what it mounts.
    """
    from kagglesdk.kernels.types.kernels_api_service import ApiSaveKernelRequest

    request = ApiSaveKernelRequest()
    request.slug, request.new_title = notebook.ref, notebook.title
    request.text = sent_text(notebook.text)
    request.language, request.kernel_type = "python", "notebook"
    request.is_private, request.enable_internet = True, False
    request.enable_gpu = notebook.has_gpu
    request.dataset_data_sources = list(notebook.datasets)
    request.competition_data_sources = list(notebook.competitions)
    request.kernel_data_sources = list(notebook.notebooks)
    supposed = {"error": "", "version_number": 1}
    found = line.ask("kernels", "save_kernel", request, supposed=supposed, once=True)
    refused = [
        *([line.shown(found.error)] if found.error else []),
        *(
            f"it may not mount {kind} {', '.join(map(line.shown, names))}"
            for kind, names in _refused_mounts(found)
        ),
    ]
    if refused:
        raise PlatformError(
            f"Kaggle does not take notebook {notebook.ref}",
            *refused,
            remedy="correct that, and run the same command again",
        )
    return int(found.version_number)


def sent_text(text: str) -> str:
    """A notebook as Kaggle wants it: a cell's source as one text, and no outputs."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    return json.dumps(notebook)


def _cells(text: str) -> list[tuple[str, str]]:
    """Kind and source of each cell."""
    cells = json.loads(text)["cells"]
    return [(cell["cell_type"], "".join(cell["source"]).strip()) for cell in cells]


def state_of(line: AnyLine, owner: str, slug: str, version: int) -> Running:
    """How a version stands."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest
    from kagglesdk.kernels.types.kernels_enums import KernelWorkerStatus

    request = ApiGetKernelSessionStatusRequest()
    request.user_name, request.kernel_slug = owner, slug
    request.version_label = _label(version)
    supposed = {"status": KernelWorkerStatus.COMPLETE, "failure_message": ""}
    found = line.ask("kernels", "get_kernel_session_status", request, supposed=supposed)
    return Running(found.status.name.lower(), line.shown(found.failure_message))


def output_files(line: AnyLine, owner: str, slug: str, version: int) -> Iterator[OutputFile]:
    """The files that a version wrote, page by page: their addresses run out."""
    token: str | None = ""
    while token is not None:
        found = _output(line, owner, slug, version, token)
        yield from (OutputFile(str(file.file_name), str(file.url)) for file in found.files or [])
        token = found.next_page_token or None


def last_lines(line: AnyLine, owner: str, slug: str, version: int) -> list[str]:
    """The end of a version's log."""
    log = str(_output(line, owner, slug, version, "").log or "")
    try:
        parts = [str(part["data"]) for part in json.loads(log)]
    except (ValueError, KeyError, TypeError):
        parts = [log]
    lines = [line.shown(text) for text in "".join(parts).splitlines()]
    return [text for text in lines if text][-_LOG_LINES:]


def _output(line: AnyLine, owner: str, slug: str, version: int, token: str) -> Any:
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

    request = ApiListKernelSessionOutputRequest()
    request.user_name, request.kernel_slug = owner, slug
    request.version_label, request.page_size = _label(version), _PAGE
    if token:
        request.page_token = token
    supposed = {"files": [], "log": "", "next_page_token": ""}
    return line.ask("kernels", "list_kernel_session_output", request, supposed=supposed)


def _label(version: int) -> str:
    return f"v{version}"


def _refused_mounts(found: Any) -> list[tuple[str, Sequence[str]]]:
    kinds = {
        "dataset": "invalid_dataset_sources",
        "competition": "invalid_competition_sources",
        "the output of": "invalid_kernel_sources",
    }
    every = [(kind, getattr(found, name, None) or []) for kind, name in kinds.items()]
    return [(kind, names) for kind, names in every if names]
