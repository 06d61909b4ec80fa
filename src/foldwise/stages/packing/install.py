"""Installs a pack's foldwise; run from the pack, so it knows Python's own library only.

Usage: python install.py wheels|index
`wheels` never uses the network; `index` may, for what neither the machine nor the pack has.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

_AT_LEAST = re.compile(r"([A-Za-z0-9._-]+)(?:>=([0-9.]+))?")
CHOICES = ("wheels", "index")


def code_print(folder: Path) -> str:
    """Hash of all Python files of a package."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def install(pack: Path, choice: str) -> str:
    """Install what the pack needs into the running Python.

    Args:
        pack: the pack's folder.
        choice: one of `CHOICES`.

    Returns:
        What was done; raises SystemExit with the remedy if it cannot be.
    """
    facts = json.loads((pack / "pack.json").read_text(encoding="utf-8"))
    found = importlib.util.find_spec("foldwise")
    origin = None if found is None else found.origin
    is_here = origin is not None and code_print(Path(origin).parent) == facts["code"]
    needed = lacking(facts["requires"])
    if is_here and not needed:
        return f"foldwise {facts['foldwise']} is here already"
    if not is_here and _is_edited_here():
        sys.exit(
            "this Python has a foldwise that is edited in place, and another one than the pack's: "
            "pack again from it, or run the notebook in another environment"
        )
    wheels = pack / "wheels"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index"] if choice == "wheels" else []
    if needed:
        _run([*pip, *offline, "--find-links", str(wheels), *needed], choice)
    if not is_here:
        own = str(next(wheels.glob("foldwise-*.whl")))
        _run([*pip, "--no-index", "--no-deps", "--force-reinstall", own], choice)
    return f"foldwise {facts['foldwise']} is installed"


def _is_edited_here() -> bool:
    """Whether foldwise is installed in editable form; pip would replace it by the pack's."""
    try:
        url = metadata.distribution("foldwise").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return False
    return bool(json.loads(url or "{}").get("dir_info", {}).get("editable"))


def lacking(requires: list[str]) -> list[str]:
    """Requirements that are not met here.

    Only these are given to pip: asked for all, it may replace the image's own torch.
    """
    return [line for line in requires if not _is_met(line)]


def _is_met(requirement: str) -> bool:
    match = _AT_LEAST.fullmatch(requirement.replace(" ", ""))
    if match is None:
        return False
    try:
        found = metadata.version(match[1])
    except metadata.PackageNotFoundError:
        return False
    return match[2] is None or _numbers(found) >= _numbers(match[2])


def _numbers(version: str) -> list[int]:
    """The numbers a version begins with: `2.10.0+cu128` is 2, 10, 0."""
    release = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in release[0].split(".")] if release else []


def _run(command: list[str], choice: str) -> None:
    if subprocess.run(command).returncode == 0:
        return
    if choice == "wheels":
        sys.exit(
            "the machine and the pack's wheels do not have all that is needed, see above: switch "
            "the notebook's internet on and set INTERNET = True"
        )
    sys.exit("pip could not install all that is needed, see above")


if __name__ == "__main__":
    if sys.argv[1:] not in [[choice] for choice in CHOICES]:
        sys.exit(f"usage: python install.py {'|'.join(CHOICES)}")
    print(install(Path(__file__).resolve().parent, sys.argv[1]))
