"""A server on this machine that stands in for Kaggle, asked by Kaggle's own client."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

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

    def answer(self, request: str, body: Mapping[str, Any], who: str) -> tuple[int, bytes]:
        self.asked.append((request, body))
        self.authorized.append(who)
        if self.silent is not None:
            self.silent.wait(10)
        if self.body is not None:
            return 200, self.body
        if self.known and who not in self.known:
            return self.refused, _failure(self.refused, f"refused: {who}")
        if request in self.failing:
            return self.failing[request], _failure(self.failing[request], f"failed for {who}")
        if request == "ListCompetitions":
            words = str(body.get("search", "")).split()
            found = [v for name, v in self.listings.items() if any(w in name for w in words)]
            return 200, json.dumps({"competitions": found}).encode()
        if request == "GenerateAccessToken":
            return 200, json.dumps({"token": "renewed", "expiresIn": 3600}).encode()
        assert request == "GetCompetition", request
        listing = self.listings.get(str(body["competitionName"]))
        # So does Kaggle: what is mistyped is hidden, too.
        return (403, _failure(403, "denied")) if listing is None else (200, _json(listing))


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Starts it, and stops it after."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request, who = self.path.rsplit("/", 1)[-1], self.headers.get("Authorization", "")
            status, answer = stand_in.answer(request, body, who)
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:  # Whoever asked has given up waiting.
                self.close_connection = True

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


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _failure(code: int, message: str) -> bytes:
    return _json({"code": code, "message": message})


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """One that knows `retina-grades`; nobody has credentials yet."""
    with standing_in() as stand_in:
        stand_in.listings["retina-grades"] = GRADES
        point_client_at(monkeypatch, stand_in.url, tmp_path / "home")
        yield stand_in
