"""Runs jobs on this machine: each in its own process, forked from one that has imported torch."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from foldwise import device
from foldwise.errors import FoldwiseError
from foldwise.time_records import Meter

_PRELOAD = ["foldwise.cluster.preload"]
_GRACE_S = 3.0
#: For a step to end and its state to be saved.
_SAVING_S = 30.0


@dataclass(frozen=True)
class Job:
    """One call in a process of its own.

    Attributes:
        name: shown in progress and messages.
        function: `module:attribute` of a plain function of paths, words and numbers.
        arguments: what it is called with.
        log: where its output goes.
        threads: compute threads it may use.
        stop_at: on the monotonic clock; a job that still runs then is stopped.
        costs: folder that gets a record of its time; None: it is not counted.
    """

    name: str
    function: str
    arguments: tuple[str | int | float | None, ...]
    log: Path
    threads: int
    stop_at: float | None = None
    costs: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        job: which.
        error: None if it went well; else the message.
        value: what the function returned.
        stopped: whether it was stopped at `stop_at`.
    """

    job: Job
    error: str | None
    value: Any = None
    stopped: bool = False


def run_jobs(
    jobs: Sequence[Job], *, parallel: int, poll: Callable[[], None] = lambda: None
) -> Iterator[Outcome]:
    """Run jobs, at most `parallel` at a time, and yield each outcome as it comes.

    Where there are several GPUs each job sees one, that which has the fewest jobs.

    A job that fails does not stop the others. If this process dies, its jobs die with it; if it
    is interrupted, so are they, and have a while to save.

    Args:
        jobs: in order of start.
        parallel: processes side by side.
        poll: called about twice a second while waiting.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    waiting = list(jobs)
    running: dict[BaseProcess, tuple[Job, Connection]] = {}
    gpus: dict[BaseProcess, str] = {}
    meters: dict[BaseProcess, Meter] = {}
    process: BaseProcess
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                job = waiting.pop(0)
                receiver, sender = context.Pipe(duplex=False)
                gpu = _least_used(device.gpus(), list(gpus.values()))
                process = context.Process(target=_work, args=(job, sender, gpu), name=job.name)
                process.start()
                if gpu is not None:
                    gpus[process] = gpu
                sender.close()
                if job.costs is not None:
                    meters[process] = Meter(job.costs, job.name)
                running[process] = (job, receiver)
            multiprocessing.connection.wait([p.sentinel for p in running], timeout=0.5)
            poll()
            for meter in meters.values():
                meter.beat()
            for process in list(running):
                job, receiver = running[process]
                outcome = _ended(process, job, receiver)
                if outcome is not None:
                    del running[process]
                    gpus.pop(process, None)
                    if process in meters:
                        meters.pop(process).end()
                    receiver.close()
                    yield outcome
    except KeyboardInterrupt:
        _interrupt(list(running))
        raise
    finally:
        for process in running:
            _stop(process)
        for meter in meters.values():
            meter.end()


def _least_used(every: Sequence[str], used: Sequence[str]) -> str | None:
    """A GPU for the next job; None: there are not several to choose from."""
    return min(every, key=used.count) if len(every) > 1 else None


def _ended(process: BaseProcess, job: Job, receiver: Connection) -> Outcome | None:
    late = job.stop_at is not None and device.monotonic() > job.stop_at
    if process.is_alive() and not late:
        return None
    if process.is_alive():
        _stop(process)
        return Outcome(job, "stopped: its time was up", stopped=True)
    process.join()
    with contextlib.suppress(EOFError, OSError):
        if receiver.poll():
            error, value = receiver.recv()
            return Outcome(job, error, value)
    return Outcome(job, f"its process ended with code {process.exitcode}; see {job.log}")


def _stop(process: BaseProcess) -> None:
    process.terminate()
    process.join(_GRACE_S)
    if process.is_alive():
        process.kill()
        process.join()


def _interrupt(processes: Sequence[BaseProcess]) -> None:
    """Let processes save what they can, all at the same time, at most for a while."""
    deadline = device.monotonic() + _SAVING_S
    for process in processes:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
    for process in processes:
        process.join(max(0.0, deadline - device.monotonic()))


def _work(job: Job, sender: Connection, gpu: str | None) -> None:
    _die_with_parent()
    if gpu is not None:  # Nothing has asked for a GPU yet: the server that forks only imports.
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    job.log.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        import torch

        torch.set_num_threads(job.threads)
        module, _, attribute = job.function.partition(":")
        value = getattr(importlib.import_module(module), attribute)(*job.arguments)
    except FoldwiseError as error:
        sender.send((str(error), None))
    except KeyboardInterrupt:
        sender.send(("stopped by the keyboard", None))
    except BaseException as error:
        traceback.print_exc()
        sender.send((f"{type(error).__name__}: {error}; see {job.log}", None))
    else:
        sender.send((None, value))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
