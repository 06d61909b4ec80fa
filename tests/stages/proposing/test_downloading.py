"""`init --download`, against the stand-in."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.errors import ConfigError, DataError, PlatformError
from foldwise.platforms import kaggle_line
from foldwise.stages.init import init
from foldwise.stages.proposing.said import Said
from tests.platforms.stand_in import GRADES, TOKEN, StandIn, Trouble
from tests.stages.proposing.raw_folder import make_raw
from tests.stages.small_competition import QUIET

LABELS = {"train": {"label": [0, 1, 2, 3] * 6}, "asked": {"label": [0] * 8}}
OPTIONS = {"platform": "kaggle:retina-grades", "download": True, "display": QUIET}
SAID = Said(pretrained="forbidden")


@pytest.fixture(autouse=True)
def files(kaggle: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """What the competition hands out, in the stand-in's zip file."""
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    monkeypatch.setattr(kaggle_line, "pause", lambda _: None)
    raw = make_raw(tmp_path / "raw", **LABELS)
    found = {p.relative_to(raw).as_posix(): p.read_bytes() for p in raw.rglob("*") if p.is_file()}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for name, data in found.items():
            file.writestr(name, data)
    kaggle.site.files = (tmp_path / "all.zip").read_bytes()
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_the_files_come_and_are_looked_at(tmp_path: Path, files: dict[str, bytes]) -> None:
    home = init(tmp_path / "mine", said=SAID, **OPTIONS)  # type: ignore[arg-type]  # by name
    assert content(tmp_path / "mine" / "data") == files
    competition = load(home.competition, Competition)
    assert (competition.data, competition.platform) == ("data", "kaggle:retina-grades")
    assert competition.submission.by == "file"
    assert not list((tmp_path / "mine").glob("*.zip"))


def test_a_competition_of_notebooks_says_so(kaggle: StandIn, tmp_path: Path) -> None:
    kaggle.listings["retina-grades"] = {**GRADES, "isKernelsSubmissionsOnly": True}
    home = init(tmp_path / "mine", said=SAID, **OPTIONS)  # type: ignore[arg-type]  # by name
    assert load(home.competition, Competition).submission.by == "notebook"


def test_a_killed_download_goes_on_and_then_nothing_is_downloaded_twice(
    kaggle: StandIn, tmp_path: Path, files: dict[str, bytes]
) -> None:
    kaggle.troubles["get"] = [Trouble(after=20_000), *[Trouble(after=0)] * 50]
    with pytest.raises(PlatformError, match="cut off again and again"):
        init(tmp_path / "mine", said=SAID, **OPTIONS)  # type: ignore[arg-type]  # by name
    assert not (tmp_path / "mine" / "competition.yaml").exists()
    kaggle.troubles = {}
    kaggle.asked.clear()
    home = init(tmp_path / "mine", said=SAID, **OPTIONS)  # type: ignore[arg-type]  # by name
    assert content(tmp_path / "mine" / "data") == files
    ranges = [body["range"] for request, body in kaggle.asked if request == "get"]
    assert ranges[-1] == "bytes=16384-"
    home.competition.unlink()
    kaggle.asked.clear()
    init(tmp_path / "mine", said=SAID, **OPTIONS)  # type: ignore[arg-type]  # by name
    assert [request for request, _ in kaggle.asked] == ["GetCompetition"]


def test_a_damaged_download_is_told(kaggle: StandIn, tmp_path: Path) -> None:
    kaggle.site.files = b"PK no zip"
    with pytest.raises(DataError, match="damaged"):
        init(tmp_path / "mine", said=SAID, **OPTIONS)  # type: ignore[arg-type]  # by name
    assert not (tmp_path / "mine" / "data").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"download": True}, "--download: goes with --platform"),
        ({"dry_run": True}, "--dry-run: goes with --platform"),
        ({}, "--data: not given"),
        ({"platform": "kaggle:retina-grades"}, "--data: not given"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: dict[str, object], words: str, kaggle: StandIn, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        init(tmp_path / "mine", display=QUIET, **options)  # type: ignore[arg-type]  # by name
    assert kaggle.asked == []
    assert not (tmp_path / "mine").exists()
