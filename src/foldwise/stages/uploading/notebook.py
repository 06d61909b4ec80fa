"""Runs a pack's notebook on Kaggle: pushed once for each content, waited for, then fetched."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from foldwise.errors import PlatformError
from foldwise.platforms import kaggle_notebooks as kaggle
from foldwise.platforms.kaggle_line import AnyLine
from foldwise.stages.display import Display
from foldwise.stages.uploading.memory import Memory
from foldwise.stages.uploading.moving import moving, wait_for
from foldwise.stages.uploading.packed import Packed

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


def notebook_of(
    pack: Packed, where: tuple[str, str, str], competition: str, dataset_version: int
) -> kaggle.Notebook:
    """The notebook of a pack; its last cell tells by a hash what it runs.

    Args:
        pack: the pack.
        where: owner, name in addresses and title, of the notebook as of the dataset.
        competition: whose data it mounts.
        dataset_version: that holds the pack.
    """
    owner, slug, title = where
    notebook = kaggle.Notebook(
        owner=owner,
        slug=slug,
        title=title,
        text=pack.notebook.read_text("utf-8"),
        has_gpu=pack.has_gpu,
        datasets=(f"{owner}/{slug}",),
        competitions=(competition,),
        notebooks=(),
    )
    mark = _hash(notebook, f"{pack.sha256} in version {dataset_version}")
    return replace(notebook, text=_marked(notebook.text, mark))


def push_once(
    line: AnyLine, memory: Memory, notebook: kaggle.Notebook, *, again: bool, goes_on: bool
) -> Version:
    """Push a notebook, unless its newest version is of the same content.

    Args:
        line: to Kaggle.
        memory: of what is there; without it, the newest version's text tells.
        notebook: what is pushed; see `notebook_of`.
        again: push it although nothing changed.
        goes_on: whether it reads what the version before has written.

    Raises:
        PlatformError: Kaggle refuses it, or cannot be asked.
    """
    owner, slug, key = notebook.owner, notebook.slug, notebook.ref
    known, sha256 = memory.read(_KIND, key), _hash(notebook)
    is_same = known.get("sha256") == sha256
    if is_same and "version" in known and not again:
        return Version(owner, slug, known["version"], is_new=False)
    supposed = pushed_once(memory, owner, slug)
    there = kaggle.newest_version(
        line, owner, slug, supposed=None if supposed is None else kaggle.Saved(supposed, "")
    )
    newest = 0 if there is None else there.number
    # It was pushed, and whoever did it was killed before it was noted.
    was_cut_off = is_same and "version" not in known and newest > known["after"]
    if there is not None and there.says(notebook.text) and (was_cut_off or not again):
        memory.write(_KIND, key, {"sha256": sha256, "version": newest})
        return Version(owner, slug, newest, is_new=False)
    memory.write(_KIND, key, {"sha256": sha256, "after": newest})
    mounted = (key,) if goes_on and there is not None else ()
    number = kaggle.push_notebook(line, replace(notebook, notebooks=mounted))
    memory.write(_KIND, key, {"sha256": sha256, "version": number})
    return Version(owner, slug, number, is_new=True)


def version_of(line: AnyLine, memory: Memory, notebook: kaggle.Notebook) -> int | None:
    """The version that has this content, if it is remembered or the newest; None: it has not run.

    Args:
        line: to Kaggle.
        memory: of what is there.
        notebook: see `notebook_of`.
    """
    known = memory.read(_KIND, notebook.ref)
    if "version" in known and known.get("sha256") == _hash(notebook):
        return int(known["version"])
    there = kaggle.newest_version(line, notebook.owner, notebook.slug)
    return there.number if there is not None and there.says(notebook.text) else None


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


def _hash(notebook: kaggle.Notebook, content: str = "") -> str:
    mounted = [notebook.datasets, notebook.competitions, notebook.has_gpu]
    text = json.dumps([notebook.text, mounted, content])
    return hashlib.sha256(text.encode()).hexdigest()


def _marked(text: str, mark: str) -> str:
    """The notebook with a last cell that says of which content it is."""
    notebook = json.loads(text)
    words = f"Pushed by foldwise: content sha256 {mark[:16]}"
    cell = {"cell_type": "markdown", "id": "content", "metadata": {}, "source": [words]}
    return json.dumps({**notebook, "cells": [*notebook["cells"], cell]})
