import json
import shutil
from pathlib import Path

import pytest

from foldwise import publish
from foldwise.errors import DataError, RunError
from foldwise.home import Home
from foldwise.stages.predict import predict
from foldwise.stages.sync import sync
from foldwise.stages.syncing.manifest import Content, Manifest, from_json
from foldwise.stages.syncing.snapshot import snapshot_of
from foldwise.stages.syncing.store import Store
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from foldwise.time_records import Meter, read_records
from tests.stages.extra_homes import make_teacher, make_units, score
from tests.stages.mounted_notebooks import QUIET
from tests.stages.small_competition import make_problem
from tests.stages.small_units import ready, units, with_train, work

EVERY_STEP = with_train(epochs=3, checkpoint={"every": "0s", "share": 1.0})


class Killed(BaseException):
    """In place of a kill."""


def copied(home: Home, folder: Path) -> Home:
    """The same competition on another machine, where nothing is trained."""
    shutil.copytree(home.path.parent, folder)
    found = Home(folder / home.path.name)
    shutil.rmtree(found.runs, ignore_errors=True)
    shutil.rmtree(found.costs, ignore_errors=True)
    return found


def work_until(unit: Unit, monkeypatch: pytest.MonkeyPatch, *, states: int = 1) -> None:
    """Train a unit and break it off once it has saved so many more states."""
    seen = []

    def step(phase: str, path: Path) -> None:
        if phase == "opened" and "-epoch-" in path.name and path.suffix == ".json":
            seen.append(path)
            if len(seen) > states:
                raise Killed

    monkeypatch.setattr(publish, "step", step)
    with pytest.raises(Killed):
        work(unit)
    monkeypatch.undo()


def content(home: Home) -> dict[str, bytes]:
    """Path → content of all that units are made of."""
    return {
        str(path.relative_to(home.runs)): path.read_bytes()
        for path in sorted(home.runs.rglob("*"))
        if path.is_file() and path.name not in (".lock", "timing.jsonl", "log.txt")
    }


def unit_files(home: Home) -> dict[str, bytes]:
    """Name → content of what the first unit is made of."""
    folder = "a/units/fold0-seed0/"
    return {
        name.removeprefix(folder): data
        for name, data in content(home).items()
        if name.startswith(folder) and ".incoming" not in name
    }


def test_units_go_through_a_store_as_they_are_and_only_once(tmp_path):
    home = ready(tmp_path / "a")
    found = units(home)
    for unit in found[:2]:
        work(unit)
    first = sync(home.path, tmp_path / "store", display=QUIET)
    assert first.units == (found[0].name, found[1].name)
    assert sync(home.path, tmp_path / "store", display=QUIET).units == ()
    other = copied(home, tmp_path / "b")
    assert set(sync(tmp_path / "store", other.path, display=QUIET).units) == set(first.units)
    assert content(other) == content(home)
    assert [unit.is_done() for unit in units(other)] == [True, True, False]
    assert sync(tmp_path / "store", other.path, display=QUIET).units == ()


def test_a_half_trained_unit_goes_on_elsewhere_to_the_same_bits(tmp_path, monkeypatch):
    home = ready(tmp_path / "a", EVERY_STEP)
    other, whole = copied(home, tmp_path / "b"), copied(home, tmp_path / "c")
    work(units(whole)[0])
    work_until(units(home)[0], monkeypatch)
    sync(home.path, tmp_path / "store", display=QUIET)
    sync(tmp_path / "store", other.path, display=QUIET)
    unit = units(other)[0]
    assert unit.folder.checkpoint.exists()
    assert not unit.is_done()
    work(unit)
    assert unit.folder.weights.read_bytes() == units(whole)[0].folder.weights.read_bytes()
    assert unit.folder.history.read_bytes() == units(whole)[0].folder.history.read_bytes()


