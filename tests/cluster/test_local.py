import os
import time
from pathlib import Path

import pytest

from foldwise.cluster.local import Job, run_jobs
from foldwise.errors import DataError


def double(number: int) -> int:
    return 2 * number


def wrong(number: int) -> None:
    raise DataError("no good", remedy="try another")


def crash(number: int) -> None:
    os.abort()


def hang(number: int) -> None:
    time.sleep(60)


def job(function: str, folder: Path, number: int = 1, stop_at: float | None = None) -> Job:
    name = f"{function}{number}"
    return Job(name, f"{__name__}:{function}", (number,), folder / name, 1, stop_at)


def test_jobs_run_and_one_that_fails_does_not_stop_the_others(tmp_path):
    jobs = [job(name, tmp_path, 3) for name in ("wrong", "crash", "double")]
    jobs.append(job("hang", tmp_path, stop_at=time.monotonic() + 0.5))
    found = {outcome.job.name: outcome for outcome in run_jobs(jobs, parallel=2)}
    assert found["double3"].value == 6
    assert found["double3"].error is None
    assert found["wrong3"].error == "no good\ntry another"
    assert "code -6" in str(found["crash3"].error)
    assert found["hang1"].stopped


def test_polling_goes_on_while_jobs_run(tmp_path):
    polls = [0]

    def poll() -> None:
        polls[0] += 1

    jobs = [job("hang", tmp_path, stop_at=time.monotonic() + 1.5)]
    assert [outcome.stopped for outcome in run_jobs(jobs, parallel=1, poll=poll)] == [True]
    assert polls[0] >= 2


@pytest.mark.parametrize("parallel", [1, 3])
def test_every_job_ends_once(tmp_path, parallel):
    jobs = [job("double", tmp_path, number) for number in range(4)]
    names = [outcome.job.name for outcome in run_jobs(jobs, parallel=parallel)]
    assert sorted(names) == [f"double{number}" for number in range(4)]
