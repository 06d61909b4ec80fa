"""The house: imports point down, no stage asks which task it has, a task's files bear its name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from foldwise.tasks import TASKS

SOURCE = Path(__file__).parents[1] / "src" / "foldwise"
PARTS = (
    "data",
    "models",
    "losses",
    "metrics",
    "optim",
    "blending",
    "decide",
    "auditing",
    "choosing",
    "platforms",
    "views",
)
LEVELS = {
    **dict.fromkeys(("reference", "__main__", "__init__"), 7),
    **dict.fromkeys(("cli", "demo", "notebook"), 6),
    "stages": 5,
    "cluster": 4,
    "engine": 3,
    "tasks": 2,
    **dict.fromkeys(PARTS, 1),
}
FILES = sorted(SOURCE.rglob("*.py"))


def top(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            if node.module == "foldwise":
                found |= {f"foldwise.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module.split(".")[0] == "foldwise"}


def test_there_is_something_to_check():
    assert len(FILES) > 80


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path):
    here = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    level = LEVELS.get(here, 0)
    for module in imports(path):
        there = top(module)
        if there in ("", "__version__", here):
            continue
        assert LEVELS.get(there, 0) < level or (level == 0 and LEVELS.get(there, 0) == 0), (
            f"{path.name} imports {module}"
        )


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.relative_to(SOURCE).parts[0] in ("stages", "engine", "cluster")],
    ids=lambda p: str(p.relative_to(SOURCE)),
)
def test_no_code_outside_tasks_asks_which_task_it_has(path):
    text = path.read_text(encoding="utf-8")
    asked = re.findall(r"task\.name\s*(?:==|!=|in\b)|\.task\s*(?:==|!=)", text)
    assert not asked
    constants = {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not constants & set(TASKS)


@pytest.mark.parametrize(
    "module",
    [
        "foldwise.cli",
        "foldwise.stages.train",
        "foldwise.stages.run",
        "foldwise.stages.evaluate",
        "foldwise.stages.blend",
        "foldwise.stages.views",
        "foldwise.data.decoder_worker",
    ],
)
def test_torch_is_not_imported_before_it_is_needed(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_public_modules_have_a_docstring_of_one_sentence():
    for path in FILES:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert text, path
        assert text[0] != ".", path
