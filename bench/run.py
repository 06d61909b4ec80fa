"""Runs a benchmark in an environment of its own: `python bench/run.py NAME`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent


def main() -> int:
    known = sorted(path.parent.name for path in BENCH.glob("*/bench.py"))
    names = sys.argv[1:]
    if len(names) != 1 or names[0] not in known:
        found = " ".join(names) or "none"
        print(f"wanted one benchmark, found {found}; known: {', '.join(known)}", file=sys.stderr)
        print("as in: make bench NAME=loading", file=sys.stderr)
        return 2
    python = environment(names[0])
    command = [str(python), str(BENCH / names[0] / "bench.py")]
    paths = {"PYTHONPATH": str(BENCH)}
    return subprocess.run(command, env={**os.environ, **paths}, check=False).returncode


def environment(name: str) -> Path:
    """The benchmark's own Python, with its peers and this checkout installed.

    uv links files from its cache, so what the project's environment has is not fetched again.
    """
    folder = BENCH / ".env" / name
    python = folder / "bin" / "python"
    uv = str(Path(sys.executable).with_name("uv"))
    started = time.monotonic()
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", python, "--editable", ROOT]
    install += ["--requirement", BENCH / name / "requirements.txt"]
    # A peer that wants other versions than the project has constraints of its own.
    for constraints in (BENCH / name / "constraints.txt", ROOT / "constraints.txt"):
        if constraints.exists():
            install += ["--constraint", constraints]
            break
    subprocess.run(install, check=True)
    print(f"environment {folder.relative_to(ROOT)}: {time.monotonic() - started:.0f} s\n")
    return python


if __name__ == "__main__":
    sys.exit(main())
