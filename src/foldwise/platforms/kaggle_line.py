"""The line to Kaggle: calls made with patience, or said and not made."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from foldwise.errors import PlatformError
from foldwise.platforms.kaggle_client import Connection, check_installed, connected, status_of
from foldwise.platforms.kaggle_transfer import Say, Step, open_address, receive, send

#: How long to wait before a call is made again, in seconds.
_WAITS = (2.0, 5.0, 15.0, 30.0, 60.0)
#: Whoever is told to wait longer than this is told so, and nothing waits.
_LONGEST_S = 900.0
_BAD, _HIDDEN, _TOO_MANY, _FAULT = 400, 403, 429, 500
_SERVICES = {
    "competitions": ("competition_api_client", "competitions.CompetitionApiService"),
    "datasets": ("dataset_api_client", "datasets.DatasetApiService"),
    "kernels": ("kernels_api_client", "kernels.KernelsApiService"),
    "blobs": ("blob_api_client", "blobs.BlobApiService"),
}
_REMEDY = "run the same command again: it looks first what Kaggle has"

#: Waits so many seconds. Tests put in one that does not.
pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Line:
    """Makes calls, and makes them again where that does no harm.

    Attributes:
        say: shows a line.
    """

    connection: Connection
    say: Say
    is_rehearsal = False

    def username(self) -> str:
        """Whose credentials they are."""
        return self.connection.username()

    def shown(self, text: object) -> str:
        """What Kaggle says, on one line that can be shown, with no credentials in it."""
        return self.connection.shown(text)

    def ask(
        self, service: str, method: str, request: Any, *, supposed: Any = None, once: bool = False
    ) -> Any:
        """Kaggle's answer to a request.

        A busy or failing server is asked again, as late as it says; unless `once`, where asking
        again could do a thing twice.

        Args:
            service: competitions, datasets, kernels or blobs.
            method: of the client, such as `create_dataset`.
            request: its argument.
            supposed: what a rehearsal takes the answer for: attribute → value.
            once: whether doing it twice would do harm.

        Raises:
            HTTPError: Kaggle refuses it, or fails again and again.
            RequestException: it cannot be reached.
            PlatformError: it is refused with a reason, or may have been done or not, or Kaggle is
                busy for long.
        """
        from requests import ConnectionError, HTTPError, Timeout
        from requests.exceptions import ChunkedEncodingError

        api = getattr(getattr(self.connection.client, service), _SERVICES[service][0])
        for wait in (*_WAITS, None):
            try:
                return getattr(api, method)(request)
            except HTTPError as error:
                status = status_of(error)
                if status == _BAD or (once and status == _HIDDEN):
                    raise self._refused(method, error) from None
                if status != _TOO_MANY and status < _FAULT:
                    raise
                if once and status != _TOO_MANY:
                    raise _unsure(method, f"Kaggle answers {status}") from None
                wait = _asked_wait_s(error.response, wait)
                if wait is None:
                    raise
                self._wait(wait, f"Kaggle answers {status}")
            except (ConnectionError, Timeout, ChunkedEncodingError) as error:
                if once:
                    raise _unsure(method, f"no answer ({type(error).__name__})") from None
                if wait is None:
                    raise
                self._wait(wait, f"no answer ({type(error).__name__})")
        raise AssertionError("the last round raises or returns")

    def send(self, path: Path, url: str, step: Step) -> None:
        """Upload a file to an address that Kaggle gave; cut off, it goes on where it was."""
        send(path, url, timeout_s=self.connection.timeout_s, waits=_WAITS, pause=pause, step=step)

    def receive(self, ask: Callable[[], Any], path: Path, step: Step) -> None:
        """Download what `ask` opens; cut off, it goes on where it was."""
        wait = self.connection.timeout_s
        receive(ask, path, timeout_s=wait, waits=_WAITS, pause=pause, step=step)

    def fetch(self, url: str, path: Path, step: Step) -> None:
        """Download what lies at an address that Kaggle gave; see `receive`."""
        wait = self.connection.timeout_s
        self.receive(lambda: open_address(url, path.name, timeout_s=wait), path, step)

    def _refused(self, method: str, error: Any) -> PlatformError:
        """That Kaggle does not do it, in its own words."""
        try:
            words = error.response.json().get("message")
        except (ValueError, AttributeError):
            words = ""
        return PlatformError(
            f"Kaggle refuses {_camel(method)}: {self.shown(words) or 'no reason said'}",
            remedy="correct that, and run the same command again",
        )

    def _wait(self, wait_s: float, why: str) -> None:
        if wait_s > _LONGEST_S:
            raise PlatformError(
                f"{why}, and wants to be left alone for {wait_s / 60:.0f} min",
                remedy="run the same command again then",
            )
        self.say(f"{why}: again in {wait_s:.0f} s")
        pause(wait_s)


@dataclass(frozen=True)
class Rehearsal:
    """Says every call and makes none; answers are taken to be what is hoped for.

    Attributes:
        say: shows a line.
        supposed_username: whose credentials they would be.
    """

    say: Say
    supposed_username: str
    is_rehearsal = True

    def username(self) -> str:
        """Whose they are taken to be."""
        self.say('POST security.OAuthService/IntrospectToken {"token": "(yours)"}, if need be')
        return self.supposed_username

    def shown(self, text: object) -> str:
        """As it is."""
        return str(text)

    def ask(
        self, service: str, method: str, request: Any, *, supposed: Any = None, once: bool = False
    ) -> Any:
        """Say the call; see `Line.ask`."""
        words = json.dumps(_shortened(request.to_dict()), ensure_ascii=False)
        self.say(f"POST {_SERVICES[service][1]}/{_camel(method)} {words}")
        return SimpleNamespace(**(supposed or {}))

    def send(self, path: Path, url: str, step: Step) -> None:
        """Say that a file would be uploaded."""
        self.say(f"PUT {url}: {path.name}, {path.stat().st_size:,} bytes")

    def receive(self, ask: Callable[[], Any], path: Path, step: Step) -> None:
        """Say what would be downloaded."""
        ask()
        self.say(f"GET (the address in that answer) into {path}")

    def fetch(self, url: str, path: Path, step: Step) -> None:
        """Say what would be downloaded."""
        self.say(f"GET (an address in that answer) into {path}")


AnyLine = Line | Rehearsal


@contextmanager
def opened(
    say: Say, *, dry_run: bool = False, username: str | None = None, timeout_s: float = 120.0
) -> Iterator[AnyLine]:
    """A line to Kaggle, or a rehearsal, which needs neither network nor credentials.

    Args:
        say: shows a line.
        dry_run: whether calls are only said.
        username: what a rehearsal takes for it.
        timeout_s: longest silence of the server.

    Raises:
        PlatformError: see `kaggle_client.connected`.
    """
    if dry_run:
        check_installed()
        yield Rehearsal(lambda text: say(f"would call: {text}"), username or "USERNAME")
        return
    with connected(timeout_s) as connection:
        yield Line(connection, say)


def _unsure(method: str, why: str) -> PlatformError:
    return PlatformError(f"{why} to {_camel(method)}: it may have been done or not", remedy=_REMEDY)


def _asked_wait_s(response: Any, usual: float | None) -> float | None:
    """How long the server wants to be left alone, else what is usual; None: no more."""
    asked = response.headers.get("Retry-After")
    if usual is None or asked is None:
        return usual
    if re.fullmatch(r"\d+", asked.strip()):
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return usual
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _camel(method: str) -> str:
    return "".join(word.capitalize() for word in method.split("_"))


def _shortened(value: Any, longest: int = 120) -> Any:
    """The value with long texts cut: a notebook's source fills pages."""
    if isinstance(value, dict):
        return {key: _shortened(item, longest) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item, longest) for item in value]
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}... ({len(value):,} characters)"
    return value
