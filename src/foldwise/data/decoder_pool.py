"""Decoding in processes that may die or hang without taking the run along."""

from __future__ import annotations

import selectors
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from foldwise.data.decode import MAX_PIXELS, ImageInfo
from foldwise.data.decoder_process import DecoderProcess, signal_name
from foldwise.data.render import Stored
from foldwise.data.sources import ImageRef, hash_of, read
from foldwise.data.spec import CacheSpec
from foldwise.device import num_cores
from foldwise.errors import DataError, RunError

_DEPTH = 4  # Jobs a decoder holds, so that it never waits for the run.
_START_S = 60.0
_MAX_STARTS = 3


@dataclass(frozen=True)
class Limits:
    """What one image may cost.

    Attributes:
        cpu_s: processor seconds for reading, decoding, hashing and resizing it.
        wall_s: seconds by the clock, for what hangs without computing (a dead network disk).
        memory_bytes: address space above what the decoder has at its start; Linux only.
        max_pixels: declared width times height.
    """

    cpu_s: float = 2.0
    wall_s: float = 30.0
    memory_bytes: int = 1 << 30
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True)
class Prepared:
    """A sound image.

    Attributes:
        sha256: content hash in hex.
        phash: perceptual hash, in [0, 2**64).
        info: what the source says of itself.
        stored: one entry per spec, in their order.
    """

    sha256: str
    phash: int
    info: ImageInfo
    stored: tuple[Stored, ...]


@dataclass(frozen=True)
class Damaged:
    """An image that cannot be used: its content hash, if it could be read, and why."""

    sha256: str | None
    reason: str


Result = Prepared | Damaged


def decode_all(
    refs: Iterable[ImageRef],
    specs: Sequence[CacheSpec],
    *,
    workers: int | None = None,
    limits: Limits | None = None,
) -> Iterator[tuple[int, Result]]:
    """Decode each image once and render it for every spec.

    Args:
        refs: the images; taken as they are needed.
        specs: what to make of each; none is allowed, then only hashes and facts come back.
        workers: processes; None: one per processor this process may use.
        limits: what an image may cost before it counts as damaged.

    Yields:
        (position in `refs`, result), in the order they are done.

    Raises:
        RunError: the decoders cannot be started.
    """
    pool = _Pool(specs, workers or num_cores(), limits or Limits())
    try:
        yield from pool.run(enumerate(refs))
    finally:
        pool.close()


