"""Who waits for Kaggle keeps nobody else from it, and no work is done by two at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foldwise.errors import LockedError
from foldwise.home import Home
from foldwise.platforms import kaggle_line
from foldwise.stages.push import push
from foldwise.stages.submit import submit
from foldwise.stages.uploading.memory import Memory
from foldwise.stages.uploading.submission import upload
from tests.platforms.stand_in import StandIn
from tests.stages.small_competition import QUIET
from tests.stages.uploading.conftest import make_pack

Meanwhile = Callable[[Callable[[], None]], list[int]]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Does something else, once, while something is waited for; what counts how often."""

    def put_in(work: Callable[[], None]) -> list[int]:
        done: list[int] = []

        def pause(seconds: float) -> None:
            if not done:
                done.append(1)
                work()

        monkeypatch.setattr(kaggle_line, "pause", pause)
        return done

    return put_in


def hand_in(home: Home, run: str) -> None:
    upload(home, submit(home, run, display=QUIET).entry, display=QUIET)


def test_a_file_is_handed_in_while_a_notebook_runs(
    kaggle: StandIn, home: Home, meanwhile: Meanwhile
) -> None:
    make_pack(home)
    kaggle.site.run_states = ["RUNNING"]
    done = meanwhile(lambda: hand_in(home, "a"))
    push(home, "night", display=QUIET)
    assert done
    assert len(kaggle.site.submissions) == 1


def test_a_file_is_handed_in_while_a_pack_is_uploaded(
    kaggle: StandIn, home: Home, meanwhile: Meanwhile
) -> None:
    make_pack(home)
    kaggle.site.dataset_states = ["BLOBS_RECEIVED"]
    done = meanwhile(lambda: hand_in(home, "a"))
    push(home, "night", display=QUIET)
    assert done
    assert len(kaggle.site.submissions) == len(kaggle.site.datasets) == 1
    kaggle.asked.clear()
    push(home, "night", display=QUIET)  # What both remembered is there.
    hand_in(home, "a")
    requests = {request for request, _ in kaggle.asked}
    assert not {"CreateDatasetVersion", "SaveKernel", "CreateSubmission"} & requests


def test_another_file_is_handed_in_while_a_score_is_waited_for(
    kaggle: StandIn, home: Home, meanwhile: Meanwhile
) -> None:
    kaggle.site.pending = 1
    done = meanwhile(lambda: hand_in(home, "b"))
    hand_in(home, "a")
    assert done
    assert len(kaggle.site.submissions) == 2


def test_two_do_not_do_the_same_work_at_once(kaggle: StandIn, home: Home) -> None:
    make_pack(home)
    memory = Memory(home)
    with memory.alone("submit"):
        with pytest.raises(LockedError, match="foldwise submit"):
            hand_in(home, "a")
        push(home, "night", display=QUIET)
    with memory.alone("push"):
        with pytest.raises(LockedError, match="foldwise push"):
            push(home, "night", display=QUIET)
        hand_in(home, "a")
    assert len(kaggle.site.submissions) == len(kaggle.site.notebooks) == 1
