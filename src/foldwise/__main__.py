"""Runs the command line: what goes wrong is one message with a remedy and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path

from rich.console import Console

from foldwise.cli import app
from foldwise.errors import FoldwiseError

#: What typer exits with when the keyboard stops it.
_INTERRUPTED = 130
_ROOM = "make room on the disk"
_LEAVE = "allow foldwise to read and write there"
#: Error of the system → what would do.
_DISK = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: _LEAVE,
    errno.EACCES: _LEAVE,
    errno.EPERM: _LEAVE,
    errno.EIO: "check the disk",
}


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 done in part, or the doctor found an error; 2 something the user or the
    machine must mend, said in one message; 70 a fault of foldwise; 130 stopped by the keyboard.
    """
    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            Console(stderr=True).print("stopped; run the same command again to go on")
        raise
    except FoldwiseError as error:
        _tell(error)
        sys.exit(2)
    except Exception as error:
        if os.environ.get("FOLDWISE_DEBUG"):
            raise
        if isinstance(error, OSError) and (error.filename or error.errno in _DISK):
            _tell(_of_the_system(error))
            sys.exit(2)
        _tell(FoldwiseError(f"this is a fault of foldwise, not yours; {_kept_details()}"))
        sys.exit(70)


def _tell(error: FoldwiseError) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for index, problem in enumerate(error.problems):
        console.print(
            f"error: {problem}" if index == 0 else f"       {problem}", style="red", markup=False
        )
    if error.remedy:
        console.print(f"  {error.remedy}", markup=False)


def _of_the_system(error: OSError) -> FoldwiseError:
    """What the system refused, said like any other error."""
    where = f"{error.filename}: " if error.filename else ""
    again = "and run the same command again: it goes on where it was"
    remedy = _DISK.get(error.errno or 0, "look at that file or folder")
    return FoldwiseError(f"{where}{error.strerror or error}", remedy=f"{remedy}, {again}")


def _kept_details() -> str:
    """Keeps the traceback where that can be written, and says where."""
    text = traceback.format_exc()
    for folder in (Path.cwd, lambda: Path(tempfile.gettempdir())):
        try:
            path = folder() / "foldwise-crash.txt"
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return f"the details are in {path}"
    return f"no folder could take the details:\n{text}"


if __name__ == "__main__":
    main()
