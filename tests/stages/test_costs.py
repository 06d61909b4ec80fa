from datetime import UTC, datetime

from foldwise.config.writing import write_yaml
from foldwise.publish import publish_json
from foldwise.stages.costs import costs
from foldwise.stages.display import Display
from foldwise.stages.reporting.costs_view import costs_view
from foldwise.stages.reporting.material import gather
from foldwise.stages.train import run_units
from foldwise.time_records import Meter, read_records
from tests.builders import make_home
from tests.stages.small_units import ready, units

QUIET = Display(quiet=True)


def test_training_leaves_a_record_of_each_process(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_MACHINE", "tower")
    home = ready(tmp_path)
    list(run_units(units(home), display=QUIET))
    records = read_records(home.costs)
    assert sorted(record.name for record in records) == [f"a/fold{k}-seed0" for k in range(3)]
    assert all(record.is_over and record.seconds > 0 for record in records)
    (machine,) = costs(home, display=QUIET).machines
    assert machine.name == "tower"
    assert 0 < machine.seconds <= sum(record.seconds for record in records) + 1e-6


def test_tables_tell_quota_and_money(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FOLDWISE_MACHINE", "tower")
    machines = {"tower": {"price": 3.0, "quota": "10h", "counts": "all"}}
    home = make_home(tmp_path, plan={"machines": machines})
    assert costs(home).runs == ()
    assert "nothing was trained yet" in capsys.readouterr().out
    Meter(home.costs, "a/fold0-seed0", 7200.0).end()
    record = read_records(home.costs)[0]
    now = datetime.fromtimestamp(record.began + 10, UTC)
    found = costs(home, now=now)
    assert found.money == 6.0 or abs(found.money - 6.0) < 0.01
    said = capsys.readouterr().out
    assert "2.00 h in all, 6.00 of money" in said
    assert "renewed" in said


def test_units_without_a_record_are_told(tmp_path, capsys):
    home = make_home(tmp_path)
    Meter(home.costs, "a/fold0-seed0", 60.0).end()
    publish_json(home.runs / "old" / "run.json", {"kind": "recipe"})
    publish_json(home.runs / "old" / "units" / "fold0-seed0" / "unit.json", {})
    costs(home)
    assert "not counted: old" in capsys.readouterr().out


def test_the_report_has_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_MACHINE", "<tower>")
    home = make_home(tmp_path)
    assert costs_view(gather(home)) is None
    Meter(home.costs, "a/fold0-seed0", 5400.0).end()
    view = costs_view(gather(home))
    assert view["total"] == "1.50"
    assert view["runs"][0]["hours"] == "1.50"
    assert view["machines"][0]["name"] == "<tower>"
    write_yaml(home.plan, {"recipes": {"a": {}}, "machines": {"x": {"price": -1}}}, overwrite=True)
    material = gather(home)
    assert costs_view(material) is None
    assert material.troubles