def test_the_unit_that_is_further_wins_and_lesser_states_are_dropped(tmp_path, monkeypatch):
    home = ready(tmp_path / "a", EVERY_STEP)
    other = copied(home, tmp_path / "b")
    store = Store(tmp_path / "store")
    work_until(units(home)[0], monkeypatch)
    sync(home.path, store.path, display=QUIET)
    (first,) = store.read().manifests
    work_until(units(home)[0], monkeypatch)
    sync(home.path, store.path, display=QUIET)
    (kept,) = store.read().manifests
    assert kept.state == "begun"
    assert kept.progress > first.progress > (0, 0)
    states = {c.sha256 for name, c in first.files.items() if name.startswith("checkpoint/")}
    objects = {path.name for path in store.path.glob("objects/*/*")}
    assert states
    assert objects >= {content.sha256 for content in kept.contents}
    assert not objects & states
    work(units(other)[0])
    sync(other.path, store.path, display=QUIET)
    assert [manifest.state for manifest in store.read().manifests] == ["done"]
    # A session that is behind changes nothing, and takes over what is done.
    assert sync(home.path, store.path, display=QUIET).units == ()
    assert sync(store.path, home.path, display=QUIET).units == ("a/fold0-seed0",)
    assert units(home)[0].is_done()
    assert not units(home)[0].folder.has_states


def test_a_tie_keeps_what_is_there(tmp_path):
    home = ready(tmp_path / "a")
    other = copied(home, tmp_path / "b")
    work(units(home)[0])
    work(units(other)[0])
    record = units(other)[0].folder.record
    record.write_text(json.dumps({**json.loads(record.read_text()), "notes": ["mine"]}))
    sync(home.path, tmp_path / "store", display=QUIET)
    assert sync(other.path, tmp_path / "store", display=QUIET).units == ()
    before = content(other)
    assert sync(tmp_path / "store", other.path, display=QUIET).units == ()
    assert content(other) == before


def test_a_kill_while_a_unit_is_taken_over_mixes_nothing(tmp_path, monkeypatch):
    home = ready(tmp_path / "a", EVERY_STEP)
    other = copied(home, tmp_path / "b")
    work(units(home)[0])
    wanted = unit_files(home)
    sync(home.path, tmp_path / "store", display=QUIET)
    work_until(units(other)[0], monkeypatch)
    begun = unit_files(other)
    phases = 0
    for at in range(1, 200):
        seen = [0]

        def step(name: str, path: Path, seen: list[int] = seen, at: int = at) -> None:
            seen[0] += 1
            if seen[0] == at:
                raise Killed

        monkeypatch.setattr(publish, "step", step)
        try:
            sync(tmp_path / "store", other.path, display=QUIET)
        except Killed:
            phases += 1
            now = unit_files(other)
            is_done = units(other)[0].is_done()
            assert now == wanted if is_done else (now == begun or "unit.json" not in now)
            continue
        break
    monkeypatch.undo()
    assert phases > 30
    assert unit_files(other) == wanted


def test_what_is_damaged_in_a_store_is_told_and_never_used(tmp_path, monkeypatch):
    home = ready(tmp_path / "a")
    other = copied(home, tmp_path / "b")
    work(units(home)[0])
    sync(home.path, tmp_path / "store", display=QUIET)
    weights = max((tmp_path / "store").glob("objects/*/*"), key=lambda path: path.stat().st_size)
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    done = sync(tmp_path / "store", other.path, display=QUIET)
    assert done.units == ()
    assert "damaged or changed" in done.notes[0]
    assert not units(other)[0].is_done()
    # Known to be damaged it counts as absent, and whoever has it makes it whole again.
    assert "1 of its files are not here" in Store(tmp_path / "store").read().notes[0]
    assert sync(home.path, tmp_path / "store", display=QUIET).units == ("a/fold0-seed0",)
    assert weights.read_bytes() == good
    weights.write_bytes(good[:10])
    assert sync(home.path, tmp_path / "store", display=QUIET).units == ("a/fold0-seed0",)
    assert sync(tmp_path / "store", other.path, display=QUIET).units == ("a/fold0-seed0",)


