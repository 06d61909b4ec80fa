"""Stand-ins of a notebook platform: folders that are mounted, and a plain process as the kernel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.pack import pack_training
from foldwise.stages.sync import sync

_KERNEL = """
import json, sys
cells = json.load(open(sys.argv[1]))["cells"]
names = json.loads(sys.argv[2])
space = {"__name__": "__main__"}
for cell in cells:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), "cell", "exec"), space)
        space.update({name: value for name, value in names.items() if name in space})
"""
QUIET = Display(quiet=True)


@dataclass(frozen=True)
class Mounted:
    """A platform's folders.

    Attributes:
        folder: of the stand-in.
        home: the competition at home, from which the pack was made.
    """

    folder: Path
    home: Home

    @property
    def input(self) -> Path:
        """Where data and packs are mounted."""
        return self.folder / "input"

    @property
    def output(self) -> Path:
        """What outlives a session."""
        return self.folder / "working"

    @property
    def store(self) -> Path:
        """Where the session saves to."""
        return self.output / "store"

    def kernel(self, *, machine: str = "tower", **settings: Any) -> subprocess.Popen[str]:
        """A process that runs the notebook's cells on a machine with nothing on it yet."""
        place = Path(self.folder / "machine")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        notebook = next(self.input.rglob("train.ipynb"))
        # Should it install anything, then into this machine only.
        packages = str(place / "packages")
        paths = os.pathsep.join([packages, os.environ.get("PYTHONPATH", "")])
        pip = {"PIP_TARGET": packages, "PIP_NO_INDEX": "1", "PYTHONPATH": paths}
        given = {"INPUT": str(self.input), "OUTPUT": str(self.output), **settings}
        return subprocess.Popen(
            [sys.executable, "-c", _KERNEL, str(notebook), json.dumps(given)],
            env={**os.environ, **pip, "TMPDIR": str(place), "FOLDWISE_MACHINE": machine},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, **settings: Any) -> str:
        """Run the notebook to its end; what it printed."""
        kernel = self.kernel(**settings)
        said, _ = kernel.communicate(timeout=900)
        assert kernel.returncode == 0, said
        return said

    def next_session(self) -> None:
        """Mount the output of the session before, as the platform does, and begin with none."""
        mounted = self.input / "output-of-last-version"
        shutil.rmtree(mounted, ignore_errors=True)
        shutil.move(self.output, mounted)
        self.output.mkdir()

    def bring_home(self) -> Home:
        """The competition at home, with what the sessions have trained."""
        sync(self.store, self.home.path, display=QUIET)
        return self.home


def mount(folder: Path, home: Home, raw: Path, *, on: str = "kaggle") -> Mounted:
    """A pack of the competition's plan, and its data, mounted at places of their own."""
    found = Mounted(folder, home)
    pack = pack_training(home, on=on, as_name="night", display=QUIET)
    shutil.copytree(pack, found.input / "datasets" / "someone" / "my-pack")
    shutil.copytree(raw, found.input / "competitions" / "the-competition")
    found.output.mkdir(parents=True)
    return found
