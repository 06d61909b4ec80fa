"""Files that extend others, and dotted overrides, merged into one tree."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from foldwise.config.nodes import KeyPath, Node, Problem, dotted
from foldwise.config.reading import parse, read_yaml, shown

_KEY = re.compile(r"[^\s.=]+(\.[^\s.=]+)*")


def read_extended(path: Path, problems: list[Problem], chain: tuple[Path, ...] = ()) -> Node | None:
    """The tree of `path` laid over that of the file it extends.

    Args:
        path: the YAML file; `extends:` in it is relative to its folder.
        problems: what is wrong is added here.
        chain: files that led here, resolved.

    Returns:
        The merged root without `extends`, or None if a file could not be read.
    """
    root = read_yaml(path, problems)
    if root is None or not isinstance(root.value, dict) or "extends" not in root.value:
        return root
    extends = root.value["extends"]
    own = replace(root, value={k: v for k, v in root.value.items() if k != "extends"})
    if not isinstance(extends.value, str) or not extends.value:
        wrong = "extends: wanted one file name, such as base.yaml"
        problems.append(Problem(extends.source, extends.line, wrong))
        return None
    base = path.parent / extends.value
    here = (*chain, path.resolve())
    wrong = _wrong_base(base, here)
    if wrong:
        problems.append(Problem(extends.source, extends.line, f"extends: {wrong}"))
        return None
    under = read_extended(base, problems, here)
    return None if under is None else merge(under, own)


def merge(under: Node, over: Node, *, is_root: bool = True) -> Node:
    """`over` laid over `under`: mappings merge, all else replaces.

    A part (a mapping with `name`) whose name changes is replaced whole, so that options of the
    one never reach the other. The root is no part, though it may have a name.
    """
    if not isinstance(under.value, dict) or not isinstance(over.value, dict):
        return over
    if not is_root and _renamed(under.value, over.value):
        return over
    merged = dict(under.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node, is_root=False) if key in merged else node
    return replace(over, value=merged)


def apply_override(root: Node, override: str, problems: list[Problem]) -> Node:
    """The tree with `train.lr=1e-3` laid over it; the value is a YAML scalar, `[...]` or `{...}`.

    As in `extends`, mappings merge and all else replaces.
    """
    key, equals, text = override.partition("=")
    source = f"override {key}"
    if not equals or not _KEY.fullmatch(key):
        wrong = "wanted key=value, as in train.lr=1e-3"
        problems.append(Problem(f"override {override[:60]!r}", None, wrong))
        return root
    value = override_value(text, source, problems)
    return root if value is None else _put(root, key.split("."), value, (), problems)


def apply_overrides(root: Node, overrides: Sequence[str], problems: list[Problem]) -> Node:
    """The tree with all overrides applied in order; the last of two for one key wins."""
    for override in overrides:
        root = apply_override(root, override, problems)
    return root


def override_value(text: str, source: str, problems: list[Problem]) -> Node | None:
    """A value given on the command line: a YAML scalar, `[...]` or `{...}`; None if it is none."""
    if not text.strip():
        problems.append(Problem(source, None, "no value; write null for none, '' for empty text"))
        return None
    before = len(problems)
    value = parse(text, source, problems)
    if value is None or len(problems) > before:
        return None
    is_block = isinstance(value.value, (dict, list)) and not text.lstrip().startswith(("{", "["))
    if is_block or (value.value is None and value.text == "") or _has_comment(text, value):
        wrong = f"found {text.strip()[:60]!r}, wanted a value, [...] or {{...}}; put text in quotes"
        problems.append(Problem(source, None, wrong))
        return None
    return value


def _wrong_base(base: Path, chain: tuple[Path, ...]) -> str:
    if base.resolve() in chain:
        start = chain.index(base.resolve())
        names = [shown(file) for file in (*chain[start:], base.resolve())]
        return f"files extend each other in a circle: {' -> '.join(names)}"
    if base.is_file():
        return ""
    files = [file.name for file in base.parent.glob("*.y*ml")] if base.parent.is_dir() else []
    near = difflib.get_close_matches(base.name, files, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; the name is relative to this file"
    return f"no file {shown(base)}{hint}"


def _renamed(under: dict[str, Node], over: dict[str, Node]) -> bool:
    old, new = under.get("name"), over.get("name")
    return old is not None and new is not None and old.value != new.value


def _has_comment(text: str, value: Node) -> bool:
    """Whether the value ends before the text does: a part of what was asked would be dropped."""
    if value.text is None:
        return text.rstrip()[-1] not in "]}'\""
    return value.text != " ".join(text.split())


def _put(
    node: Node,
    keys: list[str],
    value: Node,
    path: KeyPath,
    problems: list[Problem],
) -> Node:
    """`node` with `value` at `keys`; every node on the way is copied, none is changed."""
    key, *rest = keys
    children = node.value
    if children is None:
        children = {}
    if isinstance(children, list):
        if not key.isdecimal() or int(key) >= len(children):
            wrong = f"{dotted(path)} is a list of {len(children)}, wanted a place from 0"
            problems.append(Problem(value.source, None, wrong))
            return node
        items = list(children)
        items[int(key)] = _below(items[int(key)], rest, value, (*path, int(key)), problems)
        return replace(node, value=items)
    if not isinstance(children, dict):
        wrong = f"{dotted(path)} is {children!r} and has no keys"
        problems.append(Problem(value.source, None, wrong))
        return node
    new = _below(children.get(key), rest, value, (*path, key), problems)
    if path and not rest and key == "name" and _renamed(children, {key: new}):
        return replace(node, value={key: new}, source=value.source, line=None)
    return replace(node, value={**children, key: new})


def _below(
    node: Node | None,
    rest: list[str],
    value: Node,
    path: KeyPath,
    problems: list[Problem],
) -> Node:
    if not rest:
        return value if node is None else merge(node, value, is_root=False)
    return _put(node or Node({}, value.source), rest, value, path, problems)
