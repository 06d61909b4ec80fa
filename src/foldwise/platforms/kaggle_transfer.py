"""Moves files to and from the addresses that Kaggle gives; what is cut off goes on where it was."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from foldwise.errors import PlatformError

Say = Callable[[str], None]
#: Gets the number of bytes that are over there, or here, by now.
Step = Callable[[int], None]

_CHUNK = 1 << 20
#: Of a piece that is cut off, nothing is kept.
_PIECE = 1 << 14
_DONE = (200, 201)
_INCOMPLETE, _PARTIAL = 308, 206
_GONE = (404, 410)
_PASSING = (408, 429)
_FAULT = 500


def send(
    path: Path,
    url: str,
    *,
    timeout_s: float,
    waits: Sequence[float],
    pause: Callable[[float], None],
    step: Step,
) -> None:
    """Upload a file in one piece; after a cut, ask how much has arrived and send the rest.

    The address is itself the permission: no credentials go with the file.

    Only tries in a row that brought nothing over count as failed.

    Args:
        path: the file.
        url: of a resumable upload, as Google's storage has it.
        timeout_s: longest silence of the server.
        waits: seconds before each new try.
        pause: waits so long.
        step: is told how many bytes have gone.

    Raises:
        PlatformError: the server refuses it, or it was cut off again and again.
    """
    import requests

    size = path.stat().st_size
    start = num_failed = 0
    while True:
        try:
            response = _put(url, path, start, size, timeout_s, step)
            if response.status_code in _DONE:
                return
            if response.status_code != _INCOMPLETE:
                _check_passing(path, response.status_code)
            why = f"the server answers {response.status_code}"
        except (requests.ConnectionError, requests.Timeout) as error:
            why = type(error).__name__
        if num_failed == len(waits):
            break
        pause(waits[num_failed])
        try:
            arrived = _arrived(path, url, size, timeout_s)
        except (requests.ConnectionError, requests.Timeout):
            arrived = start
        if arrived is None:
            return
        num_failed = 0 if arrived > start else num_failed + 1
        start = arrived
    raise PlatformError(
        f"{path.name}: uploading it was cut off again and again ({why})",
        remedy="look at the network, and run the same command again",
    )


def _put(url: str, path: Path, start: int, size: int, timeout_s: float, step: Step) -> Any:
    import requests

    headers = {"Content-Length": str(size - start)}
    if start:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    with path.open("rb") as file:
        file.seek(start)
        body = _Counted(file, size, start, step) if size > start else b""
        return requests.put(url, data=body, headers=headers, timeout=timeout_s)


def _arrived(path: Path, url: str, size: int, timeout_s: float) -> int | None:
    """How many bytes the server has; None: all of them."""
    import requests

    headers = {"Content-Length": "0", "Content-Range": f"bytes */{size}"}
    response = requests.put(url, headers=headers, timeout=timeout_s)
    if response.status_code in _DONE:
        return None
    if response.status_code != _INCOMPLETE:
        _check_passing(path, response.status_code)
        return 0
    found = re.fullmatch(r"bytes=0-(\d+)", response.headers.get("Range", ""))
    return 0 if found is None else int(found[1]) + 1


def _check_passing(path: Path, status: int) -> None:
    """Refuse an answer that will not be another one later."""
    if status in _GONE:
        raise PlatformError(
            f"{path.name}: the address for it has run out ({status})",
            remedy="run the same command again: it gets a new one",
        )
    if status < _FAULT and status not in _PASSING:
        raise PlatformError(
            f"{path.name}: the server does not take it ({status})",
            remedy="run the same command again; if that does not help, look whether something "
            "between here and Kaggle changes what is sent",
        )


class _Counted:
    """A file that tells how much of it was read; its length is what is left to be sent."""

    def __init__(self, file: IO[bytes], size: int, start: int, step: Step) -> None:
        self._file, self._size, self._start, self._step = file, size, start, step

    def __len__(self) -> int:
        return self._size - self._start

    def read(self, size: int = -1) -> bytes:
        self._step(self._file.tell())
        return self._file.read(_CHUNK if size < 0 else size)


def open_address(
    url: str, name: str, *, timeout_s: float, headers: Mapping[str, str] | None = None
) -> Any:
    """A response that is not read yet.

    Raises:
        ConnectionError: the server fails for now.
        PlatformError: it does not give the file.
    """
    import requests

    response = requests.get(url, headers=headers, stream=True, timeout=timeout_s)
    if response.status_code >= _FAULT or response.status_code in _PASSING:
        raise requests.ConnectionError(f"status {response.status_code}")
    if not response.ok:
        raise PlatformError(
            f"{name}: the server does not give it ({response.status_code})",
            remedy="run the same command again: it gets a new address",
        )
    return response


def receive(
    ask: Callable[[], Any],
    path: Path,
    *,
    timeout_s: float,
    waits: Sequence[float],
    pause: Callable[[float], None],
    step: Step,
) -> None:
    """Download a file; it appears whole. What an earlier try has of the same content is kept.

    Only tries in a row that brought nothing more count as failed.

    Args:
        ask: opens it: a response that is not read yet.
        path: its name here.
        timeout_s: longest silence of the server.
        waits: seconds before each new try.
        pause: waits so long.
        step: is told how many bytes have come.

    Raises:
        HTTPError: it is refused.
        PlatformError: it was cut off again and again.
    """
    import requests

    path.parent.mkdir(parents=True, exist_ok=True)
    num_failed = furthest = 0

    def counted(done: int) -> None:
        nonlocal num_failed, furthest
        if done > furthest:
            num_failed, furthest = 0, done
        step(done)

    while num_failed <= len(waits):
        try:
            if _received(ask(), path, timeout_s, counted):
                return
            why = "fewer bytes than announced"
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            why = type(error).__name__
        if num_failed < len(waits):
            pause(waits[num_failed])
        num_failed += 1
    raise PlatformError(
        f"{path.name}: downloading it was cut off again and again ({why})",
        remedy="look at the network, and run the same command again: it goes on where it was",
    )


def _received(response: Any, path: Path, timeout_s: float, step: Step) -> bool:
    """Whether the file is there whole now."""
    is_packed = "Content-Encoding" in response.headers  # Its length is that of other bytes.
    size = -1 if is_packed else int(response.headers.get("Content-Length") or -1)
    part = path.with_name(f".{path.name}.{_identity(response)}.part")
    have = part.stat().st_size if part.exists() else 0
    if have == size:
        response.close()
        return _published(part, path, size)
    if have:
        response.close()
        # If-Range: of another content all is sent, not the rest.
        headers = {"Range": f"bytes={have}-", "If-Range": _version(response)}
        response = open_address(response.url, path.name, timeout_s=timeout_s, headers=headers)
        have = have if response.status_code == _PARTIAL else 0
    with response, part.open("ab" if have else "wb") as file:
        for chunk in response.iter_content(_PIECE):
            file.write(chunk)
            step(file.tell())
        file.flush()
        os.fsync(file.fileno())
    return _published(part, path, size)


def _published(part: Path, path: Path, size: int) -> bool:
    if size >= 0 and part.stat().st_size != size:
        return False
    os.replace(part, path)
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.part"):  # Of earlier contents.
        other.unlink()
    return True


def _version(response: Any) -> str:
    return str(response.headers.get("ETag") or response.headers.get("Last-Modified") or "")


def _identity(response: Any) -> str:
    """Tells one content from another; of a server that does not say, no part is used again."""
    version = _version(response) or os.urandom(8).hex()
    return hashlib.sha256(version.encode()).hexdigest()[:12]
