"""The competition's own modules: which of them a config names, and a hash of their text."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAMED = re.compile(r"([^\W\d]\w*(?:\.\w+)*):[^\W\d]\w*")


def own_code_hash(code: Path, *values: Any) -> str | None:
    """Hash of the modules in `code` that config values name, and of those they import there.

    Modules that are found at run time only, and files that are not Python, are not seen.

    Args:
        code: folder of the competition's own code.
        values: JSON values; every `module:attribute` in them counts, wherever it stands.

    Returns:
        Sixteen hex digits, or None if none is named.
    """
    waiting = [module for value in values for module in _named(value)]
    texts: dict[str, bytes] = {}
    while waiting:
        for module in _with_packages(waiting.pop()):
            path = _file(code, module)
            if path is not None and module not in texts:
                texts[module] = path.read_bytes()
                package = module if path.name == "__init__.py" else module.rpartition(".")[0]
                waiting += _imports(texts[module], package)
    if not texts:
        return None
    digest = hashlib.sha256()
    for module in sorted(texts):
        digest.update(f"\x1f{module}\x1f{len(texts[module])}\x1f".encode() + texts[module])
    return digest.hexdigest()[:16]


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        found = _NAMED.fullmatch(value)
        if found:
            yield found[1]
    elif isinstance(value, dict):
        for part in value.values():
            yield from _named(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _named(part)


def _with_packages(module: str) -> list[str]:
    """A module after the packages around it, whose `__init__.py` runs first."""
    parts = module.split(".")
    return [".".join(parts[: number + 1]) for number in range(len(parts))]


def _file(code: Path, module: str) -> Path | None:
    place = code / module.replace(".", "/")
    known = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in known if path.is_file()), None)


def _imports(text: bytes, package: str) -> Iterator[str]:
    """Modules that a module's text may import; names taken from one may be its submodules."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return  # Who imports it says so, with the line.
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package.split(".")[: len(package.split(".")) - node.level + 1]
            origin = [*(around if node.level else []), *filter(None, [node.module])]
            for name in ("", *(alias.name for alias in node.names)):
                if base := ".".join(filter(None, [*origin, name])):
                    yield base
