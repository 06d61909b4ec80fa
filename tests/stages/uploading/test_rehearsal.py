"""`--dry-run`: it says just the calls that are then made, and makes none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from foldwise.home import Home
from foldwise.stages.init import init
from foldwise.stages.push import push
from foldwise.stages.submit import submit
from foldwise.stages.uploading.submission import upload
from tests.platforms.stand_in import StandIn
from tests.stages.small_competition import QUIET
from tests.stages.uploading.conftest import SLUG, Shown, make_pack

_CALL = re.compile(r"would call: (POST|PUT|GET) (.*)")
#: Only the answers say which these are.
_UNKNOWN = ("token", "blobFileTokens", "ref")


def said_calls(text: str) -> list[tuple[str, Any]]:
    """Request and arguments."""
    calls: list[tuple[str, Any]] = []
    for kind, rest in _CALL.findall(text):
        if kind == "POST":
            path, _, words = rest.partition(" {")
            calls.append(
                (path.rpartition("/")[2], json.loads("{" + words.partition(", if need")[0]))
            )
        elif kind == "PUT":
            assert re.search(r": \S+, [\d,]+ bytes", rest)
            calls.append(("put", None))
        else:
            calls.append(("get", None))
    return calls


def made_calls(kaggle: StandIn) -> list[tuple[str, Any]]:
    return [
        (request, None if request in ("put", "get") else dict(body))
        for request, body in kaggle.asked
    ]


def alike(calls: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Without what only answers say, and with long texts by their beginning."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: "?" if key in _UNKNOWN else plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, str):
            return value.replace("USERNAME", "me")[:100]
        return value

    return [(request, json.dumps(plain(body), sort_keys=True)) for request, body in calls]


def files_of(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name[-5:] != ".lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_push_says_the_calls_that_it_makes(
    kaggle: StandIn, home: Home, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pack(home)
    with monkeypatch.context() as patch:
        patch.delenv("KAGGLE_API_TOKEN")
        before = files_of(home.path)
        push(home, "night", dry_run=True, display=shown.display)
        assert files_of(home.path) == before
    assert kaggle.asked == []
    push(home, "night", display=QUIET)
    assert alike(said_calls(shown.text.getvalue())) == alike(made_calls(kaggle))
    said = shown.text.getvalue()
    assert "datasets.DatasetApiService/CreateDataset" in said
    assert "is uploaded" not in said


def test_submit_says_the_calls_that_it_makes(kaggle: StandIn, home: Home, shown: Shown) -> None:
    entry = submit(home, "a", display=QUIET).entry
    before = files_of(home.path)
    upload(home, entry, dry_run=True, display=shown.display)
    assert files_of(home.path) == before
    assert kaggle.asked == []
    upload(home, entry, display=QUIET)
    assert alike(said_calls(shown.text.getvalue())) == alike(made_calls(kaggle))
    assert "handed in" not in shown.text.getvalue()


def test_what_is_there_already_is_rehearsed_as_such(
    kaggle: StandIn, home: Home, shown: Shown
) -> None:
    make_pack(home)
    entry = submit(home, "a", display=QUIET).entry
    for _ in range(2):
        push(home, "night", display=QUIET)
        upload(home, entry, display=QUIET)
        made = alike(made_calls(kaggle))
        kaggle.asked.clear()
    push(home, "night", dry_run=True, display=shown.display)
    upload(home, entry, dry_run=True, display=shown.display)
    assert alike(said_calls(shown.text.getvalue())) == made


def test_a_notebook_that_is_handed_in_is_rehearsed_too(
    kaggle: StandIn, home: Home, shown: Shown
) -> None:
    make_pack(home)
    push(home, "night", display=QUIET)
    kaggle.asked.clear()
    entry = submit(home, "a", display=QUIET).entry
    upload(home, entry, pack="night", dry_run=True, display=shown.display)
    upload(home, entry, pack="night", display=QUIET)
    assert alike(said_calls(shown.text.getvalue())) == alike(made_calls(kaggle))


def test_init_says_the_calls_and_writes_nothing(
    kaggle: StandIn, tmp_path: Path, shown: Shown
) -> None:
    target = tmp_path / "new"
    options = {"platform": f"kaggle:{SLUG}", "download": True, "dry_run": True}
    init(target, **options, display=shown.display)  # type: ignore[arg-type]  # by name
    assert kaggle.asked == []
    assert not target.exists()
    names = [name for name, _ in said_calls(shown.text.getvalue())]
    assert names == ["GetCompetition", "DownloadDataFiles", "get"]
