"""Calls to the stand-in in bad weather: again where that does no harm, else told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from foldwise.errors import DataError, PlatformError
from foldwise.platforms import kaggle_line
from foldwise.platforms.kaggle_datasets import create_dataset, find_dataset, is_ready
from foldwise.platforms.kaggle_entrance import allowed, entrance
from foldwise.platforms.kaggle_files import download_files
from foldwise.platforms.kaggle_line import AnyLine, opened
from foldwise.platforms.kaggle_submissions import send_file, submit_file, uploads
from tests.platforms.moving import shown
from tests.platforms.stand_in import TOKEN, StandIn, Trouble

SLUG = "retina-grades"


@pytest.fixture(autouse=True)
def waits(kaggle: StandIn, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, without waiting."""
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    waited: list[float] = []
    monkeypatch.setattr(kaggle_line, "pause", waited.append)
    return waited


@pytest.fixture
def line(kaggle: StandIn) -> Iterator[AnyLine]:
    with opened(lambda _: None, timeout_s=5) as found:
        yield found


def file_of(folder: Path, num_bytes: int) -> Path:
    path = folder / "submission.csv"
    path.write_bytes(bytes(number % 251 for number in range(num_bytes)))
    return path


def test_a_busy_server_is_asked_again_when_it_says(
    kaggle: StandIn, line: AnyLine, waits: list[float]
) -> None:
    late = datetime.now(UTC) + timedelta(seconds=100)
    kaggle.troubles["GetCompetition"] = [
        Trouble(429, headers={"Retry-After": "7"}),
        Trouble(429, headers={"Retry-After": format_datetime(late, usegmt=True)}),
        Trouble(429, headers={"Retry-After": "soon"}),
        Trouble(503),
        Trouble(500),
    ]
    assert entrance(line, SLUG).daily == 5
    assert waits[0] == 7
    assert 95 < waits[1] < 101
    assert waits[2:] == [15, 30, 60]


@pytest.mark.parametrize("status", [429, 500])
def test_a_server_that_stays_so_is_told(status: int, kaggle: StandIn) -> None:
    kaggle.failing["GetCompetition"] = status
    with (
        pytest.raises(PlatformError, match=f"{status}") as error,
        opened(lambda _: None) as line,
    ):
        entrance(line, SLUG)
    assert "later" in error.value.remedy
    assert len(kaggle.asked) == 6


def test_nobody_waits_for_hours_unasked(kaggle: StandIn, line: AnyLine, waits: list[float]) -> None:
    kaggle.troubles["GetCompetition"] = [Trouble(429, headers={"Retry-After": "7200"})]
    with pytest.raises(PlatformError, match="left alone for 120 min"):
        entrance(line, SLUG)
    assert waits == []


def test_a_cut_connection_is_made_again(kaggle: StandIn, line: AnyLine) -> None:
    kaggle.troubles["GetCompetition"] = [Trouble(), Trouble()]
    assert entrance(line, SLUG).is_entered
    assert [request for request, _ in kaggle.asked] == ["GetCompetition"] * 3


@pytest.mark.parametrize("trouble", [Trouble(), Trouble(502)])
def test_what_must_not_be_done_twice_is_not_repeated(
    trouble: Trouble, kaggle: StandIn, line: AnyLine, tmp_path: Path
) -> None:
    token = send_file(line, SLUG, file_of(tmp_path, 10), name="a.csv", shown=shown)
    kaggle.troubles["CreateSubmission"] = [trouble]
    with pytest.raises(PlatformError, match="it may have been done or not") as error:
        submit_file(line, SLUG, token, description="a")
    assert "looks first" in error.value.remedy
    assert [request for request, _ in kaggle.asked].count("CreateSubmission") == 1
    assert len(kaggle.site.submissions) == (1 if trouble.status == 0 else 0)


