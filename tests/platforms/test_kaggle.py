from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foldwise.errors import ConfigError, PlatformError
from foldwise.platforms.kaggle import Listing, fetch_listing, slug_of
from tests.platforms.stand_in import GRADES, TOKEN, StandIn, basic


@pytest.fixture
def token(kaggle: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)


def home_file(name: str, text: str) -> Path:
    path = Path.home() / ".kaggle" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.usefixtures("token")
def test_a_competition_is_known_by_its_metric_title_deadline_and_limit(kaggle: StandIn) -> None:
    assert fetch_listing("retina-grades") == Listing(
        slug="retina-grades",
        title="Retina: grades",
        metric="Quadratic Weighted Kappa",
        deadline=datetime(2031, 5, 6, 23, 59, tzinfo=UTC),
        daily_submissions=5,
    )
    assert kaggle.asked == [("GetCompetition", {"competitionName": "retina-grades"})]
    assert kaggle.authorized == [f"Bearer {TOKEN}"]


@pytest.mark.usefixtures("token")
def test_what_kaggle_leaves_open_stays_open(kaggle: StandIn) -> None:
    kaggle.listings["bare"] = {"id": 1, "maxDailySubmissions": 0}
    assert fetch_listing("bare") == Listing("bare", "", "", None, None)


@pytest.mark.usefixtures("token")
def test_words_of_the_server_come_on_one_line_that_can_be_shown(kaggle: StandIn) -> None:
    title = "A\n# b\x1b[31m \u202e\ud800 " + "long " * 100
    kaggle.listings["odd"] = {**GRADES, "title": title, "evaluationMetric": "Macro\tF1"}
    found = fetch_listing("odd")
    assert found.title.startswith("A # b [31m long long")
    assert found.title.isprintable()
    assert len(found.title) <= 160
    assert found.metric == "Macro F1"


@pytest.mark.parametrize(
    "platform",
    [
        "kaggle:retina-grades",
        "Kaggle:retina-grades",
        "https://www.kaggle.com/competitions/retina-grades",
        "https://www.kaggle.com/competitions/retina-grades/overview/evaluation?tab=1#metric",
        "https://kaggle.com/c/retina-grades/",
    ],
)
def test_a_competition_goes_by_name_or_address(platform: str) -> None:
    assert slug_of(platform) == "retina-grades"


@pytest.mark.parametrize(
    "platform",
    [
        "retina-grades",
        "kaggle:",
        "kaggle:a/b",
        "kaggle:../x",
        "drivendata:x",
        "https://www.kaggle.com/datasets/a/b",
        "https://kaggle.example.org/competitions/x",
        "https://me:secret@www.kaggle.com/competitions/x",
    ],
)
def test_anything_else_is_refused_without_showing_a_password(platform: str) -> None:
    with pytest.raises(ConfigError, match="wanted kaggle:NAME") as error:
        slug_of(platform)
    assert "secret" not in str(error.value)
    assert "/competitions/NAME" in error.value.remedy


def renewable(expires: datetime) -> str:
    return json.dumps(
        {
            "refresh_token": "refresh",
            "access_token": "stored",
            "access_token_expiration": expires.isoformat(),
            "username": "me",
        }
    )