def test_units_of_other_rows_or_recipes_are_left_there(tmp_path):
    home = ready(tmp_path / "a")
    work(units(home)[0])
    sync(home.path, tmp_path / "store", display=QUIET)
    other = ready(tmp_path / "b", with_train(epochs=1))
    done = sync(tmp_path / "store", other.path, display=QUIET)
    assert done.units == ()
    assert "another recipe" in done.notes[0]
    assert not other.run("a").record.exists()
    # Both lie in the store side by side: what is new is kept beside what is old.
    work(units(other)[0])
    assert sync(other.path, tmp_path / "store", display=QUIET).units == ("a/fold0-seed0",)
    assert len(Store(tmp_path / "store").read().manifests) == 2
    third = copied(other, tmp_path / "c")
    assert sync(tmp_path / "store", third.path, display=QUIET).units == ("a/fold0-seed0",)
    assert units(third)[0].is_done()


def test_students_come_after_their_teachers_whatever_they_are_called(tmp_path):
    problem = make_problem(tmp_path / "a")
    make_teacher(problem, "teacher")
    home = problem.home
    other = copied(home, tmp_path / "b")
    for unit in make_units(problem, "heir", pseudo={"run": "teacher"}):
        score(unit, seed=unit.fold)
    store = tmp_path / "store"
    assert len(sync(home.path, store, display=QUIET).units) == 6
    done = sync(store, other.path, display=QUIET)
    assert (len(done.units), done.notes) == (6, ())
    heirs = make_units(open_problem(other), "heir", pseudo={"run": "teacher"})
    assert all(unit.is_done() for unit in heirs)


def test_students_whose_teachers_are_not_there_are_left_and_told(tmp_path):
    problem = make_problem(tmp_path / "a")
    make_teacher(problem, "teacher")
    for unit in make_units(problem, "heir", pseudo={"run": "teacher"}):
        score(unit, seed=unit.fold)
    other = copied(problem.home, tmp_path / "b")
    shutil.rmtree(problem.home.runs / "teacher")
    done = sync(problem.home.path, other.path, display=QUIET)
    assert done.units == ()
    assert done.notes[0] == "heir/fold0-seed0: its extra rows cannot be told here yet: left"


def test_a_seed_from_elsewhere_is_noted_in_the_run(tmp_path):
    home = ready(tmp_path / "a")
    other = copied(home, tmp_path / "b")
    work(units(home, seeds=(1,))[0])
    units(other)
    sync(home.path, other.path, display=QUIET)
    assert other.run("a").read_record()["seeds"] == [0, 1]


def test_what_has_no_room_is_told(tmp_path):
    home = ready(tmp_path / "a")
    for unit in units(home)[:2]:
        work(unit)
    size = sum(content.size for content in snapshot_of(home).manifests[0].contents)
    done = sync(home.path, tmp_path / "store", max_bytes=int(1.5 * size), display=QUIET)
    assert len(done.units) == 1
    assert "no room" in done.no_room[0]


def test_a_full_store_has_room_for_what_replaces_a_state_in_it(tmp_path, monkeypatch):
    home = ready(tmp_path / "a", EVERY_STEP)
    store = Store(tmp_path / "store")
    work_until(units(home)[0], monkeypatch)
    sync(home.path, store.path, display=QUIET)
    work_until(units(home)[0], monkeypatch)
    full = store.size() + 10_000  # Less than a state.
    assert max(c.size for c in store.read().manifests[0].contents) > 10_000
    done = sync(home.path, store.path, max_bytes=full, display=QUIET)
    assert done.units == ("a/fold0-seed0",)
    assert not done.no_room
    assert store.size() <= full


def test_a_damaged_record_of_a_run_is_told_and_brought_again(tmp_path):
    home = ready(tmp_path / "a")
    other = copied(home, tmp_path / "b")
    work(units(home)[0])
    store = Store(tmp_path / "store")
    sync(home.path, store.path, display=QUIET)
    record = store.read().paths[store.read().manifests[0].record]
    record.write_bytes(b"x" * record.stat().st_size)
    done = sync(store.path, other.path, display=QUIET)
    assert "record is damaged there" in done.notes[0]
    assert not other.run("a").record.exists()
    sync(home.path, store.path, display=QUIET)
    assert sync(store.path, other.path, display=QUIET).units == ("a/fold0-seed0",)


