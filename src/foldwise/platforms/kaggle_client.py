"""Opens Kaggle's client: credentials found at the call, time-outs, and failures without secrets.

The client is `kagglesdk`, which the package `kaggle` is made on: importing `kaggle` itself signs
in over the network, prints, and makes folders.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from foldwise import __version__
from foldwise.errors import FoldwiseError, PlatformError

_REFUSED, _TOO_MANY = (401, 403), 429
#: More than any title or message needs; what is longer is not meant to be read on one line.
_MAX_WORDS = 300
#: Where `kaggle auth login` leaves what it got.
_LOGIN = "~/.kaggle/credentials.json"
_GET_TOKEN = (
    "make a token at https://www.kaggle.com/settings/api and put it into KAGGLE_API_TOKEN or "
    "~/.kaggle/access_token, or run: kaggle auth login"
)


@dataclass(frozen=True)
class _Credentials:
    """What the client is opened with.

    Attributes:
        source: where it stands; never what stands there.
        options: arguments of the client.
        username: whose they are; "": only Kaggle knows.
    """

    source: str
    options: dict[str, str] = field(repr=False)
    username: str = ""


@dataclass(frozen=True)
class Connection:
    """An open client of Kaggle.

    Attributes:
        client: of `kagglesdk`, signed in.
        timeout_s: longest silence of the server.
    """

    client: Any = field(repr=False)
    timeout_s: float
    _credentials: _Credentials = field(repr=False)

    def username(self) -> str:
        """Whose credentials they are; where they do not tell, Kaggle is asked.

        Raises:
            PlatformError: Kaggle does not know the token.
        """
        known = self._credentials
        if known.username:
            return known.username
        from kagglesdk.security.types.oauth_service import IntrospectTokenRequest

        request = IntrospectTokenRequest()
        request.token = known.options["api_token"]
        found = self.client.security.oauth_client.introspect_token(request)
        if not (found.active and found.username):
            raise PlatformError(f"Kaggle does not know {known.source}", remedy=_GET_TOKEN)
        return str(found.username)

    def shown(self, text: object) -> str:
        """What Kaggle says, on one line that can be shown, with no credentials in it."""
        words = str(text or "")
        for secret in sorted(self._secrets(), key=len, reverse=True):
            words = words.replace(secret, "(hidden)")
        return plain(words)

    def _secrets(self) -> set[str]:
        """What must not be shown, in the forms in which it is sent."""
        known = self._credentials.options
        found = {known[name] for name in ("api_token", "password") if name in known}
        if "password" in known:
            pair = f"{known['username']}:{known['password']}"
            found.add(base64.b64encode(pair.encode()).decode())
        proxies = [urlsplit(address).password for address in getproxies().values()]
        return {each for each in (*found, *proxies) if each}


@contextmanager
def connected(timeout_s: float) -> Iterator[Connection]:
    """A signed-in client of Kaggle; whatever fails in its block is told in words of our own.

    The words of a failure hold addresses, headers or what the server said, hence secrets: none of
    them is passed on.

    Args:
        timeout_s: longest silence of the server.

    Raises:
        PlatformError: no client, no credentials, they are refused, or Kaggle cannot be asked.
    """
    kagglesdk = check_installed()
    source = ""
    try:
        credentials = _token(kagglesdk) or _key() or _login(kagglesdk, timeout_s)
        source = credentials.source
        with _opened(kagglesdk, credentials.options, timeout_s) as client:
            yield Connection(client, timeout_s, credentials)
    except FoldwiseError:
        raise
    except (Exception, SystemExit) as error:
        if source and _is_of_the_disk(error):
            raise
        raise _in_words(error, source, timeout_s) from None


def check_installed() -> Any:
    """Kaggle's client, as a module.

    Raises:
        PlatformError: it is not there.
    """
    try:
        import kagglesdk
    except ImportError as error:
        raise PlatformError(
            f"Kaggle's client is not installed (no module {error.name})",
            remedy="pip install 'foldwise[kaggle]'",
        ) from None
    return kagglesdk


def status_of(error: Any) -> int:
    """The status of an answer that the client took for a failure; some stand in its body only."""
    status = int(error.response.status_code)
    return status if status >= 400 else int(error.response.json()["code"])


@contextmanager
def _opened(kagglesdk: Any, options: dict[str, str], timeout_s: float) -> Iterator[Any]:
    from requests.adapters import HTTPAdapter

    adapter = HTTPAdapter()
    send = adapter.send
    # The client waits for ever, and only its session can be told not to.
    adapter.send = lambda request, **rest: send(request, **{**rest, "timeout": timeout_s})
    with kagglesdk.KaggleClient(user_agent=f"foldwise/{__version__}", **options) as client:
        session = client.http_client()._session
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter)
        yield client


def _token(kagglesdk: Any) -> _Credentials | None:
    """A token of the environment, or of the client's own file."""
    try:
        token, source = kagglesdk.get_access_token_from_env()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise PlatformError(
                "the file with Kaggle's token cannot be read",
                remedy="look at ~/.kaggle/access_token, or the file that KAGGLE_API_TOKEN names",
            ) from None
        # The client asks whether the token is a file, and a long one cannot even be asked for.
        token, source = os.environ["KAGGLE_API_TOKEN"], "KAGGLE_API_TOKEN"
    if not token:
        return None
    where = source if source.startswith("KAGGLE_") else f"~/.kaggle/{source}"
    return _Credentials(where, {"api_token": token.strip()})


