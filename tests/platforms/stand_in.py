"""A server on this machine that stands in for Kaggle, asked by Kaggle's own client."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.platforms.site import Answer, Site, failure, told

TOKEN = "a-token"
#: As Kaggle lists them: names are addresses, times end in Z.
GRADES = {
    "id": 17,
    "ref": "https://www.kaggle.com/competitions/retina-grades",
    "title": "Retina: grades",
    "deadline": "2031-05-06T23:59:00Z",
    "maxDailySubmissions": 5,
    "evaluationMetric": "Quadratic Weighted Kappa",
}


@dataclass(frozen=True)
class Trouble:
    """What befalls a request.

    Attributes:
        status: that it fails with; 0: the connection is cut.
        words: with it.
        headers: with it.
        after: bytes that pass before the cut.
    """

    status: int = 0
    words: str = "trouble"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int = 0


@dataclass
class StandIn:
    """What it answers, and what it was asked.

    Attributes:
        url: where it listens.
        listings: competition → what is known of it.
        failing: request → status that it fails with.
        refused: status for whoever brings none of `known`.
        known: values of the header `Authorization` that are let in; empty: all.
        silent: answers nothing while it is set.
        body: an answer given to all, whatever was asked.
        asked: request and body, in the order they came.
        authorized: values of the header `Authorization`, in the order they came.
        site: what there is beside listings.
        troubles: request, or `put` or `get` → what befalls the next of them, in turn; None:
            nothing.
        interrupt_at: the request at which this process is interrupted, as by Ctrl-C, once that is
            done and before it is answered; 0: none.
    """

    url: str = ""
    listings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    refused: int = 401
    known: tuple[str, ...] = ()
    silent: threading.Event | None = None
    body: bytes | None = None
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    authorized: list[str] = field(default_factory=list)
    site: Site = field(default_factory=Site)
    troubles: dict[str, Sequence[Trouble | None]] = field(default_factory=dict)

    interrupt_at: int = 0

    def trouble(self, request: str) -> Trouble | None:
        """What befalls this request."""
        first, *rest = self.troubles.get(request) or [None]
        self.troubles[request] = rest
        return first

    def answer(self, request: str, body: Mapping[str, Any], who: str) -> Answer:
        self.asked.append((request, body))
        self.authorized.append(who)
        if self.silent is not None:
            self.silent.wait(10)
        if self.body is not None:
            return 200, {"Content-Type": "application/json"}, self.body
        if self.known and who not in self.known:
            return failure(self.refused, f"refused: {who}")
        if request in self.failing:
            return failure(self.failing[request], f"failed for {who}")
        if request == "ListCompetitions":
            words = str(body.get("search", "")).split()
            found = [v for name, v in self.listings.items() if any(w in name for w in words)]
            return told({"competitions": found})
        if request == "GenerateAccessToken":
            return told({"token": "renewed", "expiresIn": 3600})
        known = self.site.answer(request, body)
        if known is not None:
            return known
        assert request == "GetCompetition", request
        listing = self.listings.get(str(body["competitionName"]))
        # So does Kaggle: what is mistyped is hidden, too.
        if listing is None:
            return failure(403, "denied")
        return told({"userHasEntered": self.site.entered, **listing})


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Starts it, and stops it after."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request, who = self.path.rsplit("/", 1)[-1], self.headers.get("Authorization", "")
            trouble = stand_in.trouble(request)
            if trouble is not None and trouble.status:
                stand_in.asked.append((request, body))
                self.reply(failure(trouble.status, trouble.words), trouble.headers)
                return
            answer = stand_in.answer(request, body, who)
            if trouble is not None:  # It is done, and nobody is told.
                self.close_connection = True
                return
            self.reply(answer)

        def do_PUT(self) -> None:
            """A file comes in, or is asked for: Google's resumable uploads."""
            assert "Authorization" not in self.headers
            assert stand_in.site.signature in self.path
            blob = stand_in.site.blobs[self.path.split("/put/")[1].split("?")[0]]
            length = int(self.headers["Content-Length"])
            place = self.headers.get("Content-Range", "bytes 0-")
            trouble = stand_in.trouble("put" if length else "look")
            stand_in.asked.append(("put", {"name": blob.name, "range": place, "length": length}))
            if trouble is not None and trouble.status:
                self.rfile.read(length)
                self.reply((trouble.status, {}, b""), trouble.headers)
                return
            if "*" not in place:
                start = int(place.removeprefix("bytes ").split("-")[0])
                assert start == len(blob.data)
                cut = length if trouble is None else trouble.after
                blob.data += self.rfile.read(cut)
                if trouble is not None:
                    self.close_connection = True
                    return
            headers = {"Range": f"bytes=0-{len(blob.data) - 1}"} if blob.data else {}
            self.reply((200, {}, b"") if blob.is_whole else (308, headers, b""))

        def do_GET(self) -> None:
            """A file goes out, from where it is wanted."""
            assert "Authorization" not in self.headers
            assert stand_in.site.signature in self.path
            name = self.path.split("/get/")[1].split("?")[0]
            data = stand_in.site.stored(name)
            version = f'"{hashlib.sha256(data).hexdigest()[:8]}"'
            wanted, trouble = self.headers.get("Range"), stand_in.trouble("get")
            stand_in.asked.append(("get", {"name": name, "range": wanted}))
            if trouble is not None and trouble.status:
                self.reply((trouble.status, {}, b""), trouble.headers)
                return
            is_part = wanted is not None and self.headers.get("If-Range") == version
            start = int(str(wanted).removeprefix("bytes=").rstrip("-")) if is_part else 0
            self.interrupt()
            end = len(data) if trouble is None else start + trouble.after
            self.close_connection = trouble is not None
            with contextlib.suppress(OSError):  # Whoever asked may look at the headers only.
                self.send_response(206 if is_part else 200)
                self.send_header("ETag", version)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                self.wfile.write(data[start:end])

        def reply(self, answer: Answer, more: Mapping[str, str] | None = None) -> None:
            status, headers, body = answer
            self.interrupt()
            try:
                self.send_response(status)
                for name, value in {**headers, **(more or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # Whoever asked has given up waiting.
                self.close_connection = True

        def interrupt(self) -> None:
            if stand_in.interrupt_at and len(stand_in.asked) == stand_in.interrupt_at:
                stand_in.interrupt_at = 0
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stand_in
    finally:
        if stand_in.silent is not None:
            stand_in.silent.set()
        server.shutdown()
        thread.join()
        server.server_close()


def point_client_at(monkeypatch: pytest.MonkeyPatch, url: str, home: Path) -> None:
    """Let Kaggle's client ask `url`, with no credentials at all.

    The client knows a server on this machine, at a port of its own choice; the proxy moves it.
    """
    for name in list(os.environ):
        if name.startswith("KAGGLE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("http_proxy", url)
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))


def basic(username: str, key: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{key}".encode()).decode()


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """One that knows `retina-grades`; nobody has credentials yet."""
    with standing_in() as stand_in:
        stand_in.listings["retina-grades"] = GRADES
        point_client_at(monkeypatch, stand_in.url, tmp_path / "home")
        yield stand_in
