"""`submit --upload` against the stand-in: handed in once, scored and noted, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foldwise.errors import BudgetError, ConfigError, PlatformError, RulesError, RunError
from foldwise.home import Home
from foldwise.stages.ledger import ledger_add, ledger_import
from foldwise.stages.ledgering.row import Row
from foldwise.stages.ledgering.rows import read_rows
from foldwise.stages.push import push
from foldwise.stages.report import report
from foldwise.stages.submit import submit
from foldwise.stages.uploading.submission import upload
from foldwise.tables import write_csv
from foldwise.tasks.problem import open_problem
from tests.platforms.stand_in import GRADES, StandIn, Trouble
from tests.stages.small_competition import QUIET, write_run
from tests.stages.uploading.conftest import SLUG, Shown, change, make_pack


def hand_in(home: Home, run: str = "a", **options: Any) -> Row:
    entry = submit(home, run, display=QUIET).entry
    return upload(home, entry, **{"display": QUIET, **options})


def requests_of(kaggle: StandIn) -> list[str]:
    return [request for request, _ in kaggle.asked]


def test_a_file_is_handed_in_scored_and_noted(kaggle: StandIn, home: Home) -> None:
    kaggle.site.pending, kaggle.site.hidden, kaggle.site.scores = 3, 1, [0.8125]
    row = hand_in(home)
    entry = submit(home, "a", display=QUIET).entry
    assert (row.public, row.private, row.status) == (0.8125, None, "complete")
    assert row.uploaded is not None
    assert read_rows(home) == [row]
    [found] = kaggle.site.submissions
    assert found["data"] == entry.file.read_bytes()
    assert found["name"] == f"{entry.path.name}.csv"
    assert found["description"] == f"0001-a by foldwise, sha256 {entry.sha256[:16]}"
    assert kaggle.site.allowed == 4


def test_the_same_content_is_never_handed_in_twice(kaggle: StandIn, home: Home) -> None:
    first = hand_in(home)
    kaggle.asked.clear()
    again = hand_in(home)
    assert again.public == first.public
    assert len(kaggle.site.submissions) == 1
    assert "StartSubmissionUpload" not in requests_of(kaggle)
    hand_in(home, "b")
    assert len(kaggle.site.submissions) == 2


def test_the_same_file_of_another_run_counts_once(kaggle: StandIn, home: Home) -> None:
    problem = open_problem(home)
    write_run(problem, "c", seed=1)
    hand_in(home, "a")
    row = hand_in(home, "c")
    assert len(kaggle.site.submissions) == 1
    assert (row.run, row.public, row.uploaded) == ("c", 0.5, None)
    assert sum(row.uploaded is not None for row in read_rows(home)) == 1


def test_it_is_known_on_the_platform_when_all_is_forgotten_here(
    kaggle: StandIn, home: Home
) -> None:
    hand_in(home)
    home.stamp("platform").unlink()
    home.ledger.unlink()
    for _ in range(3):  # On a later page by then.
        hand_in(home, "b")
        kaggle.site.submissions.append({**kaggle.site.submissions[1], "description": "by hand"})
    row = hand_in(home)
    assert (row.public, row.uploaded) == (0.5, "2026-03-01T10:20:30Z")
    marks = [each["description"] for each in kaggle.site.submissions]
    assert len([mark for mark in marks if mark.startswith("0001-a")]) == 1


@pytest.mark.parametrize("hidden", [0, 1])
def test_a_submission_whose_answer_was_lost_is_found_again(
    hidden: int, kaggle: StandIn, home: Home
) -> None:
    """Even where the list shows it late."""
    kaggle.site.hidden = hidden
    kaggle.troubles["CreateSubmission"] = [Trouble()]
    with pytest.raises(PlatformError, match="may have been done or not"):
        hand_in(home)
    assert len(kaggle.site.submissions) == 1
    assert hand_in(home).status == "complete"
    assert len(kaggle.site.submissions) == 1


def test_interrupted_waiting_goes_on(
    kaggle: StandIn, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foldwise.platforms import kaggle_line

    kaggle.site.pending = 3

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kaggle_line, "pause", interrupt)
        with pytest.raises(KeyboardInterrupt):
            hand_in(home)
    assert read_rows(home)[0].status == "pending"
    row = hand_in(home)
    assert (row.status, row.public) == ("complete", 0.5)
    assert len(kaggle.site.submissions) == 1


def test_without_waiting_the_score_is_noted_later(kaggle: StandIn, home: Home) -> None:
    row = hand_in(home, wait=False)
    assert (row.status, row.public) == ("pending", None)
    assert hand_in(home).public == 0.5


def test_a_score_that_takes_long_is_waited_for_ever_less_often(
    kaggle: StandIn, home: Home, waits: list[float], shown: Shown
) -> None:
    kaggle.site.pending = 12
    hand_in(home, display=shown.display)
    assert waits == [5, 10, 20, 30, *[60] * 8]
    lines = [line for line in shown.text.getvalue().splitlines() if "waiting for its score" in line]
    assert len(lines) == 1
    assert "Ctrl-C is safe" in lines[0]


def test_what_cannot_be_scored_is_told_and_noted(kaggle: StandIn, home: Home) -> None:
    kaggle.site.scores = ["Evaluation Exception: row 3: id 'x' is unknown"]
    with pytest.raises(PlatformError, match="id 'x' is unknown") as error:
        hand_in(home)
    assert error.value.remedy
    [row] = read_rows(home)
    assert (row.status, row.public) == ("error", None)
    assert row.comment.endswith("id 'x' is unknown")


def test_no_more_than_the_days_uploads_by_kaggles_count(kaggle: StandIn, home: Home) -> None:
    hand_in(home, "b")
    kaggle.site.allowed = 0
    with pytest.raises(BudgetError, match="no upload is left today: 1 of 5") as error:
        hand_in(home)
    assert "00:00 UTC, in " in error.value.remedy
    assert len(kaggle.site.submissions) == 1


def test_no_more_than_the_days_uploads_by_the_ledger(kaggle: StandIn, home: Home) -> None:
    """What a team mate handed in from elsewhere, or what the rules say, counts as well."""
    change(home, rules={"daily_submissions": 2})
    for name in ("x", "y"):
        ledger_add(home, run=name, public=0.4, display=QUIET)
    with pytest.raises(BudgetError, match="2 of 2 are used"):
        hand_in(home)
    assert kaggle.site.submissions == []


def test_no_more_than_all_uploads(kaggle: StandIn, home: Home) -> None:
    hand_in(home, "b")
    kaggle.site.allowed, kaggle.site.last_ones = 0, True
    with pytest.raises(RulesError, match="left for good"):
        hand_in(home)


def test_a_limit_that_only_kaggle_knows_is_told(kaggle: StandIn, home: Home) -> None:
    """Its counts are all 0 before the first upload; then it refuses by itself."""
    kaggle.listings[SLUG] = {**GRADES, "maxDailySubmissions": 0}
    kaggle.site.allowed = 0
    with pytest.raises(PlatformError, match="reached the daily limit"):
        hand_in(home)


def at(delta: timedelta) -> str:
    return (datetime.now(UTC) + delta).isoformat()


@pytest.mark.parametrize("where", ["here", "there"])
def test_what_cannot_be_scored_in_time_is_refused_unless_anyway(
    where: str, kaggle: StandIn, home: Home
) -> None:
    """The earlier deadline counts, whoever says it."""
    soon = at(timedelta(minutes=20))
    if where == "here":
        change(home, deadline=soon)
    else:
        kaggle.listings[SLUG] = {**GRADES, "deadline": soon.replace("+00:00", "Z")}
    with pytest.raises(BudgetError, match="too late to be scored in time") as error:
        hand_in(home)
    assert "--anyway" in error.value.remedy
    assert kaggle.site.submissions == []
    assert hand_in(home, anyway=True).status == "complete"


def test_the_clock_is_shown_by_submit(home: Home, shown: Shown) -> None:
    change(home, deadline=at(timedelta(hours=5)))
    submit(home, "a", display=shown.display)
    assert "latest safe upload" in shown.text.getvalue()
    assert ", in 4 h " in shown.text.getvalue()


def test_the_clock_is_shown_in_the_report(home: Home) -> None:
    submit(home, "a", display=QUIET)
    change(home, deadline="2031-05-06 23:59 Asia/Tokyo")
    report(home, display=QUIET)
    text = home.report.read_text("utf-8")
    assert "ends 2031-05-06 23:59+09:00 · latest safe upload 2031-05-06 23:29+09:00" in text
    assert "2031-05-06 23:29 JST (scoring 5 min 00 s + 25 min 00 s margin)" in text
    change(home, deadline=None)
    report(home, display=QUIET)
    assert "latest safe upload" not in home.report.read_text("utf-8")


@pytest.mark.parametrize(
    ("set_up", "kind", "words"),
    [
        (lambda site: setattr(site, "entered", False), PlatformError, "rules are not accepted"),
        (None, ConfigError, "platform: not said"),
    ],
)
def test_who_may_not_hand_in_is_told(
    set_up: Any, kind: Any, words: str, kaggle: StandIn, home: Home
) -> None:
    if set_up is None:
        change(home, platform=None)
    else:
        set_up(kaggle.site)
    with pytest.raises(kind, match=words):
        hand_in(home)
    assert kaggle.site.submissions == []


def test_a_closed_competition_is_told(kaggle: StandIn, home: Home) -> None:
    kaggle.listings[SLUG] = {**GRADES, "submissionsDisabled": True}
    with pytest.raises(RulesError, match="switched off"):
        hand_in(home)


def test_a_notebooks_output_is_handed_in_once_it_has_run(kaggle: StandIn, home: Home) -> None:
    change(home, submission={"by": "notebook"}, deadline=None)
    with pytest.raises(ConfigError, match="no file can be handed in"):
        hand_in(home)
    make_pack(home, kind="answer")
    with pytest.raises(RunError, match="has not run on Kaggle yet") as error:
        hand_in(home, pack="night")
    assert error.value.remedy == "foldwise push night"
    push(home, "night", display=QUIET)
    row = hand_in(home, pack="night")
    assert (row.run, row.public) == ("a", 0.5)
    [found] = kaggle.site.submissions
    assert found["name"] == "submission.csv"
    assert found["description"].endswith("notebook me/retina-grades-night version 1")
    for _ in range(2):
        hand_in(home, pack="night")
        assert len(kaggle.site.submissions) == 1
        home.stamp("platform").unlink()
    assert len(kaggle.site.notebooks["me/retina-grades-night"]) == 1
    (home.packs / "night" / "install.py").write_text("print(2)\n")
    with pytest.raises(RunError, match="as it is now, has not run"):
        hand_in(home, pack="night")


def test_what_kaggle_exports_of_it_is_known_to_the_ledger(
    kaggle: StandIn, home: Home, tmp_path: Any
) -> None:
    import pandas as pd

    row = hand_in(home)
    [found] = kaggle.site.submissions
    frame = pd.DataFrame(
        {
            "fileName": [found["name"]],
            "date": ["2026-03-01 10:20:30"],
            "description": [found["description"]],
            "status": ["complete"],
            "publicScore": [found["score"]],
            "privateScore": [0.4],
        }
    )
    write_csv(tmp_path / "export.csv", frame)
    ledger_import(home, tmp_path / "export.csv", display=QUIET)
    [now] = read_rows(home)
    assert (now.key, now.public, now.private) == (row.key, row.public, 0.4)