def test_a_busy_server_has_not_done_it_so_it_is_asked_again(
    kaggle: StandIn, line: AnyLine, tmp_path: Path, waits: list[float]
) -> None:
    token = send_file(line, SLUG, file_of(tmp_path, 10), name="a.csv", shown=shown)
    kaggle.troubles["CreateSubmission"] = [Trouble(429, headers={"Retry-After": "3"})]
    assert submit_file(line, SLUG, token, description="a") > 1000
    assert waits == [3]
    assert len(kaggle.site.submissions) == 1


@pytest.mark.parametrize(
    "troubles",
    [
        [],
        [Trouble(after=0)],
        [Trouble(after=700_000)],
        [Trouble(after=700_000), Trouble(after=1), Trouble(after=300_000)],
        [Trouble(503), Trouble(after=100)],
    ],
)
def test_an_upload_that_was_cut_goes_on_where_it_was(
    troubles: list[Trouble], kaggle: StandIn, line: AnyLine, tmp_path: Path
) -> None:
    path = file_of(tmp_path, 2_000_003)
    kaggle.troubles["put"] = list(troubles)
    token = send_file(line, SLUG, path, name="a.csv", shown=shown)
    assert bytes(kaggle.site.blobs[token].data) == path.read_bytes()
    sent = [body for request, body in kaggle.asked if request == "put" and body["length"]]
    arrived = sum(trouble.after for trouble in troubles)
    assert sent[-1]["length"] == 2_000_003 - arrived


@pytest.mark.parametrize(("status", "words"), [(403, "does not take it"), (410, "has run out")])
def test_an_upload_that_is_refused_is_told(
    status: int, words: str, kaggle: StandIn, line: AnyLine, tmp_path: Path
) -> None:
    kaggle.troubles["put"] = [Trouble(status)]
    with pytest.raises(PlatformError, match=words):
        send_file(line, SLUG, file_of(tmp_path, 10), name="a.csv", shown=shown)


def test_an_upload_that_is_cut_for_ever_is_told(
    kaggle: StandIn, line: AnyLine, tmp_path: Path
) -> None:
    kaggle.troubles["put"] = [Trouble(after=5)] * 20 + [Trouble(after=0)] * 20
    with pytest.raises(PlatformError, match="cut off again and again"):
        send_file(line, SLUG, file_of(tmp_path, 1_000), name="a.csv", shown=shown)


def test_an_empty_file_arrives(kaggle: StandIn, line: AnyLine, tmp_path: Path) -> None:
    token = send_file(line, SLUG, file_of(tmp_path, 0), name="a.csv", shown=shown)
    assert kaggle.site.blobs[token].is_whole


def test_a_download_that_was_cut_goes_on_where_it_was(
    kaggle: StandIn, line: AnyLine, tmp_path: Path
) -> None:
    kaggle.site.files = bytes(number % 251 for number in range(3_000_007))
    kaggle.troubles["get"] = [Trouble(after=1_500_000), Trouble(after=0)]
    path = tmp_path / "all.zip"
    download_files(line, SLUG, path, shown)
    assert path.read_bytes() == kaggle.site.files
    assert not list(tmp_path.glob(".*.part"))
    asked = [body["range"] for request, body in kaggle.asked if request == "get"]
    assert any(str(each).startswith("bytes=1") for each in asked)


def test_a_killed_download_goes_on_unless_the_content_is_another(
    kaggle: StandIn, line: AnyLine, tmp_path: Path
) -> None:
    path = tmp_path / "all.zip"
    for first, then in ((b"a" * 900_000, b"a" * 900_000), (b"b" * 900_000, b"c" * 800_000)):
        path.unlink(missing_ok=True)
        kaggle.site.files = first
        kaggle.troubles["get"] = [Trouble(after=400_000)] + [Trouble(after=0)] * 20
        with pytest.raises(PlatformError, match="again and again"):
            download_files(line, SLUG, path, shown)
        assert not path.exists()
        kaggle.site.files, kaggle.troubles = then, {}
        download_files(line, SLUG, path, shown)
        assert path.read_bytes() == then


