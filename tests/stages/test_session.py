"""Notebooks are run cell by cell in a plain process, against stand-ins of the mounted folders."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from foldwise.config.writing import write_yaml
from foldwise.errors import BudgetError, DataError, RunError
from foldwise.home import Home
from foldwise.publish import publish_bytes
from foldwise.stages.session import _quota_left_s, session
from foldwise.stages.sessions.clock import SessionClock
from foldwise.stages.sessions.mounted import find_data, find_stores
from foldwise.stages.sessions.processes import Saving
from foldwise.stages.syncing.snapshot import Snapshot
from foldwise.stages.syncing.store import Store, is_store
from foldwise.stages.training.jobs import train_unit
from foldwise.time_records import Meter, read_records
from tests.stages.mounted_notebooks import QUIET, Mounted, mount
from tests.stages.small_units import ready, units, with_train, work

# Long enough to be caught in the middle on a fast machine, by states that stay to be copied.
LONG = with_train(epochs=4000, checkpoint={"every": "1s", "share": 0.02})
TWO_FOLDS = {"folds": {"count": 2}}


def bits(home: Home) -> dict[str, str]:
    """SHA-256 of what each unit gives."""
    names = ("weights.safetensors", "valid.parquet", "test.parquet", "history.csv")
    files = [unit.folder.path / name for unit in units(home) for name in names]
    return {
        str(path.relative_to(home.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def killed_when_half_trained(mounted: Mounted) -> None:
    """Run the notebook; all its processes die by kill -9 once a begun unit is in the store."""
    kernel = mounted.kernel(LIMIT="20m", EVERY="1s")
    try:
        deadline = time.monotonic() + 300
        while not has_begun(mounted.store):
            assert kernel.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        if kernel.poll() is None:
            os.killpg(kernel.pid, signal.SIGKILL)
        kernel.communicate()


def has_begun(store: Path) -> bool:
    """Whether a half-trained unit is there."""
    return is_store(store) and any(m.state == "begun" for m in Store(store).read().manifests)


def train_at_once(home: Home, like: Home) -> None:
    """Train all units with no interruption, with the choices that were made by trial elsewhere."""
    for unit, chosen in zip(units(home), units(like), strict=True):
        publish_bytes(unit.folder.choices, chosen.folder.choices.read_bytes())
        threads = json.loads(unit.folder.choices.read_text())["threads"]
        place = (str(home.path), str(unit.run.path), unit.fold, unit.seed)
        train_unit(*place, threads, unit.epochs)


@pytest.mark.slow
def test_a_session_after_a_killed_one_ends_with_the_bits_of_one_uninterrupted(tmp_path, request):
    if not request.config.getoption("--full"):
        pytest.skip("trains for minutes: make survive")
    home = ready(tmp_path / "a", LONG, plan=TWO_FOLDS)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    mounted = mount(tmp_path / "m", home, tmp_path / "a" / "raw")
    killed_when_half_trained(mounted)
    mounted.next_session()
    assert "all is trained" in mounted.run(LIMIT="20m")
    mounted.bring_home()
    whole = Home(tmp_path / "b" / "comp")
    train_at_once(whole, home)
    assert bits(home) == bits(whole)
    counted = [record.name for record in read_records(home.costs)]
    assert counted.count("session") == 2
    assert counted.count("a/fold0-seed0") == 2


@pytest.mark.slow
def test_a_session_whose_time_is_up_stops_with_its_state_saved(tmp_path, monkeypatch, capfd):
    home = ready(
        tmp_path / "a", with_train(epochs=4000, checkpoint={"every": "1h"}), plan=TWO_FOLDS
    )
    mounted = mount(tmp_path / "m", home, tmp_path / "a" / "raw")
    work = tmp_path / "work"

    def is_over(clock: SessionClock) -> bool:
        return any(work.glob("competition/runs/a/units/*/history.csv"))

    monkeypatch.setattr(SessionClock, "is_over", property(is_over))
    end = session(
        home.packs / "night", source=mounted.input, output=mounted.output, limit="20m", work=work
    )
    assert (end.is_done, end.is_saved, end.code) == (False, True, None)
    said = capfd.readouterr().out
    assert "the time is up" in said
    assert "run the notebook again to go on" in said
    # Though no state was due for an hour.
    assert has_begun(mounted.store)
    (whole,) = [r for r in read_records(mounted.store / "costs") if r.name == "session"]
    assert whole.is_over


def test_a_session_needs_a_pack_data_and_time(tmp_path):
    home = ready(tmp_path / "a")
    mounted = mount(tmp_path / "m", home, tmp_path / "a" / "raw")
    pack = home.packs / "night"
    with pytest.raises(RunError, match="no pack"):
        session(home.path, source=mounted.input, output=mounted.output, display=QUIET)
    with pytest.raises(DataError, match=r"holds train\.csv"):
        session(
            pack, source=mounted.output, output=mounted.output, work=tmp_path / "w", display=QUIET
        )
    with pytest.raises(BudgetError, match="no time left"):
        session(
            pack,
            source=mounted.input,
            output=mounted.output,
            limit="0s",
            work=tmp_path / "w",
            display=QUIET,
        )


def with_quota(folder: Path, **machine: str) -> Home:
    """A competition whose plan gives the machine `tower` a quota."""
    home = ready(folder)
    plan = {"recipes": {"a": {}}, "folds": {"count": 3}, "machines": {"tower": machine}}
    write_yaml(home.plan, plan, overwrite=True)
    return home


def test_a_session_is_not_begun_when_the_quota_is_used_up(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_MACHINE", "tower")
    home = with_quota(tmp_path / "a", quota="10s", counts="all")
    mounted = mount(tmp_path / "m", home, tmp_path / "a" / "raw")
    Meter(home.costs, "session", 7200.0).end()
    Store(mounted.store).add(Snapshot(costs=sorted(home.costs.glob("*.json"))))
    (mounted.store / "costs" / "half.json").write_text('{"id"')
    with pytest.raises(BudgetError, match="no time left"):
        session(
            home.packs / "night",
            source=mounted.input,
            output=mounted.output,
            work=tmp_path / "w",
            display=QUIET,
        )


def test_what_is_left_of_a_quota_counts_gpus_and_each_second_once(tmp_path, monkeypatch):
    now = datetime(2026, 5, 12, 12, tzinfo=UTC)  # No period begins while the sessions work.
    monkeypatch.setattr("foldwise.time_records.time.time", now.timestamp)
    monkeypatch.setattr("foldwise.device.accelerator", lambda: "Tesla T4")
    monkeypatch.setenv("FOLDWISE_MACHINE", "tower")
    home = with_quota(tmp_path, quota="1h", per="month")
    Meter(home.costs, "session", 600.0).end()
    Meter(home.costs, "session", 900.0)  # In the same container, which is older than both.
    left_s = _quota_left_s(home, "tower", now, QUIET)
    assert left_s == pytest.approx(2700.0, abs=10.0)
    assert _quota_left_s(home, "elsewhere", now, QUIET) is None
    monkeypatch.setattr("foldwise.device.accelerator", lambda: "cpu")
    assert _quota_left_s(home, "tower", now, QUIET) is None


def test_the_clock_keeps_what_saving_takes():
    clock = SessionClock(3600.0, age_s=600.0)
    assert 2990 < clock.left_s <= 3000
    before = clock.reserve_s
    clock.saved(200.0)
    assert clock.reserve_s > max(before, 400.0)
    clock.saved(1.0)  # The longest counts.
    assert clock.reserve_s > 400.0
    clock.shorten(100.0)
    assert clock.is_over


def test_data_are_found_in_folders_and_zip_files(tmp_path):
    marks = ("train.csv", "images/1.png")
    deep = tmp_path / "in" / "competitions" / "x" / "raw"
    (deep / "images").mkdir(parents=True)
    for mark in marks:
        (deep / mark).touch()
    (tmp_path / "in" / "train.csv").touch()
    assert find_data(tmp_path / "in", marks, tmp_path / "un") == deep
    shutil.make_archive(str(tmp_path / "zips" / "data"), "zip", tmp_path / "in" / "competitions")
    found = find_data(tmp_path / "zips", marks, tmp_path / "un")
    assert found == tmp_path / "un" / "x" / "raw"
    assert (found / "images" / "1.png").exists()
    with pytest.raises(DataError, match="no folder or zip file"):
        find_data(tmp_path / "zips", ("test.csv",), tmp_path / "un2")


def test_a_bad_zip_file_is_passed_over_and_named(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.zip").write_bytes(b"half a download")
    with pytest.raises(DataError, match=r"a\.zip: damaged"):
        find_data(tmp_path / "in", ("train.csv",), tmp_path / "un")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").touch()
    shutil.make_archive(str(tmp_path / "in" / "b"), "zip", tmp_path / "data")
    assert (find_data(tmp_path / "in", ("train.csv",), tmp_path / "un") / "train.csv").exists()


HOSTILE = {
    "a member outside": lambda file: file.writestr("../out.txt", b"x"),
    "a member twice": lambda file: file.writestr("train.csv", b"other\n"),
    "a link": lambda file: file.writestr(linked("images/1.png"), b"/etc/passwd"),
    "more than the disk holds": lambda file: file.writestr("bomb", bytes(50_000_000)),
}


def linked(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", HOSTILE)
def test_a_zip_file_that_is_not_to_be_trusted_is_not_unpacked(case, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "data.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("train.csv", b"id,label\n")
        HOSTILE[case](file)
    usage = shutil.disk_usage(tmp_path)
    free = usage._replace(free=210_000_000)
    monkeypatch.setattr("foldwise.archives.shutil.disk_usage", lambda _: free)
    with pytest.raises(DataError, match="no folder or zip file") as error:
        find_data(tmp_path / "in", ("train.csv",), tmp_path / "work" / "unpacked")
    assert "data.zip" in error.value.problems[-1]
    assert not list((tmp_path / "work").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "work"]


def test_stores_are_found_once(tmp_path):
    for place in ("in/a/store", "in/datasets/me/old"):
        Store(tmp_path / place).add(Snapshot())
    Store(tmp_path / "in/a/store/units/inner").add(Snapshot())  # Part of the one around it.
    assert sorted(find_stores([tmp_path / "in", tmp_path / "in"])) == [
        tmp_path / "in/a/store",
        tmp_path / "in/datasets/me/old",
    ]


def test_a_store_that_cannot_be_reached_is_told_and_tried_again(tmp_path):
    home = ready(tmp_path)
    (tmp_path / "away").write_text("a folder that is not mounted")
    saving = Saving(home.path, tmp_path / "away" / "store")
    assert not saving.finish(60.0)
    assert "away" in saving.problems
    (tmp_path / "away").unlink()
    assert saving.finish(60.0)
    assert len(saving.durations) == 1
    assert (tmp_path / "away" / "store" / "store.json").exists()


def test_what_has_no_room_in_the_store_is_told(tmp_path):
    home = ready(tmp_path)
    work(units(home)[0])
    saving = Saving(home.path, tmp_path / "store", max_bytes=10)
    assert not saving.finish(60.0)
    assert "a/fold0-seed0: no room" in saving.problems


def test_a_save_that_hangs_is_broken_off(tmp_path):
    saving = Saving(ready(tmp_path).path, tmp_path / "store")
    saving.begin()
    assert saving.poll(within_s=0.0)
    assert "broken off" in saving.problems
