import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foldwise import publish
from foldwise.errors import LockedError
from foldwise.publish import holder, locked, publish_bytes, publish_json, publish_text, sweep


def test_what_was_written_is_there(tmp_path):
    publish_text(tmp_path / "deep" / "a.txt", "ä\n")
    assert (tmp_path / "deep" / "a.txt").read_text("utf-8") == "ä\n"
    with pytest.raises(ValueError, match="JSON"):
        publish_json(tmp_path / "b.json", {"x": float("nan")})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep"]


def test_a_fault_in_any_phase_leaves_the_old_file_or_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "a"
    faults = 0
    for number in range(1, 50):
        publish_bytes(path, b"old")
        seen = [0]

        def step(name: str, part: Path, seen: list[int] = seen, number: int = number) -> None:
            seen[0] += 1
            if seen[0] == number:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(publish, "step", step)
        try:
            publish_bytes(path, b"new")
        except OSError:
            faults += 1
        else:
            break
        finally:
            monkeypatch.undo()
        assert path.read_bytes() in (b"old", b"new")
    assert faults == 5
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def killed_while_writing(path: Path) -> None:
    def step(name: str, part: Path) -> None:
        if name == "written":
            os.kill(os.getpid(), signal.SIGKILL)

    publish.step = step
    publish_bytes(path, b"new")


def test_a_stray_of_a_killed_writer_goes_with_the_next_publication(tmp_path):
    path = tmp_path / "a"
    publish_bytes(path, b"old")
    (tmp_path / ".foldwise-else").write_text("not ours")
    child = multiprocessing.get_context("fork").Process(target=killed_while_writing, args=(path,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".foldwise-part-*"))) == 1
    assert path.read_bytes() == b"old"
    publish_bytes(path, b"newer")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".foldwise-else", "a"]


def test_the_part_of_a_living_writer_is_not_swept(tmp_path):
    def write(part: Path) -> None:
        assert sweep(tmp_path) == []
        part.write_bytes(b"x")

    publish.publish(tmp_path / "a", write)
    assert (tmp_path / "a").read_bytes() == b"x"


def test_who_comes_second_is_told_who_holds_the_lock_and_a_killed_holder_leaves_none(tmp_path):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from foldwise.publish import locked\n"
        "with locked(Path(sys.argv[1]), doing='training b/fold0'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    lock = tmp_path / ".lock"
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        started = time.monotonic()
        told = rf"process {child.pid} .*training b/fold0"
        with pytest.raises(LockedError, match=told), locked(lock, doing="mine"):
            pass
        assert time.monotonic() - started < 2
        assert str(child.pid) in str(holder(lock))
        child.kill()
        child.wait()
        child.stdout.close()
        with locked(lock, doing="mine"):
            assert lock.exists()
        assert holder(lock) is None
