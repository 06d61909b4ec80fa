"""Runs a pack's notebook on Kaggle: pushed once for each content, waited for, then fetched."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from foldwise.errors import PlatformError
from foldwise.platforms import kaggle_notebooks as kaggle
from foldwise.platforms.kaggle_line import AnyLine
from foldwise.stages.display import Display
from foldwise.stages.uploading.memory import Memory
from foldwise.stages.uploading.moving import moving, wait_for

_KIND = "notebook"


@dataclass(frozen=True)
class Version:
    """A version of a notebook on Kaggle.

    Attributes:
        owner: user.
        slug: its name in addresses.
        number: of the version.
        is_new: whether it was pushed now.
    """

    owner: str
    slug: str
    number: int
    is_new: bool

    @property
    def ref(self) -> str:
        """For people."""
        return f"{self.owner}/{self.slug} version {self.number}"


def push_once(
    line: AnyLine, memory: Memory, notebook: kaggle.Notebook, content: str, *, again: bool
) -> Version:
    """Push a notebook, unless its newest version is of the same content.

    Args:
        line: to Kaggle.
        memory: of what is there.
        notebook: what is pushed.
        content: hash of what it mounts of ours.
        again: push it although nothing changed.

    Raises:
        PlatformError: Kaggle refuses it, or cannot be asked.
    """
    key = f"{notebook.owner}/{notebook.slug}"
    known = memory.read(_KIND, key)
    sha256 = _hash(notebook, content)
    is_same = known.get("sha256") == sha256
    if is_same and "version" in known and not again:
        return Version(notebook.owner, notebook.slug, known["version"], is_new=False)
    there = kaggle.pushed_version(line, notebook)
    newest = 0 if there is None else there[0]
    if is_same and "version" not in known and newest > known["after"]:
        number = newest  # It was pushed, and whoever did it was killed before it was noted.
    else:
        memory.write(_KIND, key, {"sha256": sha256, "after": newest})
        number = kaggle.push_notebook(line, notebook)
    memory.write(_KIND, key, {"sha256": sha256, "version": number})
    return Version(notebook.owner, notebook.slug, number, is_new=True)


def pushed_once(memory: Memory, owner: str, slug: str) -> int | None:
    """The version that was pushed last, as far as is known here; None: none was."""
    known = memory.read(_KIND, f"{owner}/{slug}")
    return int(known.get("version") or known.get("after") or 0) or None


def wait_for_run(line: AnyLine, version: Version, show: Display) -> None:
    """Wait until a version has run.

    Raises:
        PlatformError: it failed or was cancelled; the end of its log is said.
    """
    end = wait_for(
        lambda: kaggle.state_of(line, version.owner, version.slug, version.number),
        is_over=lambda running: running.is_over,
        words=lambda running: f"{version.ref}: {running.state}",
        show=show,
    )
    if end.is_done:
        return
    log = kaggle.last_lines(line, version.owner, version.slug, version.number)
    why = f": {end.failure}" if end.failure else ""
    raise PlatformError(
        f"{version.ref} ended with {end.state}{why}",
        *(f"its log: {text}" for text in log),
        remedy="correct it and pack it again, or run it once more: foldwise push PACK --again",
    )


def fetch_output(line: AnyLine, version: Version, folder: Path, show: Display) -> list[Path]:
    """Download all that a version wrote; files that are there whole are not fetched again.

    Raises:
        PlatformError: a name would lie outside of the folder, or it was cut off.
    """
    fetched = []
    for file in kaggle.output_files(line, version.owner, version.slug, version.number):
        name = PurePosixPath(file.name)
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise PlatformError(
                f"{version.ref}: its file {line.shown(file.name)!r} would lie outside of {folder}",
                remedy="look at its output on its page",
            )
        path = folder / name
        if not path.exists():
            with moving(show)(str(name), 0) as step:
                line.fetch(file.url, path, step)
        fetched.append(path)
    return fetched


def _hash(notebook: kaggle.Notebook, content: str) -> str:
    mounted = [notebook.datasets, notebook.competitions, notebook.has_gpu]
    text = json.dumps([notebook.text, mounted, content])
    return hashlib.sha256(text.encode()).hexdigest()
