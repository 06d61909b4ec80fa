"""A fresh Python that has what a platform's image has, and nothing of foldwise but the pack's."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from foldwise.errors import RunError
from foldwise.stages.packing.wheels import plain_name

#: In the new environment, read at every start: nothing is sent to another machine, and who tried.
_DENY = '''\
"""Denies the network, and notes who asked for it."""
import os
import socket


def _denied(what):
    def deny(*args, **kwargs):
        with open(os.environ["FOLDWISE_DENIED"], "a") as file:
            file.write(what + "\\n")
        raise OSError("the network is denied while a pack is proved")

    return deny


class _Socket(socket.socket):
    def _checked(self, name, *args):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _denied(f"{name} to {args[-1]!r}")()
        return getattr(super(), name)(*args)

    def connect(self, *args):
        return self._checked("connect", *args)

    def connect_ex(self, *args):
        return self._checked("connect_ex", *args)

    def sendto(self, *args):
        return self._checked("sendto", *args)


if "FOLDWISE_DENIED" in os.environ:
    socket.socket = _Socket
    for _name in ("getaddrinfo", "gethostbyname", "create_connection"):
        setattr(socket, _name, _denied(f"{_name} was called"))
'''
_WHEEL = re.compile(r"^([A-Za-z0-9_.]+)-")


def make_environment(folder: Path, wheels: Path) -> Path:
    """A virtual environment with all that is installed here but what the pack brings itself.

    Args:
        folder: of the environment.
        wheels: the pack's.

    Returns:
        Its Python.

    Raises:
        RunError: this Python cannot make one.
    """
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "env")],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise RunError(
            f"no virtual environment could be made: {made.stdout}{made.stderr}".strip(),
            remedy="install Python's venv module (on Debian: apt install python3-venv)",
        )
    python = folder / "env" / "bin" / "python"
    site = _site_of(python)
    image = folder / "image"
    image.mkdir()
    brought = {
        plain_name(match[1]) for path in wheels.glob("*.whl") if (match := _WHEEL.match(path.name))
    }
    for found in metadata.distributions():
        if plain_name(found.metadata["Name"]) not in brought:
            _link(found, image)
    (site / "image.pth").write_text(f"{image}\n", encoding="utf-8")
    (site / "sitecustomize.py").write_text(_DENY, encoding="utf-8")
    return python


def _site_of(python: Path) -> Path:
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())


def _link(found: metadata.Distribution, image: Path) -> None:
    """Put a distribution's folders and files into the image, as links."""
    root = Path(sysconfig.get_path("purelib"))
    tops = {Path(str(path)).parts[0] for path in found.files or [] if ".." not in str(path)}
    for top in sorted(tops - {"__pycache__"}):
        target = image / top
        if (root / top).exists() and not target.is_symlink() and not top.endswith(".pth"):
            target.symlink_to(root / top)
