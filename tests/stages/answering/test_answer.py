"""A pack answers as the run does, whatever the order, the damage and the time."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from foldwise.errors import BudgetError, ConfigError, DataError, RunError
from foldwise.home import Home
from foldwise.stages.answer import answer
from foldwise.stages.answering import handing_in, pacing
from foldwise.stages.submit import submit
from foldwise.stages.submitting.checks import check_submission
from foldwise.tasks.problem import open_problem
from tests.stages.answering.trained import make_trained, mounted, pack
from tests.stages.mounted_notebooks import QUIET


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Home:
    return make_trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def home(trained, tmp_path) -> Home:
    shutil.copytree(trained.path.parent, tmp_path / "desk")
    return Home(tmp_path / "desk" / trained.path.name)


def answered(home: Home, folder: Path, **options):
    """The pack's answer in folders of its own."""
    source = folder / "input"
    if not source.exists():
        mounted(home, folder)
    given = {"source": source, "output": folder / "out", "work": folder / "work", **options}
    return answer(home.packs / "answer", display=QUIET, **given)


def handed_in(folder: Path) -> bytes:
    return (folder / "out" / "submission.csv").read_bytes()


@pytest.mark.parametrize("name", ["a", "mix"])
def test_the_answer_is_the_runs_own_byte_for_byte(home, tmp_path, name):
    own = submit(home, name, display=QUIET).entry.file.read_bytes()
    folder = pack(home, name)
    found = answered(home, tmp_path / "there")
    assert found.is_whole
    assert found.num_rounds == (3 if name == "a" else 6)
    assert handed_in(tmp_path / "there") == own
    log = json.loads((tmp_path / "there" / "out" / "answer.json").read_text())
    assert log["rounds"] == log["planned"] == found.num_rounds
    assert sorted(log["units"]) == sorted(found.units)
    assert (folder / "answer.ipynb").exists()


def test_rows_in_another_order_give_the_same_file(home, tmp_path):
    pack(home)
    table = mounted(home, tmp_path / "there") / "the-data" / "test.csv"
    pd.read_csv(table, dtype=str)[::-1].to_csv(table, index=False)
    answered(home, tmp_path / "there")
    own = submit(home, "mix", display=QUIET).entry.file.read_bytes()
    assert handed_in(tmp_path / "there") == own


def test_no_train_image_is_wanted(home, tmp_path):
    pack(home)
    source = mounted(home, tmp_path / "there")
    (source / "the-data" / "train.csv").unlink()
    wanted = set(open_problem(home).test.frame["file"])
    for path in (source / "the-data" / "images").iterdir():
        if f"images/{path.name}" not in wanted:
            path.unlink()
    assert answered(home, tmp_path / "there").is_whole


def test_images_that_cannot_be_used_get_the_mean_and_the_others_their_own(home, tmp_path):
    pack(home)
    source = mounted(home, tmp_path / "there")
    test = open_problem(home).test
    files = [source / "the-data" / file for file in test.frame["file"][:3]]
    files[0].unlink()
    files[1].write_bytes(b"")
    files[2].write_bytes(files[2].read_bytes()[:40])
    found = answered(home, tmp_path / "there")
    assert found.is_whole
    assert any("3 damaged test images" in note for note in found.notes)
    ours, theirs = (
        pd.read_csv(path, dtype=str).set_index("id")
        for path in (
            submit(home, "mix", display=QUIET).entry.file,
            tmp_path / "there" / "out" / "submission.csv",
        )
    )
    kept = [name for name in ours.index if name not in set(test.ids[:3])]
    assert theirs.loc[kept].equals(ours.loc[kept])
    assert set(theirs.index) == set(ours.index)


def test_ids_that_the_test_table_lacks_are_answered_and_told(home, tmp_path):
    pack(home)
    source = mounted(home, tmp_path / "there")
    table = source / "the-data" / "test.csv"
    pd.read_csv(table, dtype=str)[2:].to_csv(table, index=False)
    found = answered(home, tmp_path / "there")
    assert found.is_whole
    frame = pd.read_csv(tmp_path / "there" / "out" / "submission.csv")
    assert len(frame) == 12


