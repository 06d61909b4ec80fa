"""One decoding process, made to be lost: reads jobs from its input until that ends."""

from __future__ import annotations

import os
import resource
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from foldwise.data import hashes, wire
from foldwise.data.decode import open_array, open_bytes, preview
from foldwise.data.render import Stored, encode, render
from foldwise.data.sources import content_hash
from foldwise.data.spec import THUMB, CacheSpec
from foldwise.errors import FoldwiseError

#: What this process has in use, in pages; Linux only.
_STATM = Path("/proc/self/statm")


def main() -> None:
    """Answer every job with the image's facts and pixels, or with the reason it has none."""
    # Whatever a library prints must not land between the messages.
    answers = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's business.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # The run is gone: so are we, without a word.
    warnings.simplefilter("ignore")
    setup = wire.receive(sys.stdin.buffer)
    if setup is None:
        return
    specs = [CacheSpec.from_json(spec) for spec in setup[0]["specs"]]
    hashes.phash(np.zeros((64, 64, 3), np.uint8))  # Libraries take their memory before the limit.
    _limit_memory(setup[0]["memory_bytes"])
    _send(wire.pack({"ready": True}), answers)
    while (message := wire.receive(sys.stdin.buffer)) is not None:
        # Processor time, not wall time, so that a busy machine damages no image. The timer's
        # signal has no handler: it ends the process even inside a C library's endless loop.
        signal.setitimer(signal.ITIMER_PROF, setup[0]["cpu_s"])
        header, stored = _answer(*message, specs, setup[0])
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(wire.pack(header, [image.data for image in stored]), answers)


def _answer(
    job: dict[str, Any], blob: bytes, specs: list[CacheSpec], setup: dict[str, Any]
) -> tuple[dict[str, Any], list[Stored]]:
    sha256 = None
    try:
        content = Path(job["path"]).read_bytes() if "path" in job else _array(job, blob)
        sha256 = content_hash(content)
        if isinstance(content, np.ndarray):
            picture, info = open_array(content)
        else:
            picture, info = open_bytes(content, max_pixels=setup["max_pixels"])
            del content
        small = preview(picture)
        stored = [
            encode(render(small if spec == THUMB else picture, spec), spec.store) for spec in specs
        ]
        header = {
            "sha256": sha256,
            "phash": hashes.phash(small),
            "info": asdict(info),
            "shapes": [image.shape for image in stored],
            "sizes": [len(image.data) for image in stored],
        }
        return header, stored
    except MemoryError:
        limit = f"{setup['memory_bytes'] / 2**20:g} MiB"
        reason = f"out of memory: needs more than {limit} (decoding.memory_mib)"
    except FoldwiseError as error:
        reason = "; ".join([*error.problems, *([error.remedy] if error.remedy else [])])
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    return {"sha256": sha256, "reason": reason}, []


def _array(job: dict[str, Any], blob: bytes) -> np.ndarray:
    return np.frombuffer(blob, np.dtype(job["dtype"])).reshape(job["shape"])


def _limit_memory(memory_bytes: int) -> None:
    """Limit the address space to what is in use now and so much more; no core files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not _STATM.exists():  # macOS knows no limit of the address space that it would keep.
        return
    pages = int(_STATM.read_text().split()[0])
    limit = pages * resource.getpagesize() + memory_bytes
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _send(pieces: Sequence[wire.Blob], descriptor: int) -> None:
    # In one call, so that the run is woken once per image.
    views = [memoryview(piece) for piece in pieces]
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]


if __name__ == "__main__":
    main()