def test_rules_that_are_not_accepted_are_told_with_the_page(
    kaggle: StandIn, line: AnyLine, tmp_path: Path
) -> None:
    kaggle.site.entered = False
    assert not entrance(line, SLUG).is_entered
    for attempt in (
        lambda: allowed(line, SLUG),
        lambda: send_file(line, SLUG, file_of(tmp_path, 10), name="a.csv", shown=shown),
        lambda: download_files(line, SLUG, tmp_path / "all.zip", shown),
    ):
        with pytest.raises(PlatformError, match="rules are not accepted") as error:
            attempt()
        assert f"competitions/{SLUG}/rules" in error.value.remedy


def test_refused_credentials_and_absent_competitions_are_told(kaggle: StandIn) -> None:
    kaggle.known = ("nobody",)
    with (
        pytest.raises(PlatformError, match="refuses the credentials of KAGGLE_API_TOKEN"),
        opened(lambda _: None) as line,
    ):
        list(uploads(line, SLUG))
    kaggle.known = ()
    kaggle.failing["GetCompetition"] = 404
    with opened(lambda _: None) as line, pytest.raises(PlatformError, match="no competition"):
        entrance(line, SLUG)


def test_pages_are_turned(kaggle: StandIn, line: AnyLine, tmp_path: Path) -> None:
    for number in range(5):
        token = send_file(line, SLUG, file_of(tmp_path, 9), name="a.csv", shown=shown)
        submit_file(line, SLUG, token, description=f"number {number}")
    found = [upload.description for upload in uploads(line, SLUG)]
    assert found == [f"number {number}" for number in (4, 3, 2, 1, 0)]


def test_a_dataset_that_is_refused_or_fails_is_told(kaggle: StandIn, line: AnyLine) -> None:
    assert find_dataset(line, "me", "night", supposed=None) is None
    assert create_dataset(line, "me", "night", "A night", [], notes="n") == 1
    with pytest.raises(PlatformError, match="already in use"):
        create_dataset(line, "me", "night", "A night", [], notes="n")
    kaggle.site.dataset_states = ["BLOBS_RECEIVED", "FAILED"]
    assert not is_ready(line, "me", "night")
    with pytest.raises(PlatformError, match="could not make dataset me/night"):
        is_ready(line, "me", "night")
    assert is_ready(line, "me", "night")


@pytest.mark.parametrize("status", [400, 403])
def test_what_kaggle_says_of_a_refusal_is_told_without_credentials(
    status: int, kaggle: StandIn, line: AnyLine
) -> None:
    """A 403 to who was let in before has nothing to do with the credentials."""
    words = f"Phone verification is needed, {TOKEN}"
    kaggle.troubles["CreateDataset"] = [Trouble(status, words)]
    with pytest.raises(PlatformError) as error:
        create_dataset(line, "me", "night", "A night", [], notes="n")
    [text] = error.value.problems
    assert text == "Kaggle refuses CreateDataset: Phone verification is needed, (hidden)"


def test_our_own_errors_and_the_disks_pass_as_they_are(kaggle: StandIn, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ours"), opened(lambda _: None):
        raise DataError("ours")
    with pytest.raises(FileNotFoundError), opened(lambda _: None):
        (tmp_path / "absent").read_bytes()


def test_a_rehearsal_says_endpoint_and_arguments_and_asks_nobody(
    kaggle: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    said: list[str] = []
    with opened(said.append, dry_run=True) as line:
        entrance(line, SLUG)
    assert kaggle.asked == []
    [text] = said
    start = "would call: POST competitions.CompetitionApiService/GetCompetition "
    assert text.startswith(start)
    arguments: Any = json.loads(text.removeprefix(start))
    assert arguments == {"competitionName": SLUG}
