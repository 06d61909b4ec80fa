import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from foldwise.cluster.local import Job, run_jobs
from foldwise.errors import DataError
from foldwise.time_records import read_records


def double(number: int) -> int:
    return 2 * number


def wrong(number: int) -> None:
    raise DataError("no good", remedy="try another")


def crash(number: int) -> None:
    os.abort()


def hang(number: int) -> None:
    time.sleep(60)


def sees(number: int) -> str | None:
    time.sleep(0.3)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


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


@pytest.mark.parametrize(
    ("gpus", "seen"), [(["0", "3"], {"0", "3"}), (["0"], {None}), ([], {None})]
)
def test_jobs_side_by_side_have_a_gpu_each(tmp_path, monkeypatch, gpus, seen):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("foldwise.device.gpus", lambda: gpus)
    jobs = [job("sees", tmp_path, number) for number in range(4)]
    found = [outcome.value for outcome in run_jobs(jobs, parallel=2)]
    assert set(found) == seen
    if len(gpus) > 1:
        assert found.count("0") == found.count("3") == 2


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


def note_interrupt(number: int, path: str) -> None:
    Path(path).touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(path).write_text("saved")
        raise


def test_an_interrupted_runner_lets_its_jobs_save(tmp_path):
    path = tmp_path / "state"

    def poll() -> None:
        if path.exists():
            raise KeyboardInterrupt

    name = f"{__name__}:note_interrupt"
    jobs = [Job("one", name, (1, str(path)), tmp_path / "log", 1, costs=tmp_path / "costs")]
    with pytest.raises(KeyboardInterrupt):
        list(run_jobs(jobs, parallel=1, poll=poll))
    assert path.read_text() == "saved"
    (record,) = read_records(tmp_path / "costs")
    assert (record.name, record.is_over) == ("one", True)


def test_killed_jobs_count_as_well(tmp_path):
    jobs = [replace(job("crash", tmp_path), costs=tmp_path / "costs")]
    list(run_jobs(jobs, parallel=1))
    (record,) = read_records(tmp_path / "costs")
    assert record.seconds > 0
