"""Twenty marked secrets go in, and no byte of them comes out, whatever the verb and its end."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from foldwise.__main__ import main
from foldwise.home import Home
from foldwise.stages.report import report
from tests.platforms.stand_in import GRADES, StandIn, Trouble, basic
from tests.stages.small_competition import QUIET
from tests.stages.uploading.conftest import SLUG, change, make_pack

MARKS = [f"MARK{number:02d}x" for number in range(20)]
ENDS = ("good", "refused", "failing", "not let in", "says it", "cut", "strange")


def make_end(kaggle: StandIn, end: str, mark: str) -> None:
    """Let the next verb end so; in `says it` Kaggle repeats the secret in its own words."""
    kaggle.known = ("nobody",) if end == "refused" else ()
    failing = ("ListSubmissions", "GetDataset", "DownloadDataFiles") if end == "failing" else ()
    kaggle.failing = dict.fromkeys(failing, 500)
    kaggle.body = f"<html>{mark}".encode() if end == "strange" else None
    cut = {"put": [Trouble(after=3)] * 50, "CreateSubmission": [Trouble()], "get": [Trouble()] * 50}
    kaggle.troubles = {**cut} if end == "cut" else {}
    site, says = kaggle.site, end == "says it"
    site.entered, site.allowed = end != "not let in", 5
    site.run_end = ("ERROR", f"no access with {mark}") if says else ("COMPLETE", "")
    site.log = f"token={mark}\nBearer {mark}" if says else ""
    site.scores = [f"{mark} is wrong"] * 9 if says else []


@pytest.fixture
def everything(
    kaggle: StandIn,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., str]:
    """Runs a verb; all that is shown or in any file afterwards, but for where secrets belong."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr("train.csv", "id,label\n")
    kaggle.site.files = packed.getvalue()
    kaggle.site.outputs = {"submission.csv": b"id,label\n"}
    titles: list[bytes] = []

    def run(end: str, mark: str, words: list[str], **environment: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            make_end(kaggle, end, mark)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["foldwise", *words])
            try:
                main()
            except SystemExit:
                pass
            except BaseException as error:  # With FOLDWISE_DEBUG it comes out as it is.
                print(repr(error), error)
            titles.append(Path(f"/proc/{os.getpid()}/cmdline").read_bytes())
        written = [
            path.read_bytes().decode("latin-1")
            for folder in (tmp_path, Path(tempfile.gettempdir()))
            for path in folder.glob("**/*" if folder == tmp_path else "foldwise*")
            if path.is_file() and tmp_path / "home" not in path.parents
        ]
        return "\n".join([*capfd.readouterr(), *written, *map(repr, titles)])

    return run


def verbs(home: Home, tmp_path: Path) -> list[list[str]]:
    fresh = str(Path(tempfile.mkdtemp(dir=tmp_path)) / "mine")
    at = ["-C", str(home.path)]
    return [
        ["init", fresh, "--platform", f"kaggle:{SLUG}", "--download", "--task", "multiclass"],
        ["push", "night", "--again", *at],
        ["push", "night", "--dry-run", *at],
        ["submit", "a", "--upload", *at],
        ["submit", "b", "--upload", "--quiet", *at],
        ["submit", "a", "--upload", "--dry-run", *at],
    ]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs the names of processes")
def test_no_byte_of_twenty_secrets_comes_out(
    kaggle: StandIn, home: Home, everything: Callable[..., str], tmp_path: Path
) -> None:
    """Placed: 7 tokens, 7 keys, a file's token, a file's key, 2 proxies, a name, an address."""
    make_pack(home)
    change(home, deadline=None)
    kaggle.listings[SLUG] = GRADES
    left = iter(MARKS)
    texts: list[str] = []
    used: list[str] = []

    def run_all(end: str, mark: str, **environment: str) -> None:
        for words in verbs(home, tmp_path):
            texts.append(everything(end, mark, words, **environment))

    for number, end in enumerate(ENDS):
        token, key = next(left), next(left)
        debug = {"FOLDWISE_DEBUG": "1"} if number % 2 else {}
        run_all(end, token, KAGGLE_API_TOKEN=token, **debug)
        run_all(end, key, KAGGLE_USERNAME="me", KAGGLE_KEY=key, **debug)
        used += [token, key]
        assert f"Bearer {token}" in kaggle.authorized
        assert basic("me", key) in kaggle.authorized
    folder = Path.home() / ".kaggle"
    folder.mkdir()
    token, key = next(left), next(left)
    (folder / "access_token").write_text(token)
    run_all("says it", token)
    (folder / "access_token").unlink()
    (folder / "kaggle.json").write_text(json.dumps({"username": "me", "key": key}))
    run_all("says it", key)
    assert {f"Bearer {token}", basic("me", key)} <= set(kaggle.authorized)
    proxy = kaggle.url.replace("//", f"//me:{(word := next(left))}@")
    run_all("says it", word, KAGGLE_API_TOKEN="token", http_proxy=proxy)
    run_all(
        "failing", "", KAGGLE_API_TOKEN="token", http_proxy=f"http://me:{next(left)}@127.0.0.1:9"
    )
    run_all("good", "", KAGGLE_API_TOKEN=f"{next(left)}\nmore")
    kaggle.site.signature = next(left)  # Addresses that are themselves the permission.
    make_pack(home, "day")
    run_all("good", "", KAGGLE_API_TOKEN="token")
    run_all("cut", "", KAGGLE_API_TOKEN="token")
    assert list(left) == []
    report(home, display=QUIET)
    texts.append(home.report.read_text("utf-8"))
    forms = [*MARKS, *(base64.b64encode(f"me:{mark}".encode()).decode() for mark in MARKS)]
    num_texts, num_bytes = len(texts), sum(map(len, texts))
    found = [mark for mark in forms for text in texts if mark in text]
    print(f"secrets placed 20, texts {num_texts}, characters {num_bytes:,}, found {len(found)}")
    assert found == []
    assert num_texts > 100
    assert not list(tmp_path.glob("foldwise-crash*"))
