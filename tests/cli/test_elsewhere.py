"""`pack` and `session`: what a flag would not do is refused, and nothing is written then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.stages.pack import pack_training
from tests.stages.mounted_notebooks import QUIET
from tests.stages.small_units import ready
from tests.test_cli import foldwise

__all__ = ["foldwise"]


@pytest.mark.parametrize(
    "flag",
    [
        ("--images", "10"),
        ("--slower", "2"),
        ("--measured", "answer.json"),
        ("--anyway",),
        ("--skip-public",),
        ("--prove",),
    ],
)
def test_a_pack_for_training_takes_no_flag_of_one_that_answers(
    flag: tuple[str, ...], foldwise: Any, tmp_path: Path
) -> None:
    home = ready(tmp_path)
    code, said = foldwise("pack", "--train", *flag, "-C", home.path)
    assert code == 2
    assert f"{flag[0]}: of packs that answer" in said
    assert not home.packs.exists()


def test_flags_that_do_nothing_are_told_together(foldwise: Any, tmp_path: Path) -> None:
    _, said = foldwise("pack", "--train", "--anyway", "--prove", "-C", ready(tmp_path).path)
    assert "--anyway: " in said
    assert "--prove: " in said


def test_a_pack_that_is_not_written_is_not_proved(foldwise: Any, tmp_path: Path) -> None:
    home = ready(tmp_path)
    code, said = foldwise("pack", "a", "--dry-run", "--prove", "--limit", "1h", "-C", home.path)
    assert code == 2
    assert "--prove: proves a pack that is written" in said


def contents(home: Home) -> dict[str, bytes]:
    files = (path for path in home.path.rglob("*") if path.is_file())
    return {path.relative_to(home.path).as_posix(): path.read_bytes() for path in files}


def test_what_a_pack_for_training_would_hold_is_said_and_not_written(
    foldwise: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from foldwise.stages.display import Display
    from foldwise.stages.packing.rehearsing import rehearse_training

    home = ready(tmp_path)
    before = contents(home)
    assert foldwise("pack", "--train", "--dry-run", "-C", home.path)[0] == 0
    assert contents(home) == before
    rehearse_training(home, on="kaggle", limit="9h", display=Display())
    said = capsys.readouterr().out
    assert "would pack for Kaggle, for sessions of 9h: a; " in said
    code, told = foldwise("pack", "--train", "b", "--dry-run", "-C", home.path)
    assert code == 2
    assert "there is no run 'b'" in told
    assert foldwise("pack", "--train", "--as", "../x", "--dry-run", "-C", home.path)[0] == 2


def test_a_session_takes_no_flag_of_the_other_kind_of_pack(foldwise: Any, tmp_path: Path) -> None:
    trains = pack_training(ready(tmp_path / "home"), on="kaggle", display=QUIET)
    answers = tmp_path / "answers"
    publish_json(answers / "pack.json", {"kind": "answer", "name": "answers", "limit": "1h"})
    places = ("--input", tmp_path, "--output", tmp_path / "out")
    code, said = foldwise("session", trains, *places, "--in-full")
    assert code == 2
    assert "--in-full: of packs that answer" in said
    code, said = foldwise("session", answers, *places, "--every", "5m")
    assert code == 2
    assert "--every: of packs that train" in said
    assert not (tmp_path / "out").exists()


def test_check_takes_no_run(foldwise: Any, tmp_path: Path) -> None:
    home = ready(tmp_path)
    code, said = foldwise("submit", "a", "--check", home.samples, "-C", home.path)
    assert code == 2
    assert "a: --check validates a file, and no run" in said
