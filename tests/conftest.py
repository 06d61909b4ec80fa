import os

import pytest

# Two tests run side by side, each with networks of a few thousand weights: threads of theirs would
# only wait for each other, which took most of the time. Read when torch is imported; inherited.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="the full counts of the survival tests")