def test_more_rows_than_were_known_are_answered(home, tmp_path):
    pack(home)
    source = mounted(home, tmp_path / "there") / "the-data"
    for name in ("test.csv", "sample_submission.csv"):
        frame = pd.read_csv(source / name, dtype=str)
        more = frame.iloc[:4].assign(id=[f"new{k}" for k in range(4)])
        pd.concat([frame, more]).to_csv(source / name, index=False)
    assert answered(home, tmp_path / "there").is_whole
    frame = pd.read_csv(tmp_path / "there" / "out" / "submission.csv", dtype=str).set_index("id")
    first = open_problem(home).test.ids
    assert len(frame) == 16
    assert frame.loc["new0", "label"] == frame.loc[sorted(first)[0], "label"]


def test_a_file_is_there_from_the_start_and_after_every_round(home, tmp_path, monkeypatch):
    pack(home)
    written = []
    publish = handing_in.publish_bytes

    def watch(path, data):
        publish(path, data)
        written.append(
            len(json.loads((path.parent / "answer.json").read_text())["units"])
            if (path.parent / "answer.json").exists()
            else -1
        )
        assert check_submission(home, path) == []

    monkeypatch.setattr(handing_in, "publish_bytes", watch)
    found = answered(home, tmp_path / "there")
    assert len(written) == 1 + found.num_rounds


def test_rounds_that_would_not_end_in_time_are_left_out_and_the_file_stays(
    home, tmp_path, monkeypatch
):
    pack(home)
    now = [0.0]
    monkeypatch.setattr(pacing.machine, "monotonic", lambda: now[0])
    took = pacing.Pacing.took

    def slow(self, seconds, forecast):
        now[0] += 100.0
        took(self, 100.0, forecast)

    monkeypatch.setattr(pacing.Pacing, "took", slow)
    found = answered(home, tmp_path / "there", limit="250s")
    assert 1 <= found.rounds < found.num_rounds
    assert "are left out" in found.notes[-1]
    assert check_submission(home, tmp_path / "there" / "out" / "submission.csv") == []


def test_started_again_units_are_not_run_again(home, tmp_path, monkeypatch):
    pack(home)
    answered(home, tmp_path / "there")
    before = handed_in(tmp_path / "there")
    units = list((tmp_path / "there" / "work" / "competition" / "runs").rglob("test.parquet"))
    assert len(units) == 6
    times = [path.stat().st_mtime_ns for path in units]
    answered(home, tmp_path / "there")
    assert [path.stat().st_mtime_ns for path in units] == times
    assert handed_in(tmp_path / "there") == before


def test_started_again_with_less_time_the_better_file_stays(home, tmp_path):
    pack(home)
    answered(home, tmp_path / "there")
    before = handed_in(tmp_path / "there")
    shutil.rmtree(tmp_path / "there" / "work")
    found = answered(home, tmp_path / "there", limit="3s")
    assert handed_in(tmp_path / "there") == before
    assert found.rounds == found.num_rounds
    pack(home, "a")  # Another pack's file does not count.
    assert answered(home, tmp_path / "there", work=tmp_path / "other").is_whole
    log = json.loads((tmp_path / "there" / "out" / "answer.json").read_text())
    assert log["rounds"] == log["planned"] == 3


