"""Parts by name and options, of tables and of the user's own code."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from foldwise.errors import ConfigError
from foldwise.parts import bind, find

_NUMBERS = itertools.count()


def power(x: float, *, exponent: Annotated[int, Field(ge=1)] = 2) -> float:
    return x**exponent


CURVES = {"power": power}


def module_with(folder: Path, text: str) -> str:
    """The name of a new module of the user's; no two tests share one."""
    name = f"mine{next(_NUMBERS)}"
    (folder / f"{name}.py").write_text(text)
    return name


def refused(spec: object, code: Path | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        bind(CURVES, spec, what="curve", code=code)  # type: ignore[arg-type]
    return caught.value


def test_options_are_bound_and_checked() -> None:
    assert bind(CURVES, {"name": "power", "exponent": 3}, what="curve")(2) == 8
    error = refused({"name": "power", "exponent": 0, "exponnet": 1})
    assert "unknown option 'exponnet'; did you mean 'exponent'?" in error.problems[0]
    assert "exponent: Input should be greater than or equal to 1, found 0" in error.problems[1]


def test_an_unknown_name_gets_the_nearest_and_all_known_ones() -> None:
    error = refused("powr")
    assert error.problems == ("curve 'powr' is unknown; did you mean 'power'?",)
    assert error.remedy == "known: power"


def test_where_no_own_part_may_stand_none_is_imported(tmp_path: Path) -> None:
    assert "is unknown" in refused("os:system").problems[0]
    assert "or your own as module:attribute" in refused("powr", tmp_path).remedy


@pytest.mark.parametrize("name", [":foo", "mine:", ":", ".mine:foo", "mine:foo:bar", "a b:foo"])
def test_what_is_no_module_and_attribute_is_said(tmp_path: Path, name: str) -> None:
    error = refused(name, tmp_path)
    assert error.problems == (f"curve {name!r} is no module:attribute",)
    assert "mine.py" in error.remedy


def test_an_absent_module_is_told_from_one_that_imports_an_absent_one(tmp_path: Path) -> None:
    error = refused("nowhere_to_be_found:curve", tmp_path)
    assert error.remedy == f"put nowhere_to_be_found.py into {tmp_path}"
    name = module_with(tmp_path, "import math\nimport no_such_library\n")
    error = refused(f"{name}:curve", tmp_path)
    assert f"{tmp_path}/{name}.py:2: ModuleNotFoundError: No module named" in error.problems[0]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("x = 1\ndef curve(x:\n    return x\n", ":2: SyntaxError: '(' was never closed"),
        ("x = 1\n\ny = 1 / 0\n", ":3: ZeroDivisionError: division by zero"),
        ("def f():\n    return unknown\nf()\n", ":2: NameError: name 'unknown' is not defined"),
        ("import json\njson.loads('{')\n", ":2: JSONDecodeError: Expecting property name"),
        ("def curve(x):\n  y = 1\n   return y\n", ":3: IndentationError: unexpected indent"),
    ],
)
def test_an_error_in_own_code_names_its_file_and_line(
    tmp_path: Path, text: str, wrong: str
) -> None:
    name = module_with(tmp_path, text)
    assert (
        f"curve '{name}:curve': {tmp_path}/{name}.py{wrong}"
        in (refused(f"{name}:curve", tmp_path).problems[0])
    )


def test_an_own_part_is_found_and_a_misspelt_one_gets_the_nearest(tmp_path: Path) -> None:
    name = module_with(tmp_path, "def curve(x, *, slope=2.0):\n    return slope * x\n")
    spec = {"name": f"{name}:curve", "slope": 3}
    assert bind(CURVES, spec, what="curve", code=tmp_path)(2) == 6
    assert "did you mean 'curve'?" in refused(f"{name}:kurve", tmp_path).problems[0]
    with pytest.raises(ConfigError, match=r"has no 'nothing_like_it'$"):
        find(CURVES, f"{name}:nothing_like_it", what="curve", code=tmp_path)
