"""What goes into a pack as wheels: plain Python, and all that an extra asks for."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from foldwise.stages.packing.wheels import EXTRAS, requirements, write_wheels

ROOT = Path(__file__).parents[3]


def test_extras_are_those_of_the_project() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        said = tomllib.load(file)["project"]["optional-dependencies"]
    assert {name: tuple(said[name]) for name in EXTRAS} == EXTRAS


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], list[str]]:
    folder = tmp_path_factory.mktemp("wheels")
    missing = write_wheels(folder, extras=["masks"])
    return {parse_wheel_filename(p.name)[0]: p for p in folder.glob("*.whl")}, missing


def test_compiled_code_of_an_extra_goes_along_for_this_platform(
    wheels: tuple[dict[str, Path], list[str]],
) -> None:
    found, missing = wheels
    assert {"foldwise", "numba", "llvmlite", "segmentation-models-pytorch"} <= found.keys()
    here = frozenset(sys_tags())
    for path in found.values():
        assert parse_wheel_filename(path.name)[3] & here, path.name
    assert "numpy" in missing  # Which numba needs, and foldwise too: it stays with the image.
    assert found.keys().isdisjoint({"numpy", "torch", "pillow"})


def test_nothing_that_the_extra_needs_is_lacking(
    wheels: tuple[dict[str, Path], list[str]],
) -> None:
    found, missing = wheels
    there = {*found, *(name.lower().replace("_", "-") for name in missing)}
    for name in ("numba", "segmentation-models-pytorch"):
        for line in requirements(name):
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate():
                assert needed.name.lower() in there, (name, line)


def test_a_compiled_wheel_holds_its_code(wheels: tuple[dict[str, Path], list[str]]) -> None:
    with zipfile.ZipFile(wheels[0]["llvmlite"]) as wheel:
        names = wheel.namelist()
        assert any(name.endswith(".so") for name in names)
        assert sum(name.endswith(".dist-info/RECORD") for name in names) == 1
        assert not any(".." in name or "__pycache__" in name for name in names)