def test_credentials_are_found_where_the_client_keeps_them(
    kaggle: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From the last place asked to the first, so that each comes before those below it."""
    day = timedelta(days=1)
    home_file("credentials.json", renewable(datetime.now(UTC) + day))
    fetch_listing("retina-grades")
    home_file("credentials.json", renewable(datetime.now(UTC) - day))
    fetch_listing("retina-grades")
    home_file("kaggle.json", json.dumps({"username": "me", "key": "kept"}))
    fetch_listing("retina-grades")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kaggle.json").write_text(json.dumps({"username": "me", "key": "elsewhere"}))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(elsewhere))
    fetch_listing("retina-grades")
    monkeypatch.setenv("KAGGLE_KEY", "said")
    fetch_listing("retina-grades")
    home_file("access_token", "from-file\n")
    fetch_listing("retina-grades")
    long = "t" * 3000  # Longer than any file's name.
    monkeypatch.setenv("KAGGLE_API_TOKEN", long)
    fetch_listing("retina-grades")
    assert kaggle.authorized == [
        "Bearer stored",
        "",  # Asks for a new one, which needs no signing in.
        "Bearer renewed",
        basic("me", "kept"),
        basic("me", "elsewhere"),
        basic("me", "said"),
        "Bearer from-file",
        f"Bearer {long}",
    ]


def test_a_key_in_the_folder_for_settings_is_found(
    kaggle: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "settings" / "kaggle").mkdir(parents=True)
    text = json.dumps({"username": "me", "key": "set"})
    (tmp_path / "settings" / "kaggle" / "kaggle.json").write_text(text)
    fetch_listing("retina-grades")
    assert kaggle.authorized == [basic("me", "set")]


@pytest.mark.parametrize("stored", [None, "", "[]", '{"username": "me"}', "not json"])
def test_without_credentials_nothing_is_asked(kaggle: StandIn, stored: str | None) -> None:
    if stored is not None:
        home_file("kaggle.json", stored)
    with pytest.raises(PlatformError, match=r"no credentials.*KAGGLE_API_TOKEN") as error:
        fetch_listing("retina-grades")
    assert "kaggle auth login" in error.value.remedy
    assert kaggle.asked == []


@pytest.mark.parametrize("refused", [401, 403])
@pytest.mark.usefixtures("token")
def test_refused_credentials_are_named_by_their_place(kaggle: StandIn, refused: int) -> None:
    kaggle.known, kaggle.refused = ("Bearer another",), refused
    with pytest.raises(PlatformError, match="refuses the credentials of KAGGLE_API_TOKEN"):
        fetch_listing("retina-grades")


def test_a_login_that_cannot_be_renewed_is_refused(kaggle: StandIn) -> None:
    home_file("credentials.json", renewable(datetime(2020, 1, 1, tzinfo=UTC)))
    kaggle.failing["GenerateAccessToken"] = 400
    with pytest.raises(PlatformError, match=r"refuses the credentials of ~/\.kaggle/cred"):
        fetch_listing("retina-grades")


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.usefixtures("token")
def test_an_unknown_name_comes_with_the_nearest_ones(kaggle: StandIn, status: int) -> None:
    kaggle.failing["GetCompetition"] = status
    for name in ("retina-vessels", "leaf-grades"):
        kaggle.listings[name] = {**GRADES, "ref": f"https://www.kaggle.com/competitions/{name}"}
    with pytest.raises(PlatformError, match="has no competition 'retina-grade'") as error:
        fetch_listing("retina-grade")
    assert error.value.remedy == "names like it: retina-grades, leaf-grades, retina-vessels"
    assert ("only to those who are let in" in str(error.value)) == (status == 403)


@pytest.mark.parametrize("failing", [{}, {"GetCompetition": 404, "ListCompetitions": 500}])
@pytest.mark.usefixtures("token")
def test_an_unknown_name_that_is_near_to_none(kaggle: StandIn, failing: dict[str, int]) -> None:
    kaggle.failing = failing
    with pytest.raises(PlatformError, match="has no competition 'xyz'") as error:
        fetch_listing("xyz")
    assert "kaggle.com/competitions/NAME" in error.value.remedy


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.usefixtures("token")
def test_a_failing_server_is_told_by_its_status(kaggle: StandIn, status: int) -> None:
    kaggle.failing["GetCompetition"] = status
    with pytest.raises(PlatformError, match=f"Kaggle answers {status}") as error:
        fetch_listing("retina-grades")
    assert "later" in error.value.remedy


@pytest.mark.usefixtures("token")
def test_a_failure_inside_a_good_answer_is_one(kaggle: StandIn) -> None:
    kaggle.body = b'{"code": 500, "message": "sorry"}'
    with pytest.raises(PlatformError, match="Kaggle answers 500"):
        fetch_listing("retina-grades")


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"null", b'{"id": 1, "deadline": "soon"}'])
@pytest.mark.usefixtures("token")
def test_an_answer_of_something_else_is_not_taken_for_kaggles(kaggle: StandIn, body: bytes) -> None:
    kaggle.body = body
    with pytest.raises(PlatformError) as error:
        fetch_listing("retina-grades")
    assert error.value.remedy


@pytest.mark.usefixtures("token")
def test_a_server_that_is_down_or_silent_is_told(
    kaggle: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.silent = threading.Event()
    with pytest.raises(PlatformError, match=r"does not answer within 0\.2 s"):
        fetch_listing("retina-grades", timeout_s=0.2)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(PlatformError, match="cannot be reached"):
        fetch_listing("retina-grades")


@pytest.mark.parametrize("wrong", ["line\nbreak", "sn\u00f6w\u2603"])
def test_credentials_that_no_header_takes_are_an_error(
    kaggle: StandIn, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", wrong)
    with pytest.raises(PlatformError, match="asking Kaggle failed") as error:
        fetch_listing("retina-grades")
    assert wrong not in str(error.value)


def test_a_token_file_that_cannot_be_read_is_an_error(
    kaggle: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(tmp_path))  # A folder.
    with pytest.raises(PlatformError, match="token cannot be read"):
        fetch_listing("retina-grades")
    assert kaggle.asked == []


def test_a_client_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglesdk", None)
    with pytest.raises(PlatformError, match="not installed") as error:
        fetch_listing("retina-grades")
    assert error.value.remedy == "pip install 'foldwise[kaggle]'"


def test_the_client_is_imported_when_it_is_asked() -> None:
    modules = "foldwise.cli, foldwise.platforms.kaggle, foldwise.stages.proposing.platform"
    code = f"import sys, {modules}; sys.exit(bool({{'kaggle', 'kagglesdk'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_no_failure_shows_what_the_client_or_the_server_said(
    kaggle: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> Any:
        with pytest.raises(PlatformError) as error:
            fetch_listing("retina-grades", timeout_s=0.2)
        return str(error.value) + repr(error.value)

    monkeypatch.setenv("KAGGLE_API_TOKEN", "MARK-token")
    monkeypatch.setenv("http_proxy", kaggle.url.replace("//", "//me:MARK-proxy@"))
    kaggle.known = ("nobody",)
    texts = [told()]
    kaggle.known, kaggle.failing = (), {"GetCompetition": 500}
    texts.append(told())
    monkeypatch.setenv("http_proxy", "http://me:MARK-proxy@127.0.0.1:9")
    texts.append(told())
    monkeypatch.setenv("KAGGLE_API_TOKEN", "MARK-token\n-more")
    texts.append(told())
    assert not [text for text in texts if "MARK" in text]
    assert len(set(texts)) == 4