def test_a_damaged_record_of_time_is_left_and_told(tmp_path):
    home = ready(tmp_path / "a")
    Meter(home.costs, "a/fold0-seed0", 10.0).end()
    sync(home.path, tmp_path / "store", display=QUIET)
    (good,) = (tmp_path / "store" / "costs").iterdir()
    whole = good.read_bytes()
    (good.parent / "half.json").write_bytes(whole[:20])
    other = copied(home, tmp_path / "b")
    done = sync(tmp_path / "store", other.path, display=QUIET)
    assert "half.json" in done.notes[0]
    assert [path.name for path in other.costs.iterdir()] == [good.name]
    good.write_bytes(whole[:20])
    sync(home.path, tmp_path / "store", display=QUIET)
    assert good.read_bytes() == whole


def test_records_of_time_are_added_and_only_grow(tmp_path):
    home = ready(tmp_path / "a")
    meter = Meter(home.costs, "a/fold0-seed0", 10.0)
    sync(home.path, tmp_path / "store", display=QUIET)
    early = (home.costs / next(home.costs.iterdir()).name).read_bytes()
    meter.end()
    sync(home.path, tmp_path / "store", display=QUIET)
    (record,) = read_records(tmp_path / "store" / "costs")
    assert record.is_over
    next(home.costs.iterdir()).write_bytes(early)
    sync(home.path, tmp_path / "store", display=QUIET)
    assert read_records(tmp_path / "store" / "costs") == [record]
    other = copied(home, tmp_path / "b")
    sync(tmp_path / "store", other.path, display=QUIET)
    assert read_records(other.costs) == [record]


def test_students_come_after_the_teachers_that_labelled_rows_for_them(tmp_path):
    problem = make_problem(tmp_path / "a" / "comp")
    other = copied(problem.home, tmp_path / "b")
    make_teacher(problem, "z")
    for place, unit in enumerate(make_units(problem, "b", pseudo={"run": "z"})):
        score(unit, seed=100 + place)
    predict(problem.home, "b", problem=problem)
    for place, unit in enumerate(make_units(problem, "a", pseudo={"run": "b"})):
        score(unit, seed=200 + place)
    store = tmp_path / "store"
    sent = sync(problem.home.path, store, display=QUIET)
    assert {name.partition("/")[0] for name in sent.units} == {"z", "b", "a"}
    done = sync(store, other.path, display=QUIET)
    assert not done.notes
    assert sorted(done.units) == sorted(sent.units)


def test_folders_that_are_neither_are_refused(tmp_path):
    home = ready(tmp_path / "a")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").touch()
    with pytest.raises(RunError, match="neither a competition nor a store"):
        sync(tmp_path / "photos", home.path, display=QUIET)
    with pytest.raises(RunError, match="is not empty"):
        sync(home.path, tmp_path / "photos", display=QUIET)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "store.json").write_text('{"format": 99}')
    with pytest.raises(DataError, match="update foldwise"):
        sync(home.path, tmp_path / "odd", display=QUIET)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run", "../elsewhere"),
        ("unit", "../fold0-seed0"),
        ("state", "splendid"),
        ("files", {"../../unit.json": {"sha256": "0" * 64, "size": 1}}),
        ("files", {"/etc/passwd": {"sha256": "0" * 64, "size": 1}}),
        ("files", {"unit.json": {"sha256": "../../x", "size": 1}}),
        ("record", None),
    ],
)
def test_manifests_that_reach_out_of_their_place_are_refused(key, value):
    some = Content("0" * 64, 1)
    good = Manifest("a", "fold0-seed0", "done", (0, 0), {}, some, {"unit.json": some}, "")
    plain = json.loads(json.dumps(good, default=lambda part: part.__dict__))
    assert from_json(plain) == good
    with pytest.raises(DataError):
        from_json({**plain, key: value})


def test_a_run_of_another_version_is_left_and_the_others_are_taken(tmp_path):
    home = ready(tmp_path / "a")
    unit = units(home)[0]
    work(unit)
    shutil.copytree(unit.run.path, home.runs / "b")
    record = home.runs / "b" / "run.json"
    values = json.loads(record.read_text())
    values["recipe"]["train"]["of_the_future"] = 1
    record.write_text(json.dumps(values))
    other = copied(home, tmp_path / "other")
    found = sync(home.path, other.path, display=QUIET)
    assert found.units == (unit.name,)
    assert any(
        note.startswith("b: 1 units were left: their recipe has keys") for note in found.notes
    )