class _Pool:
    def __init__(self, specs: Sequence[CacheSpec], workers: int, limits: Limits) -> None:
        self._limits = limits
        self._setup = {"specs": [spec.to_json() for spec in specs], **asdict(limits)}
        self._failed_starts = 0
        self._again: deque[tuple[int, ImageRef]] = deque()
        self._killed_once: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._decoders = [self._started() for _ in range(workers)]

    def run(self, refs: Iterator[tuple[int, ImageRef]]) -> Iterator[tuple[int, Result]]:
        """All results; `refs` is read only as far as decoders have room."""
        while True:
            yield from self._hand_out(refs)
            if not any(decoder.jobs for decoder in self._decoders):
                return
            for decoder in self._with_news():
                yield from self._answers(decoder)
            for decoder in list(self._decoders):
                yield from self._overdue(decoder)

    def close(self) -> None:
        """End all decoders; they hold nothing that is not elsewhere."""
        self._selector.close()
        for decoder in self._decoders:
            decoder.kill()

    def _started(self) -> DecoderProcess:
        decoder = DecoderProcess(self._setup)
        self._selector.register(decoder.output, selectors.EVENT_READ, decoder)
        return decoder

    def _hand_out(self, refs: Iterator[tuple[int, ImageRef]]) -> Iterator[tuple[int, Result]]:
        # Round by round, so that the last few images are spread over all decoders.
        for depth in range(1, _DEPTH + 1):
            for decoder in self._decoders:
                while len(decoder.jobs) < depth:
                    job = self._again.popleft() if self._again else next(refs, None)
                    if job is None:
                        return
                    try:
                        decoder.give(*job, *_job(job[1]))
                    except (OSError, DataError) as error:
                        yield job[0], Damaged(None, f"cannot be read: {error}")

    def _with_news(self) -> list[DecoderProcess]:
        """Wait until a decoder says something or its time is up; feed those that take input."""
        due = min(decoder.since + self._patience(decoder) for decoder in self._busy())
        blocked = [decoder.input_to_poll for decoder in self._decoders]
        for descriptor, decoder in zip(blocked, self._decoders, strict=True):
            if descriptor is not None:
                self._selector.register(descriptor, selectors.EVENT_WRITE, decoder)
        events = self._selector.select(max(0.0, due - time.monotonic()) + 0.01)
        for descriptor in blocked:
            if descriptor is not None:
                self._selector.unregister(descriptor)
        for key, mask in events:
            if mask & selectors.EVENT_WRITE:
                key.data.write()
        return [key.data for key, mask in events if mask & selectors.EVENT_READ]

    def _busy(self) -> list[DecoderProcess]:
        return [decoder for decoder in self._decoders if decoder.jobs]

    def _patience(self, decoder: DecoderProcess) -> float:
        return self._limits.wall_s if decoder.is_ready else _START_S

    def _answers(self, decoder: DecoderProcess) -> Iterator[tuple[int, Result]]:
        for message in decoder.read():
            if message is None:
                yield from self._ended(decoder)
                return
            if not decoder.is_ready:
                decoder.is_ready = True
                self._failed_starts = 0
                continue
            index, _ = decoder.jobs.popleft()
            yield index, _result(*message)

    def _ended(self, decoder: DecoderProcess) -> Iterator[tuple[int, Result]]:
        status, said = decoder.ending()
        if not decoder.is_ready:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_STARTS:
                raise RunError(f"the image decoders cannot start ({signal_name(status)}): {said}")
            self._replace(decoder)
        elif status == -signal.SIGPROF:
            yield from self._blamed(decoder, self._slow("cpu_s", "of processor time"))
        elif status == -signal.SIGKILL and not self._is_second_kill(decoder):
            # No decoder does this to itself: somebody, or a full memory, killed it.
            self._replace(decoder)
        else:
            yield from self._blamed(decoder, f"decoder died ({signal_name(status)})")

    def _is_second_kill(self, decoder: DecoderProcess) -> bool:
        index = decoder.jobs[0][0] if decoder.jobs else -1
        seen = index in self._killed_once
        self._killed_once.add(index)
        return seen

    def _overdue(self, decoder: DecoderProcess) -> Iterator[tuple[int, Result]]:
        waited = time.monotonic() - decoder.since
        # What has come but was not read yet (the caller took its time) is a sign of life.
        if not decoder.jobs or waited < self._patience(decoder) or decoder.has_news():
            return
        if decoder.is_ready:
            # Not hashed here: what hung there might be the file, and would hang the run too.
            reason = self._slow("wall_s", "by the clock")
            yield from self._blamed(decoder, reason, is_readable=False)
        else:
            raise RunError(f"the image decoders did not start within {_START_S:g} s")

    def _slow(self, key: str, clock: str) -> str:
        return f"took longer than {getattr(self._limits, key):g} s {clock} (decoding.{key})"

    def _blamed(
        self, decoder: DecoderProcess, reason: str, *, is_readable: bool = True
    ) -> Iterator[tuple[int, Result]]:
        """Put another decoder in place; its first open job is damaged, the others wait again."""
        culprit = decoder.jobs.popleft() if decoder.jobs else None
        self._replace(decoder)
        if culprit is not None:
            index, ref = culprit
            yield index, Damaged(hash_of(ref) if is_readable else None, reason)

    def _replace(self, decoder: DecoderProcess) -> None:
        self._again.extendleft(reversed(decoder.jobs))
        self._selector.unregister(decoder.output)
        decoder.kill()
        self._decoders[self._decoders.index(decoder)] = self._started()


def _job(ref: ImageRef) -> tuple[dict[str, Any], bytes]:
    if ref.index is None:
        return {"path": str(ref.path)}, b""
    row = read(ref)
    assert isinstance(row, np.ndarray)
    return {"dtype": row.dtype.str, "shape": row.shape}, row.tobytes()


def _result(header: dict[str, Any], blob: memoryview) -> Result:
    if "reason" in header:
        return Damaged(header["sha256"], header["reason"])
    ends = accumulate(header["sizes"])
    stored = tuple(
        Stored(tuple(shape), blob[end - size : end])
        for shape, size, end in zip(header["shapes"], header["sizes"], ends, strict=True)
    )
    return Prepared(header["sha256"], header["phash"], ImageInfo(**header["info"]), stored)
