"""Ablations and the gallery: `python bench/ablation run --data PACKS`, then `... table`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from studies import FOLDER
from work import Place, say, work_off

from foldwise.errors import LockedError
from foldwise.publish import locked


def main() -> int:
    chosen = _parser().parse_args()
    place = Place(chosen.data.resolve(), chosen.work.resolve())
    if chosen.do == "table":
        from table import write_tables

        write_tables(place)
        return 0
    if chosen.workers is not None:
        # foldwise trains as many units side by side as it has cores.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-chosen.workers :])
    try:
        with locked(place.work / ".lock", doing="working off ablations"):
            failed = work_off(place)
    except LockedError as error:
        print(error, file=sys.stderr)
        return 2
    say(f"all is done, {failed} steps failed")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python bench/ablation", description=__doc__)
    parser.add_argument(
        "do", choices=["run", "table"], help="train what is not done; or write both tables"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the packs"
    )
    parser.add_argument(
        "--work", type=Path, default=FOLDER.parents[1] / ".ablation", help="where runs are kept"
    )
    parser.add_argument("--workers", type=int, help="cores to use, one unit each; default: all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
