from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from foldwise.masks import compiling, kernels

SOURCE = Path(kernels.__file__).parents[1]


def test_few_masks_do_not_load_numba() -> None:
    code = """
import sys, numpy as np
from foldwise.masks.runs import encode, decode
from foldwise.masks.overlap import dice
from foldwise.masks.text import read_cells, write_cells
runs = encode([np.eye(300)] * 20)
decode(read_cells(write_cells(runs), runs.heights, runs.widths))
dice(runs, runs)
sys.exit('numba' in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_kernels_are_loaded_once_numpy_has_done_their_worth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(compiling, "_spent_ns", 0)
    monkeypatch.setattr(compiling, "WORTH_NS", 1000)
    assert compiling.compiled(kernels.repaint, 999) is None
    assert compiling.compiled(kernels.repaint, 1) is None
    assert compiling.compiled(kernels.repaint, 1) is not None


def test_without_numba_numpy_does_everything() -> None:
    code = """
import sys
sys.modules['numba'] = None
import numpy as np
from foldwise.masks import compiling, kernels
from foldwise.masks.runs import encode
assert not compiling.load()
assert encode([np.eye(3)]).starts.tolist() == [0, 4, 8]
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_kernels_are_compiled_where_nothing_can_be_written(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    code = """
import sys, numpy as np
from foldwise.masks import compiling, kernels, text_kernels
assert kernels.__file__.startswith(sys.argv[1])
text_kernels.TYPES.clear()  # Compiling takes its time.
kernels.TYPES = {kernels.repaint: kernels.TYPES[kernels.repaint]}
assert compiling.load()
pixels, one = np.zeros(4, np.uint8), (np.array([0, 1]), np.array([1]), np.array([2]))
none = np.zeros(2, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
compiling.compiled(kernels.repaint, 0)(pixels, np.array([0]), *one, *none, 1)
assert pixels.tolist() == [0, 1, 1, 0]
"""
    shutil.copytree(SOURCE, tmp_path / "foldwise", ignore=shutil.ignore_patterns("__pycache__"))
    # A file where a folder is to be made stops even the superuser.
    (tmp_path / "foldwise/masks/__pycache__").touch()
    (tmp_path / "home").touch()
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), str(tmp_path / "home"))
    environment = {**os.environ, **places, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, env=environment).returncode == 0
