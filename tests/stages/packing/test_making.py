"""The folder of a pack: there is always a whole one of its name, whatever fails or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foldwise.errors import BudgetError, LockedError
from foldwise.home import Home
from foldwise.publish import publish_text
from foldwise.stages.packing.making import making_folder, one_at_a_time, platform_of, published

ANY_SIZE = platform_of("colab")


@one_at_a_time
def pack(home: Home, text: str, *, name: str = "night", max_bytes: int | None = None) -> Path:
    publish_text(making_folder(home, name) / "pack.json", text)
    return published(home, name, replace(ANY_SIZE, max_pack_bytes=max_bytes), "small")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path)
    pack(found, "old")
    yield found
    assert not list(found.packs.glob(".*"))


def text_of(home: Home) -> str:
    return (home.packs / "night" / "pack.json").read_text()


def test_the_new_pack_takes_the_place_of_the_old_one(home: Home) -> None:
    assert pack(home, "new") == home.packs / "night"
    assert text_of(home) == "new"


@pytest.mark.parametrize("target", [".night.before", "night"])
def test_a_rename_that_fails_leaves_the_old_pack(
    target: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, failed = os.replace, []

    def failing(source: Path, to: Path) -> None:
        if to.name == target and not failed:
            failed.append(to)
            raise OSError("the disk is gone")
        rename(source, to)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        pack(home, "new")
    assert text_of(home) == "old"


_KILLED = """
import os, signal, sys
from pathlib import Path
from foldwise.home import Home
from tests.stages.packing.test_making import pack

rename = os.replace

def killed(source, to):
    rename(source, to)
    if to.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = killed
pack(Home(Path(sys.argv[1])), "new")
"""


@pytest.mark.parametrize(
    ("renamed", "text"), [("pack.json", "old"), (".night.before", "old"), ("night", "new")]
)
def test_a_kill_loses_no_pack(renamed: str, text: str, home: Home) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(home.path), renamed], check=False)
    assert done.returncode == -signal.SIGKILL
    pack(home, "other", name="day")
    assert text_of(home) == text


def test_what_is_refused_leaves_nothing(home: Home) -> None:
    with pytest.raises(BudgetError, match="and Colab takes 0 MB"):
        pack(home, "new", max_bytes=0)
    assert text_of(home) == "old"


def test_one_packs_at_a_time(home: Home) -> None:
    with pytest.raises(LockedError, match="packing"):
        one_at_a_time(lambda held: pack(held, "new"))(home)
    assert text_of(home) == "old"
