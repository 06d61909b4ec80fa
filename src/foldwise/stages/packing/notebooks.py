"""The notebook of a pack: a few lines that install foldwise and call `session`."""

from __future__ import annotations

from typing import Any

from foldwise.stages.packing.platforms import NotebookPlatform

_INSTALL = """\
import json
import subprocess
import sys
from pathlib import Path


def name_in(path):
    try:
        return json.loads(path.read_text("utf-8")).get("name")
    except (OSError, ValueError, AttributeError):  # Another dataset's, in whatever form.
        return None


packs = (path for depth in range(1, 6) for path in Path(INPUT).glob("*/" * depth + "pack.json"))
PACK = next((path.parent for path in packs if name_in(path) == NAME), None)
assert PACK is not None, f"no pack {NAME} below {INPUT}: add it to the notebook's input"
how = "index" if INTERNET else "wheels"
subprocess.run([sys.executable, str(PACK / "install.py"), how], check=True)"""

_TRAIN = """\
command = [sys.executable, "-m", "foldwise", "session", str(PACK), "--limit", LIMIT]
command += ["--every", EVERY, "--input", INPUT, "--output", OUTPUT]
pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
with subprocess.Popen(command, **pipes) as session:
    while session.poll() is None:
        try:
            for line in session.stdout:
                print(line, end="", flush=True)
            session.wait()
        except KeyboardInterrupt:
            print("interrupted: waiting until the session has saved", flush=True)
code = session.returncode
print("ended in order" if code == 0 else f"ended with code {code}: read what stands above")"""

_ANSWER = """\
command = [sys.executable, "-m", "foldwise", "session", str(PACK), "--limit", LIMIT]
command += ["--input", INPUT, "--output", OUTPUT]
pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
with subprocess.Popen(command, **pipes) as session:
    for line in session.stdout:
        print(line, end="", flush=True)
assert (Path(OUTPUT) / "SUBMISSION").exists(), ("nothing was handed in, see above")"""


def training_notebook(
    name: str, platform: NotebookPlatform, *, limit: str, every: str
) -> dict[str, Any]:
    """A notebook, in nbformat 4.5.

    Args:
        name: of the pack.
        platform: where it runs.
        limit: how long a session may be.
        every: how often it saves.
    """
    settings = "\n".join(
        [
            f'NAME = "{name}"',
            f'LIMIT = "{limit}"  # how long this session may be, from its start',
            f'EVERY = "{every}"  # how often what is trained is saved',
            "INTERNET = False  # True: pip may use the network for what is not in the pack",
            f'INPUT = "{platform.input}"',
            f'OUTPUT = "{platform.output}"',
        ]
    )
    head = (
        f"# {name}: training on {platform.title}\n\n{platform.steps}\n\n"
        "Any number of sessions, here and elsewhere, add to the same work: units that are done are "
        "not trained again, half-trained ones go on."
    )
    return _notebook(head, settings, platform, _TRAIN)


def answer_notebook(
    name: str, platform: NotebookPlatform, *, limit: str, submission: str
) -> dict[str, Any]:
    """The notebook of a pack that answers, in nbformat 4.5; nothing in it is to be edited.

    Args:
        name: of the pack.
        platform: where it runs.
        limit: how long it may take.
        submission: name of the file that is handed in.
    """
    settings = "\n".join(
        [
            f'NAME = "{name}"',
            f'LIMIT = "{limit}"  # how long it may take, from the start of the session',
            "INTERNET = False",
            f'INPUT = "{platform.input}"',
            f'OUTPUT = "{platform.output}"',
        ]
    )
    head = (
        f"# {name}: answering on {platform.title}\n\n{platform.answer_steps}\n\n"
        f"A whole `{submission}` is there from the first minute on and gets better; "
        "`answer.json` says what is in it."
    )
    return _notebook(head, settings, platform, _ANSWER.replace("SUBMISSION", submission))


def _notebook(head: str, settings: str, platform: NotebookPlatform, last: str) -> dict[str, Any]:
    sources = [("markdown", head), ("code", settings)]
    if platform.mount:
        sources.append(("code", "\n".join(platform.mount)))
    sources += [("code", _INSTALL), ("code", last)]
    return {
        "cells": [_cell(index, kind, text) for index, (kind, text) in enumerate(sources)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **({"accelerator": "GPU"} if platform.has_gpu else {}),
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(index: int, kind: str, text: str) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{index}",
        "metadata": {},
        "source": lines,
    }
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}
