"""Loops that numba compiles: nothing but masks needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

VERBS = "evaluate blend predict submit report pack answer train compare views init run doctor"


def test_no_verb_needs_what_masks_need() -> None:
    imports = "; ".join(f"import foldwise.stages.{verb}" for verb in VERBS.split())
    absent = "sys.modules |= {'numba': None, 'segmentation_models_pytorch': None}"
    code = f"import sys; {absent}; {imports}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_needs_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from foldwise.compiled import jit
    from foldwise.errors import ConfigError

    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ConfigError, match="numba is not installed") as caught:
        jit(len)
    assert "foldwise[masks]" in caught.value.remedy
