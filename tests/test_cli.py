"""The command line: one message with a remedy, the exit code of the case, and no traceback."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from foldwise import cli
from foldwise.__main__ import main
from foldwise.home import Home
from foldwise.publish import publish_json
from tests.stages.small_competition import make_problem, write_run

Run = tuple[int, str]


@pytest.fixture
def foldwise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command line here: exit code, and what it said on standard error."""
    monkeypatch.delenv("FOLDWISE_DEBUG", raising=False)

    def command(*words: str | Path) -> Run:
        monkeypatch.setattr(sys, "argv", ["foldwise", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        found = capsys.readouterr()
        assert "Traceback" not in found.err + found.out
        return code, found.err

    return command


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared competition with the runs a and b."""
    problem = make_problem(tmp_path / "comp", num_train=60, thumbs=False)
    for name, seed in (("a", 1), ("b", 2)):
        write_run(problem, name, seed=seed)
    return problem.home


def fails_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def raising(*_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "find_home", raising)


def test_what_went_well_ends_with_0(foldwise: Any, home: Home) -> None:
    assert foldwise("--version") == (0, "")
    assert foldwise("blend", "a", "b", "-C", home.path, "-q")[0] == 0


def test_a_mistake_ends_with_2_one_message_and_what_would_do(
    foldwise: Any, tmp_path: Path, home: Home
) -> None:
    code, said = foldwise("split", "-C", tmp_path)
    assert code == 2
    assert said.startswith("error: no competition.yaml in ")
    assert "foldwise init DIR --data PATH" in said
    code, said = foldwise("train", "c", "-C", home.path)
    assert code == 2
    assert "there is no recipe 'c'" in said
    assert foldwise("no-such-verb")[0] == 2


def test_a_wrong_file_under_check_is_one_error_with_its_lines(foldwise: Any, home: Home) -> None:
    wrong = home.path / "wrong.csv"
    wrong.write_text("id,label\nx0000,aape\n")
    code, said = foldwise("submit", "--check", wrong, "-C", home.path)
    assert code == 2
    assert f"{wrong}" in said
    assert "is not a valid submission: correct the above" in said


def test_what_the_doctor_finds_ends_with_1(foldwise: Any, home: Home) -> None:
    assert foldwise("doctor", "-C", home.path, "-q")[0] == 1  # The recipes have no files.


def test_a_run_has_a_plain_name(foldwise: Any, home: Home) -> None:
    home.recipes.mkdir()
    home.recipe("a").write_text("model: {name: small_cnn}\n")
    for words in (("train", "a"), ("blend", "a", "b")):
        code, said = foldwise(*words, "--as", "../x", "-C", home.path)
        assert code == 2
        assert "a run cannot be called '../x'" in said
        assert "use up to 100 letters, digits" in said
    assert not (home.path / "x").exists()


def test_a_way_to_blend_takes_its_options(foldwise: Any, home: Home) -> None:
    words = ("blend", "a", "b", "-C", home.path, "-q", "--method")
    assert foldwise(*words, "{name: greedy, num_steps: 40}")[0] == 0
    assert home.run("blend").read_record()["method"] == {"name": "greedy", "num_steps": 40}
    for method, wrong in [
        ("{name: greedy, num_step: 40}", "unknown option 'num_step'; did you mean 'num_steps'?"),
        ("{name: greedy, num_steps: 0}", "greater than or equal to 1, found 0"),
        ("{name: greedy", "--method: not valid YAML"),
        ("greddy", "'greddy' is unknown; did you mean 'greedy'?"),
    ]:
        code, said = foldwise(*words, method)
        assert code == 2
        assert wrong in said
        assert said.count("error:") == 1


def test_a_reference_that_is_not_there_names_the_runs_that_are(foldwise: Any, home: Home) -> None:
    publish_json(home.run("b").reference.record, {"kind": "reference"})
    code, said = foldwise("blend", "a", "a/reference", "-C", home.path)
    assert code == 2
    assert "there is no run 'a/reference'" in said
    assert "known: a, b, b/reference" in said


def test_a_fault_of_foldwise_ends_with_70_and_keeps_the_details(
    foldwise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fails_with(monkeypatch, ZeroDivisionError("by zero"))
    code, said = foldwise("split")
    assert code == 70
    assert f"the details are in {tmp_path}/foldwise-crash.txt" in said
    assert "ZeroDivisionError: by zero" in (tmp_path / "foldwise-crash.txt").read_text()


def test_details_go_elsewhere_where_the_folder_takes_none(
    foldwise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    (work / "foldwise-crash.txt").mkdir(parents=True)  # A file cannot be written there.
    monkeypatch.chdir(work)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fails_with(monkeypatch, ZeroDivisionError("by zero"))
    code, said = foldwise("split")
    assert code == 70
    assert f"the details are in {tmp_path}/foldwise-crash.txt" in said
    monkeypatch.setattr("tempfile.tempdir", str(work))
    assert "ZeroDivisionError: by zero" in _without_traceback_word(foldwise, monkeypatch)


def _without_traceback_word(foldwise: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where no folder takes the details they are shown, less the word that `foldwise` refuses."""
    monkeypatch.setattr("traceback.format_exc", lambda: "ZeroDivisionError: by zero")
    return str(foldwise("split")[1])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/c/runs"), "/c/runs: Permission den"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/c"), "/c: Not a directory"),
    ],
)
def test_what_the_system_refuses_is_one_error_and_no_fault(
    foldwise: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: OSError, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fails_with(monkeypatch, error)
    code, text = foldwise("split")
    assert code == 2
    assert text.startswith(f"error: {said}")
    assert "run the same command again" in text
    assert list(tmp_path.iterdir()) == []


def test_stopped_by_the_keyboard_ends_with_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    code = (
        "import sys, time; from foldwise import __main__, cli\n"
        "cli.find_home = lambda _: (print('started', flush=True), time.sleep(60))\n"
        "sys.argv = ['foldwise', 'split']; __main__.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == "stopped; run the same command again to go on"


@pytest.mark.parametrize("flag", [["--anyway"], ["--no-wait"], ["--dry-run"], ["--notebook", "p"]])
def test_flags_of_uploading_go_with_upload(foldwise: Any, home: Home, flag: list[str]) -> None:
    code, said = foldwise("submit", "a", *flag, "-C", home.path)
    assert code == 2
    assert f"{flag[0]}: goes with --upload" in said
    assert not home.submissions.exists()
    code, said = foldwise("submit", "--check", "x.csv", "--upload", "-C", home.path)
    assert code == 2
    assert "--upload: --check only validates a file" in said
