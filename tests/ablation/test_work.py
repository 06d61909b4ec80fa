"""Working off: steps in foldwise's own verbs, stored when done, and gone on with after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import work
from measured import Figures, Row, keep_figures
from studies import BASE, Depth, Study, Trick
from verbs import VerbError, foldwise
from work import Place, work_off

from foldwise.json_files import read_json
from tests.ablation.stand_ins import fundus_grade

STUDY = Study(
    pack="fundus-grade",
    init=("--pretrained", "forbidden"),
    num_folds=2,
    num_first=1,
    base={
        "model": {"name": "small_cnn", "options": {"widths": [8, 8]}},
        "input": {"size": 16},
        "train": {"epochs": 1, "batch": 8, "layout": "channels_last"},
    },
    tricks=(Trick("mixup", BASE, {"mix": "mixup"}),),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(work, "read_studies", lambda: [STUDY])
    monkeypatch.setattr(work, "read_entries", lambda: [])
    monkeypatch.setattr(work, "SCREEN", Depth((0,)))
    monkeypatch.setattr(work, "VERDICT", Depth((0, 1)))
    (tmp_path / "data").mkdir()
    return Place(tmp_path / "data", tmp_path / "work", kept=tmp_path / "kept")


@pytest.mark.slow
def test_all_steps_are_done_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "VERDICT", Depth((0,)))  # One look is enough here.
    fundus_grade(place.data / "fundus-grade")
    assert work_off(place) == 0
    home = place.study(STUDY)
    for name in (BASE, "mixup"):
        units = sorted(path.parent.name for path in home.run(name).path.glob("units/*/unit.json"))
        assert units == ["fold0-seed0", "fold1-seed0"]
        step = read_json(place.step(home, name, "1"))
        assert step["num_units"] == 2
        assert step["cpu_s"] > 0
    assert not list(home.recipes.glob("small*")), "what init proposed is not part of a study"
    monkeypatch.setattr(work, "foldwise", _nothing_is_left)
    assert work_off(place) == 0


def test_what_has_its_figures_needs_no_step(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "begin", _nothing_is_left)
    row = Row(num_seeds=1, num_folds=2, better_by=0.1, ends=None, verdict=None, time=None)
    keep_figures(place.kept, STUDY, Figures(None, {"mixup": row}))
    monkeypatch.setattr(work, "VERDICT", Depth((0,)))
    assert work_off(place) == 0
    monkeypatch.setattr(work, "VERDICT", Depth((0, 1)))
    with pytest.raises(AssertionError, match="pretrained"):  # A verdict needs more than a screen.
        work_off(place)


def _nothing_is_left(*words: object, **options: object) -> None:
    raise AssertionError(words)


def test_a_step_that_fails_says_why_and_does_not_stop_the_others(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[str] = []

    def begin(home: object, data: Path, init: object) -> None:
        tried.append(data.name)
        raise VerbError("no such pack")

    monkeypatch.setattr(work, "begin", begin)
    assert work_off(place) == 4
    assert tried == ["fundus-grade"] * 4
    assert "fundus-grade mixup, 1 seeds: FAILED: no such pack" in capsys.readouterr().out


def test_processor_time_of_what_was_broken_off_counts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place.study(STUDY)
    units = home.run(BASE).path / "units"

    def train(*words: str, tell: Callable[[float], None] = lambda cpu_s: None) -> None:
        if words[0] != "train":
            return
        num_done = len(list(units.glob("*")))
        (units / f"fold{num_done}-seed0").mkdir(parents=True)
        (units / f"fold{num_done}-seed0" / "unit.json").touch()
        tell(30.0)
        if num_done == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(work, "foldwise", train)
    for stage in ("begin", "split"):
        monkeypatch.setattr(work, stage, lambda *given: None)
    with pytest.raises(KeyboardInterrupt):
        work_off(place)
    work_off(place)
    step = read_json(place.step(home, BASE, "1"))
    assert (step["cpu_s"], step["num_units"]) == (60.0, 2)


def test_a_verb_that_ends_badly_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(VerbError, match=r"no competition\.yaml"):
        foldwise("split", "-C", str(tmp_path))


def test_a_command_goes_with_the_process_that_started_it(tmp_path: Path) -> None:
    sign = tmp_path / "alive"
    code = f"import sys, verbs\nsys.executable = {str(_endless(sign))!r}\nverbs.foldwise('train')\n"
    paths = os.pathsep.join([str(Path(work.__file__).parent), *sys.path])
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths})
    pid = int(_text_of(sign))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _ends(pid)


def _endless(sign: Path) -> Path:
    """A command that writes its process id and waits."""
    script = sign.with_name("endless")
    script.write_text(
        f"#!/bin/sh\necho $$ > {sign}.part && mv {sign}.part {sign}\nexec sleep 600\n"
    )
    script.chmod(0o755)
    return script


def _text_of(path: Path) -> str:
    for _ in range(600):
        if path.exists():
            return path.read_text()
        time.sleep(0.1)
    raise AssertionError(f"{path} was not written")


def _ends(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False
