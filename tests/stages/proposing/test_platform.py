"""`init --platform`, against a stand-in for Kaggle that Kaggle's own client asks."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from foldwise.__main__ import main
from foldwise.config.competition import Competition
from foldwise.errors import ConfigError, PlatformError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.display import Display
from foldwise.stages.init import init
from foldwise.stages.proposing.said import Said
from foldwise.tasks.asked import load_competition
from tests.platforms.stand_in import GRADES, TOKEN, StandIn, basic
from tests.stages.proposing.raw_folder import make_raw

PLATFORM = "kaggle:retina-grades"
LABELS = {"train": {"label": [0, 1, 2, 3] * 6}, "asked": {"label": [0] * 8}}


@pytest.fixture
def raw(kaggle: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    return make_raw(tmp_path / "raw", readme="Metric: accuracy.", **LABELS)


def start(raw: Path, platform: str = PLATFORM, **said: str) -> tuple[Competition, str, str]:
    """The competition, its file, and what was shown."""
    text = io.StringIO()
    display = Display(Console(file=text, width=200, highlight=False))
    known = Said(**{"pretrained": "forbidden", **said})
    home = init(raw.parent / "mine", data=raw, said=known, platform=platform, display=display)
    return load_competition(home)[0], home.competition.read_text(), text.getvalue()


def test_the_metric_of_the_platform_comes_before_the_text(raw: Path) -> None:
    competition, file, shown = start(raw)
    assert (competition.task, competition.metric) == ("ordinal", "qwk")
    assert competition.undecided == ()
    reason = "Kaggle says 'Quadratic Weighted Kappa'"
    assert f"# {reason}" in file
    assert reason in shown
    assert read_json(Home(raw.parent / "mine").assumptions)["reasons"]["metric"] == reason


def test_name_deadline_and_uploads_a_day_are_taken_with_their_reason(raw: Path) -> None:
    competition, file, shown = start(raw, "https://www.kaggle.com/competitions/retina-grades")
    assert competition.name == "Retina: grades"
    assert competition.deadline == datetime(2031, 5, 6, 23, 59, tzinfo=UTC)
    assert competition.rules.daily_submissions == 5
    assert competition.rules.pretrained == "forbidden"
    assert file.count("# Kaggle says so") == 3
    for words in (PLATFORM, "Retina: grades", "2031-05-06 23:59 UTC", "submissions a day"):
        assert words in shown


def test_a_flag_comes_before_the_platform(raw: Path) -> None:
    competition, _, shown = start(raw, task="ordinal", metric="mae")
    assert (competition.metric, competition.rules.daily_submissions) == ("mae", 5)
    assert "it says metric 'Quadratic Weighted Kappa'" in shown


def test_words_for_no_metric_lead_to_the_next_source(kaggle: StandIn, raw: Path) -> None:
    kaggle.listings["retina-grades"] = {**GRADES, "evaluationMetric": "Laplace: log # likelihood"}
    competition, file, shown = start(raw)
    doubt = "Kaggle says 'Laplace: log # likelihood', which foldwise does not have by name"
    assert (competition.metric, competition.undecided) == (
        "accuracy",
        (f"metric accuracy: {doubt}",),
    )
    assert doubt in shown
    assert "does not have by name" in file


def test_a_platform_that_names_nothing_is_told(kaggle: StandIn, raw: Path) -> None:
    kaggle.listings["retina-grades"] = {"id": 1}
    competition, _, shown = start(raw)
    assert (competition.name, competition.metric) == ("mine", "accuracy")
    assert (competition.deadline, competition.rules.daily_submissions) == (None, None)
    assert "it names no metric" in shown


def test_without_the_flag_nothing_is_asked(kaggle: StandIn, raw: Path) -> None:
    said = Said(pretrained="forbidden")
    home = init(raw.parent / "mine", data=raw, said=said, display=Display(quiet=True))
    assert load_competition(home)[0].metric == "accuracy"
    assert kaggle.asked == []


def unknown(kaggle: StandIn, patch: pytest.MonkeyPatch) -> None:
    kaggle.listings = {"leaf": {**GRADES, "ref": "leaf-grades"}}


def refused(kaggle: StandIn, patch: pytest.MonkeyPatch) -> None:
    kaggle.known = ("Bearer another",)


def failing(kaggle: StandIn, patch: pytest.MonkeyPatch) -> None:
    kaggle.failing["GetCompetition"] = 502


def down(kaggle: StandIn, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("http_proxy", "http://127.0.0.1:9")


def unsigned(kaggle: StandIn, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("KAGGLE_API_TOKEN")


def not_installed(kaggle: StandIn, patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "kagglesdk", None)


Spoil = Callable[[StandIn, pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (unknown, "has no competition 'retina-grades'"),
        (refused, "refuses the credentials of KAGGLE_API_TOKEN"),
        (failing, "answers 502"),
        (down, "cannot be reached"),
        (unsigned, "no credentials"),
        (not_installed, r"pip install 'foldwise\[kaggle\]'"),
    ],
)
def test_a_platform_that_cannot_be_asked_is_an_error_and_nothing_is_written(
    kaggle: StandIn, raw: Path, monkeypatch: pytest.MonkeyPatch, spoil: Spoil, words: str
) -> None:
    spoil(kaggle, monkeypatch)
    with pytest.raises(PlatformError, match=words) as error:
        start(raw, metric="qwk")
    assert error.value.remedy.endswith("or leave --platform out: --metric says the metric, too")
    assert not (raw.parent / "mine").exists()


def test_a_platform_in_the_wrong_form_is_an_error_and_nothing_is_asked(
    kaggle: StandIn, raw: Path
) -> None:
    with pytest.raises(ConfigError, match="--platform retina-grades: wanted kaggle:NAME"):
        start(raw, "retina-grades")
    assert kaggle.asked == []
    assert not (raw.parent / "mine").exists()


def test_no_secret_is_shown_or_written(
    kaggle: StandIn,
    raw: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Twenty secrets: every kind of credentials meets every kind of end."""
    marks = [f"MARK{number:02d}x" for number in range(20)]
    left = iter(marks)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAGGLE_API_TOKEN")

    def run(end: str, **environment: str) -> str:
        """All that is shown and written when it ends so."""
        kaggle.known = ("nobody",) if end == "refused" else ()
        kaggle.failing = {"GetCompetition": int(end)} if end.isdigit() else {}
        kaggle.body = b"<html>" if end == "strange" else None
        home = Path(tempfile.mkdtemp(dir=tmp_path)) / "mine"
        words = ["init", str(home), "--data", str(raw), "--pretrained", "forbidden"]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["foldwise", *words, "--platform", PLATFORM])
            with pytest.raises(SystemExit) as stop:
                main()
        assert stop.value.code == (0 if end == "good" else 2)
        assert home.exists() == (end == "good")
        written = [path.read_text("utf-8") for path in home.rglob("*.*") if path.is_file()]
        return "\n".join([*capfd.readouterr(), *written])

    texts = []
    for end in ("good", "refused", "403", "404", "500", "strange"):
        token, username, key = next(left), next(left), next(left)
        texts.append(run(end, KAGGLE_API_TOKEN=token))
        texts.append(run(end, KAGGLE_USERNAME=username, KAGGLE_KEY=key))
        assert {f"Bearer {token}", basic(username, key)} <= set(kaggle.authorized)
    proxy = f"http://me:{next(left)}@127.0.0.1:9"
    texts.append(run("down", KAGGLE_API_TOKEN="token", http_proxy=proxy))
    texts.append(run("broken", KAGGLE_API_TOKEN=f"{next(left)}\nmore"))
    assert list(left) == []
    assert all("Kaggle" in text for text in texts)
    secrets = [*marks, *(sign.removeprefix("Basic ") for sign in kaggle.authorized)]
    assert not [secret for secret in secrets for text in texts if secret in text]
    assert not list(tmp_path.glob("foldwise-crash*"))