def _key() -> _Credentials | None:
    """User name and key of the environment, or of the client's own file."""
    path = _key_file()
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = None
    stored = stored if isinstance(stored, dict) else {}
    username = os.environ.get("KAGGLE_USERNAME") or stored.get("username")
    key = os.environ.get("KAGGLE_KEY") or stored.get("key")
    if not username or not key:
        return None
    where = "KAGGLE_USERNAME and KAGGLE_KEY" if os.environ.get("KAGGLE_KEY") else str(path)
    options = {"username": str(username), "password": str(key)}
    return _Credentials(where, options, str(username))


def _key_file() -> Path:
    """Where the client looks for it."""
    said, usual = os.environ.get("KAGGLE_CONFIG_DIR"), Path.home() / ".kaggle"
    if said:
        folder = Path(said)
    elif usual.exists() or not sys.platform.startswith("linux"):
        folder = usual
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    return folder / "kaggle.json"


def _login(kagglesdk: Any, timeout_s: float) -> _Credentials:
    """What `kaggle auth login` left, renewed by the client where it has run out.

    Raises:
        PlatformError: there is none, so there are no credentials at all.
    """
    token, username = None, ""
    if Path(_LOGIN).expanduser().exists():
        with _opened(kagglesdk, {}, timeout_s) as client:
            login = kagglesdk.KaggleCredentials.load(client)
            if login is not None:
                token, username = login.get_access_token(), str(login.get_username() or "")
    if not token:
        raise PlatformError(
            "no credentials for Kaggle: looked for KAGGLE_API_TOKEN, KAGGLE_USERNAME with "
            f"KAGGLE_KEY, ~/.kaggle/access_token, {_key_file()} and {_LOGIN}",
            remedy=_GET_TOKEN,
        )
    return _Credentials(_LOGIN, {"api_token": token}, username)


def plain(text: object, longest: int = _MAX_WORDS) -> str:
    """On one line, of characters that can be shown, and no more of them than `longest`."""
    shown = "".join(sign if sign.isprintable() else " " for sign in str(text or ""))
    return " ".join(shown.split())[:longest]


def _is_of_the_disk(error: BaseException) -> bool:
    """Whether this machine's disk refused something; its words name our own files."""
    from requests import RequestException

    is_foreign = isinstance(error, RequestException)
    return isinstance(error, OSError) and not is_foreign and error.filename is not None


def _in_words(error: BaseException, source: str, timeout_s: float) -> PlatformError:
    from requests import exceptions

    kind = type(error).__name__
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        status = status_of(error)
        # Before there is a source, a login is renewed, and a stale one is a bad request.
        if status in _REFUSED or (status == 400 and not source):
            where = source or _LOGIN
            return PlatformError(
                f"Kaggle refuses the credentials of {where} ({status})", remedy=_GET_TOKEN
            )
        if status == _TOO_MANY:
            return PlatformError(
                "Kaggle answers 429: it wants fewer requests",
                remedy="run the same command again later",
            )
        return PlatformError(f"Kaggle answers {status}", remedy="try again later")
    if isinstance(error, exceptions.Timeout):
        found = f"Kaggle does not answer within {timeout_s:g} s"
        return PlatformError(found, remedy="look at the network, or try again later")
    if isinstance(error, exceptions.ConnectionError):
        return PlatformError(f"Kaggle cannot be reached ({kind})", remedy="look at the network")
    return PlatformError(
        f"asking Kaggle failed ({kind})",
        remedy="look whether the credentials are whole and the network lets Kaggle answer itself",
    )
