"""Config as a tree whose nodes know file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

KeyPath = tuple[str | int, ...]
Scalar = str | int | float | bool | None
_LONGEST = 400


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: a scalar, or children by key or in order.
        source: file, or the override the value came from.
        line: line of the key in the file, from 1; None outside files.
        text: a plain scalar as it is written, so that `007` can still become text.
        within: the keys above it in its own file, each with a dot, where it was laid over another
            file's tree: `recipes.b.` for what a plan changes in a recipe.
    """

    value: Scalar | dict[str, Node] | list[Node]
    source: str
    line: int | None = None
    text: str | None = None
    within: str = ""

    @property
    def origin(self) -> str:
        """`file:line`, or the name of the override."""
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One sentence about one place; sorts by file and line."""

    source: str
    line: int | None
    text: str

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source}:{self.line}"
        text = self.text if len(self.text) <= _LONGEST else f"{self.text[:_LONGEST]}..."
        return f"{where}: {text}"


def dotted(path: KeyPath) -> str:
    """`train.lr`, `augment.0.p`."""
    return ".".join(map(str, path))


def from_mapping(value: Any, source: str) -> Node:
    """A tree of plain values that stand in no file."""
    if isinstance(value, Mapping):
        return Node({str(key): from_mapping(item, source) for key, item in value.items()}, source)
    if isinstance(value, (list, tuple)):
        return Node([from_mapping(item, source) for item in value], source)
    return Node(value, source)


def plain(node: Node, as_text: frozenset[KeyPath] = frozenset(), path: KeyPath = ()) -> Any:
    """The tree as plain values; at the paths `as_text` what is written, not what it may mean."""
    if isinstance(node.value, dict):
        return {key: plain(item, as_text, (*path, key)) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item, as_text, (*path, i)) for i, item in enumerate(node.value)]
    return node.text if path in as_text else node.value


def children(node: Node) -> Mapping[str | int, Node]:
    """The nodes below by key or place; none below a scalar."""
    if isinstance(node.value, dict):
        return dict(node.value.items())
    return dict(enumerate(node.value)) if isinstance(node.value, list) else {}


def child(node: Node, key: str | int) -> Node | None:
    """The node at a key or a place, or None."""
    if isinstance(node.value, dict) and isinstance(key, str):
        return node.value.get(key)
    if isinstance(node.value, list) and isinstance(key, int) and key < len(node.value):
        return node.value[key]
    return None


def at(root: Node, path: KeyPath) -> Node:
    """The node at the path, which must be there."""
    node = root
    for key in path:
        below = child(node, key)
        assert below is not None, path
        node = below
    return node


def hung(node: Node, within: str) -> Node:
    """The tree with every node saying which keys stand above it in its own file."""
    value = node.value
    if isinstance(value, dict):
        value = {key: hung(item, within) for key, item in value.items()}
    elif isinstance(value, list):
        value = [hung(item, within) for item in value]
    return replace(node, value=value, within=within)


def origins_below(node: Node, path: KeyPath = ()) -> Iterator[tuple[str, str]]:
    """Dotted key and origin of every node below."""
    for key, below in children(node).items():
        yield dotted((*path, key)), below.origin
        yield from origins_below(below, (*path, key))
