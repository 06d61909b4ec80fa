"""Answers with the pack this file lies in: installs it, if need be, and runs it.

Usage: python predict.py [--input DIR] [--output DIR] [--limit 9h] [--work DIR] [--in-full]
Without --input and --output: the folders of the platform that the pack was made for, if they are
there, else the folder it was called from.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

#: When this began, on the clock that all processes of a machine share: it counts to the limit.
BEGUN = "FOLDWISE_BEGUN"


def main() -> int:
    """Install and run; returns the exit code."""
    begun = {BEGUN: repr(time.monotonic())}
    pack = Path(__file__).resolve().parent
    facts = json.loads((pack / "pack.json").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--input", help="folder below which the data lie")
    parser.add_argument("--output", help="folder that gets the submission")
    parser.add_argument("--limit", default=facts["limit"], help="how long it may take")
    parser.add_argument("--work", help="folder to work in")
    parser.add_argument("--in-full", action="store_true", help="also rows that it is to skip")
    asked = parser.parse_args()
    source = asked.input or _there(facts["input"])
    output = asked.output or _there(facts["output"])
    subprocess.run([sys.executable, str(pack / "install.py"), "wheels"], check=True)
    command = [sys.executable, "-m", "foldwise", "session", str(pack), "--limit", asked.limit]
    command += ["--input", source, "--output", output]
    command += ["--work", asked.work] if asked.work else []
    command += ["--in-full"] if asked.in_full else []
    return subprocess.run(command, env={**os.environ, **begun}).returncode


def _there(folder: str) -> str:
    return folder if Path(folder).is_dir() else str(Path.cwd())


if __name__ == "__main__":
    sys.exit(main())
