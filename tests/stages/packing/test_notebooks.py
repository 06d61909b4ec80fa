import json
import os
import signal
import subprocess
import sys

from foldwise.stages.packing.notebooks import training_notebook
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS

_SESSION = """
import time
try:
    print("training", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.2)
    print("saved", flush=True)
"""
_KERNEL = """
import subprocess, sys
PACK = LIMIT = EVERY = INPUT = OUTPUT = "x"
exec(sys.argv[1])
"""


def test_interrupting_the_cell_waits_for_the_last_save(tmp_path):
    (tmp_path / "foldwise").mkdir()
    (tmp_path / "foldwise" / "__init__.py").touch()
    (tmp_path / "foldwise" / "__main__.py").write_text(_SESSION)
    notebook = training_notebook("night", NOTEBOOK_PLATFORMS["kaggle"], limit="9h", every="10m")
    cell = "".join(notebook["cells"][-1]["source"])
    # An interrupt goes to the kernel and all that it started, as from a notebook's server.
    with subprocess.Popen(
        [sys.executable, "-c", _KERNEL, cell],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as kernel:
        assert kernel.stdout.readline() == "training\n"
        os.killpg(kernel.pid, signal.SIGINT)
        said = kernel.stdout.read()
    assert "waiting until the session has saved" in said
    assert said.endswith("saved\nended in order\n")


def test_what_is_no_pack_of_ours_among_the_inputs_is_passed_over(tmp_path):
    foreign = {"a": b'{"version": 1}', "b": b"[1, 2]", "c": b"\xff{", "d": b"", "e": b'"night"'}
    for name, data in foreign.items():
        (tmp_path / "input" / name).mkdir(parents=True)
        (tmp_path / "input" / name / "pack.json").write_bytes(data)
    (tmp_path / "input" / "f" / "pack.json").mkdir(parents=True)
    pack = tmp_path / "input" / "z" / "deep" / "pack"
    pack.mkdir(parents=True)
    (pack / "pack.json").write_text(json.dumps({"name": "night"}))
    (pack / "install.py").write_text("print('installed')")
    notebook = training_notebook("night", NOTEBOOK_PLATFORMS["kaggle"], limit="9h", every="10m")
    install = "".join(notebook["cells"][-2]["source"])
    space = {"NAME": "night", "INPUT": str(tmp_path / "input"), "INTERNET": False}
    exec(compile(install, "cell", "exec"), space)
    assert space["PACK"] == pack
