"""Interrupted at every request in turn, then run again: all is there, and nothing twice."""

from __future__ import annotations

import shutil
from pathlib import Path

from foldwise.home import Home
from foldwise.stages.ledgering.rows import read_rows
from foldwise.stages.push import push
from foldwise.stages.submit import submit
from foldwise.stages.submitting.ledger import read_ledger
from foldwise.stages.uploading.submission import upload
from tests.platforms.site import Site
from tests.platforms.stand_in import StandIn
from tests.stages.small_competition import QUIET
from tests.stages.uploading.conftest import make_pack

REF = "me/retina-grades-night"


def bring(home: Home) -> None:
    """A pack to its run, and a submission to its score."""
    push(home, "night", display=QUIET)
    upload(home, read_ledger(home)[0], display=QUIET)


def test_an_interruption_anywhere_loses_nothing_and_doubles_nothing(
    kaggle: StandIn, home: Home, tmp_path: Path
) -> None:
    make_pack(home)
    submit(home, "a", display=QUIET)
    num_done = num_planned = 0
    while True:
        num_planned += 1
        again = Home(tmp_path / f"again-{num_planned}")
        shutil.copytree(home.path, again.path)
        kaggle.site = Site(outputs={"submission.csv": b"id,label\n"}, pending=1)
        kaggle.site.run_states = ["QUEUED"]
        kaggle.asked.clear()
        kaggle.interrupt_at = num_planned
        try:
            bring(again)
        except KeyboardInterrupt:
            num_done += 1
            bring(again)
        if kaggle.interrupt_at:  # There are no more requests than that.
            break
        assert [len(versions) for versions in kaggle.site.datasets.values()] == [1]
        assert {ref: len(found) for ref, found in kaggle.site.notebooks.items()} == {REF: 1}
        assert len(kaggle.site.submissions) == 1
        [row] = read_rows(again)
        assert (row.public, row.status) == (0.5, "complete")
        output = again.packs / "night-output" / "v1" / "submission.csv"
        assert output.read_bytes() == b"id,label\n"
    print(f"interruptions planned {num_planned - 1}, done {num_done}")
    assert num_done == num_planned - 1
    assert num_done > 25
    assert not list(tmp_path.glob("again-*/packs/.*"))