def test_a_member_that_cannot_answer_costs_no_round_of_the_others(home, tmp_path):
    folder = pack(home)
    for path in (folder / "runs" / "b").rglob("weights.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = answered(home, tmp_path / "there")
    assert not found.is_whole
    assert found.rounds > 0
    assert any("by a alone" in note for note in found.notes)
    frame = pd.read_csv(tmp_path / "there" / "out" / "submission.csv", dtype=str)
    assert frame["label"].nunique() > 1


def test_a_read_only_pack_is_laid_out_to_be_written_to(home, tmp_path):
    folder = pack(home, "a")
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    answered(home, tmp_path / "there")
    for path in (tmp_path / "there" / "work" / "competition").rglob("*"):
        if path.is_dir() and not path.is_symlink():
            assert path.stat().st_mode & 0o700 == 0o700, path
    moved = folder.rename(folder.with_name("moved"))
    found = answer(
        moved,
        source=tmp_path / "there" / "input",
        output=tmp_path / "again",
        work=tmp_path / "there" / "work",
        display=QUIET,
    )
    assert found.is_whole
    for path in moved.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_weights_that_were_changed_are_not_used(home, tmp_path):
    folder = pack(home, "a")
    path = next((folder / "runs").rglob("fold1-seed0/weights.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = answered(home, tmp_path / "there")
    assert any("changed since it was trained" in note for note in found.notes)
    assert not found.is_whole
    assert check_submission(home, tmp_path / "there" / "out" / "submission.csv") == []


def test_less_time_packs_less_and_says_so(home, tmp_path):
    whole = json.loads((pack(home) / "pack.json").read_text())
    seconds = 10 + sum(each["seconds"] for each in whole["rounds"])
    less = pack(home, as_name="less", limit=f"{int(1.25 * seconds * 0.7)}s")
    facts = json.loads((less / "pack.json").read_text())
    assert 0 < len(facts["rounds"]) < len(whole["rounds"])
    assert facts["notes"]
    with pytest.raises(BudgetError, match="nothing of it fits"):
        pack(home, as_name="none", limit="1s")


def test_rows_it_was_packed_with_are_left_at_a_constant_where_that_was_asked(home, tmp_path):
    pack(home, skips_public=True)
    found = answered(home, tmp_path / "there")
    assert found.is_skipped
    assert not found.units
    assert check_submission(home, tmp_path / "there" / "out" / "submission.csv") == []
    assert answered(home, tmp_path / "there", in_full=True).is_whole
    table = tmp_path / "there" / "input" / "the-data" / "test.csv"
    frame = pd.read_csv(table, dtype=str)
    pd.concat([frame, frame.iloc[:1].assign(id="new")]).to_csv(table, index=False)
    assert answered(home, tmp_path / "there").is_whole


def test_what_another_machine_took_is_planned_with(home, tmp_path):
    here = json.loads((pack(home) / "pack.json").read_text())
    answered(home, tmp_path / "there")
    log = tmp_path / "there" / "out" / "answer.json"
    facts = json.loads(log.read_text())
    units = facts["measured"]["units"]
    assert units
    assert set(units) <= set(facts["units"])  # Those that saw all rows.
    facts["measured"]["units"] = {name: 50 * seconds for name, seconds in units.items()}
    log.write_text(json.dumps(facts))
    there = json.loads((pack(home, measured=log, limit="5h") / "pack.json").read_text())
    assert there["seconds"] > 5 * here["seconds"]
    assert any("as a pack measured them" in note for note in there["notes"])
    with pytest.raises(ConfigError, match="say one of them"):
        pack(home, measured=log, factor=2.0)


def test_what_cannot_be_packed_says_why(home, tmp_path):
    with pytest.raises(ConfigError, match="how long it may take"):
        pack(home, limit=None)
    with pytest.raises(RunError, match="no run"):
        pack(home, "nobody")
    pack(home)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds test\.csv"):
        answered(home, tmp_path / "there", source=tmp_path / "empty")


def test_near_the_deadline_only_what_is_scored_in_time_is_packed(home):
    many = {"num_images": 60_000, "limit": "30h"}
    whole = json.loads((pack(home, **many) / "pack.json").read_text())
    clock = {"queue": "0s", "queue_margin": "0s", "scoring": "0s", "scoring_margin": "0s"}
    clock |= {"run_slowdown": 2}
    text = home.competition.read_text()

    def ends_in(seconds: float) -> None:
        end = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        limits = json.dumps({"clock": clock})
        home.competition.write_text(f"{text}\ndeadline: {end}\nlimits: {limits}\n")

    ends_in(2 * whole["seconds"] + 600)
    early = json.loads((pack(home, as_name="early", **many) / "pack.json").read_text())
    assert early["seconds"] == pytest.approx(whole["seconds"])
    ends_in(2 * 0.7 * whole["seconds"])
    late = json.loads((pack(home, as_name="late", **many) / "pack.json").read_text())
    assert late["seconds"] <= 0.7 * whole["seconds"]
    ends_in(-5)
    with pytest.raises(BudgetError, match="before the deadline"):
        pack(home, as_name="over", **many)
    assert pack(home, as_name="over", anyway=True, **many) is not None
