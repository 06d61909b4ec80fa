import math

import pytest

from foldwise.masks import compiling


@pytest.fixture(params=["numpy", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which way the work is done: by numpy alone, or by kernels from the first mask on."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    worth_ns = 0 if request.param == "compiled" else math.inf
    monkeypatch.setattr(compiling, "WORTH_NS", worth_ns)
    return str(request.param)
