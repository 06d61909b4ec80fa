"""Before a deadline: what is too late names what is not, and a file goes before a notebook."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foldwise.errors import BudgetError
from foldwise.home import Home
from foldwise.stages.ledger import ledger_add
from foldwise.stages.ledgering.row import Row
from foldwise.stages.ledgering.rows import read_rows
from foldwise.stages.push import push
from foldwise.stages.submit import submit
from foldwise.stages.uploading.submission import upload
from tests.platforms.stand_in import StandIn, Trouble
from tests.stages.small_competition import QUIET
from tests.stages.uploading.conftest import Shown, change, make_pack


def hand_in(home: Home, **options: Any) -> Row:
    entry = submit(home, "a", display=QUIET).entry
    return upload(home, entry, pack="night", **{"display": QUIET, **options})


def pushed(home: Home, *, hours_left: float, by: str = "file", run_h: float = 4) -> None:
    """A pack of the run a whose notebook has run, so long before the deadline."""
    end = datetime.now(UTC) + timedelta(hours=hours_left)
    change(home, deadline=end.isoformat(), submission={"by": by})
    make_pack(home, kind="answer", run="a", limit="9h", seconds=run_h * 3600)
    push(home, "night", display=QUIET)


def refused(home: Home) -> str:
    with pytest.raises(BudgetError, match="too late to be scored in time") as error:
        hand_in(home)
    return error.value.remedy


def test_a_notebook_that_is_too_late_names_the_pack_that_is_not(
    kaggle: StandIn, home: Home
) -> None:
    """6 hours: less 1 of queue and 0.5 of scoring, and it may take twice as long: 2.25 are left."""
    pushed(home, hours_left=6.01, by="notebook")
    words = refused(home)
    assert "pack the best part of a that is scored in time, a run of 2 h 15 min at most" in words
    command = "foldwise pack a --on kaggle --as night --limit 9h --skip-public; foldwise push night"
    assert f"{command}; or upload it all the same with --anyway" in words
    assert kaggle.site.submissions == []


def test_no_pack_is_named_where_none_would_be_in_time(kaggle: StandIn, home: Home) -> None:
    pushed(home, hours_left=1.4, by="notebook")
    assert refused(home).startswith("upload it all the same with --anyway")


@pytest.mark.parametrize(("hours_left", "is_named"), [(6, True), (0.4, False)])
def test_a_notebook_that_is_too_late_names_the_file_that_is_not(
    hours_left: float, is_named: bool, kaggle: StandIn, home: Home
) -> None:
    pushed(home, hours_left=hours_left)
    assert ("foldwise submit a --upload; or " in refused(home)) == is_named
    assert kaggle.site.submissions == []


def test_a_file_goes_before_a_notebook_once(kaggle: StandIn, home: Home) -> None:
    pushed(home, hours_left=100)
    submit(home, "b", display=QUIET)
    best = next(
        name
        for name in ("a", "b")
        if submit(home, name, display=QUIET).entry.file.read_bytes() == home.submission.read_bytes()
    )
    for _ in range(2):
        assert hand_in(home).public == 0.5
        first, second = kaggle.site.submissions
        assert first["data"] == home.submission.read_bytes()
        assert f"-{best} by foldwise, sha256 " in first["description"]
        assert second["description"].endswith("notebook me/retina-grades-night version 1")
        assert all(row.uploaded for row in read_rows(home) if row.run in {best, "a"})


@pytest.mark.parametrize("why", ["scored", "no deadline", "over", "notebooks only"])
def test_no_file_goes_first_where_none_need_or_can(why: str, kaggle: StandIn, home: Home) -> None:
    pushed(home, hours_left=-1 if why == "over" else 100)
    if why == "scored":
        ledger_add(home, run="x", public=0.4, display=QUIET)
    elif why == "no deadline":
        change(home, deadline=None)
    elif why == "notebooks only":
        change(home, submission={"by": "notebook"})
    hand_in(home, anyway=why == "over")
    assert len(kaggle.site.submissions) == 1


def test_the_last_upload_of_the_day_is_the_notebooks(
    kaggle: StandIn, home: Home, shown: Shown
) -> None:
    pushed(home, hours_left=100)
    change(home, rules={"daily_submissions": 1})
    hand_in(home, display=shown.display)
    [found] = kaggle.site.submissions
    assert "notebook me/" in found["description"]
    assert "one upload is left today" in shown.text.getvalue()


def test_a_notebook_is_handed_in_though_the_file_was_not_taken(
    kaggle: StandIn, home: Home, shown: Shown
) -> None:
    pushed(home, hours_left=100)
    kaggle.troubles["CreateSubmission"] = [Trouble(400, words="notebooks only")]
    hand_in(home, display=shown.display)
    [found] = kaggle.site.submissions
    assert "notebook me/" in found["description"]
    assert "was to go first, as a fallback, and was not taken" in shown.text.getvalue()


def test_a_file_that_goes_first_is_rehearsed(kaggle: StandIn, home: Home, shown: Shown) -> None:
    pushed(home, hours_left=100)
    hand_in(home, dry_run=True, display=shown.display)
    said = shown.text.getvalue()
    assert said.index("CreateSubmission") < said.index("CreateCodeSubmission")
    assert kaggle.site.submissions == []
