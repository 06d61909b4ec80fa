"""Ends this process when its time is over, whatever it is waiting for."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from foldwise import device as machine
from foldwise.json_files import read_json
from foldwise.stages.answering.handing_in import LOG

#: Before the limit: for the process and its jobs, which die with it, to be gone.
_EARLY_S, _EARLY_SHARE = 2.0, 0.05


def end_by(seconds: float, output: Path) -> None:
    """Let this process end in so many seconds at the latest; what was handed in stays.

    A start of processes on a machine that swaps, or a read from a folder that hangs, cannot be
    told to stop, so nothing is told: the process ends at once, with code 0 if a round was handed
    in and 1 if none was.

    Args:
        seconds: from now on.
        output: where the answers are.
    """
    end = machine.monotonic() + seconds - min(_EARLY_S, _EARLY_SHARE * seconds)

    def watch() -> None:
        while (left := end - machine.monotonic()) > 0:
            time.sleep(min(left, 1.0))
        print("the time is over: ended where it was; the last file stays", file=sys.stderr)
        sys.stderr.flush()
        os._exit(0 if (read_json(output / LOG) or {}).get("rounds") else 1)

    threading.Thread(target=watch, daemon=True).start()
