import atexit
import gc
import os
import signal

import pytest

# Two tests run side by side, each with networks of a few thousand weights: threads of theirs would
# only wait for each other, which took most of the time. Read when torch is imported; inherited.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what it puts into the background deaf to Ctrl-C, and so all that is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="the full counts of the survival tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that none is left for one worker alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What is imported by now outlives the tests: their collections need not walk it each time."""
    gc.freeze()
    atexit.register(gc.unfreeze)
