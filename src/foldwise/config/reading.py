"""YAML text to a tree of nodes that know file and line; runs no code, refuses tags and aliases."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from foldwise.config.nodes import KeyPath, Node, Problem, Scalar, dotted

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000
#: The library's scanner takes time with the square of some hostile lines.
MAX_LINE = 100_000
_MAX_DIGITS = 300

#: Also the line breaks that YAML knows and editors do not count, so that lines stay true.
_UNPRINTABLE = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: What no text may hold, however it is written: NUL ends file names, surrogates have no UTF-8.
_FORBIDDEN = re.compile("[\0\ud800-\udfff]")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NODE_EVENTS = (ScalarEvent, AliasEvent, MappingStartEvent, SequenceStartEvent)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def shown(path: Path) -> str:
    """The file's name for messages: below the working folder relative to it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError, RuntimeError):
        return str(path)


def read_yaml(path: Path, problems: list[Problem]) -> Node | None:
    """The file's mapping as a tree; what is wrong is added to `problems`.

    Returns:
        The root (an empty file is an empty mapping), or None if nothing could be read.
    """
    name = shown(path)
    text = _text_of(path, name, problems)
    if text is None:
        return None
    root = parse(text, name, problems, first_line=1)
    if root is not None and root.value is None:
        return Node({}, name, 1)
    if root is not None and not isinstance(root.value, dict):
        found = "a list" if isinstance(root.value, list) else repr(root.value)[:60]
        problems.append(Problem(name, 1, f"found {found}, wanted keys with values"))
        return None
    return root


def parse(
    text: str, source: str, problems: list[Problem], *, first_line: int | None = None
) -> Node | None:
    """One YAML document as a tree; None if it is not YAML at all."""
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        line = _line(text.count("\n", 0, unprintable.start()), first_line)
        wrong = f"found the unprintable character {unprintable.group()!a}; take it out"
        problems.append(Problem(source, line, wrong))
        return None
    longest = max(map(len, text.split("\n")))
    if longest > MAX_LINE:
        wrong = f"found a line of {longest} characters, wanted at most {MAX_LINE}"
        problems.append(Problem(source, None, wrong))
        return None
    builder = _Builder(text, source, problems, first_line)
    try:
        return builder.document()
    except _TooLarge as error:
        problems.append(Problem(source, _line(error.line, first_line), error.text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = _line(mark.line, first_line) if mark is not None else None
        reason = " ".join(str(error.problem or error.context).split())
        problems.append(Problem(source, line, f"not valid YAML: {reason}{_hint(reason)}"))
    except (YAMLError, ValueError) as error:
        problems.append(Problem(source, None, f"not valid YAML: {' '.join(str(error).split())}"))
    return None


def resolve(text: str) -> Scalar:
    """A plain scalar by the core schema of YAML 1.2.2, section 10.3.2.

    Raises:
        ValueError: the number is not finite, or an integer of more than 300 digits.

    >>> [resolve(text) for text in ("no", "1e-3", "07:00", "0x1F", "null")]
    ['no', 0.001, '07:00', 31, None]
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise ValueError(f"found an integer of {len(text)} digits, wanted a shorter one")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _NOT_FINITE.fullmatch(text) or (_FLOAT.fullmatch(text) and math.isinf(float(text))):
        raise ValueError(f"found {text}, wanted a finite number")
    return float(text) if _FLOAT.fullmatch(text) else text


class _TooLarge(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line, self.text = line, text


class _Builder:
    """Makes nodes of parser events; composer and constructor of the library are never called."""

    def __init__(
        self, text: str, source: str, problems: list[Problem], first_line: int | None
    ) -> None:
        self.source, self.problems, self.first_line = source, problems, first_line
        self.events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))
        self.num_nodes = 0

    def document(self) -> Node:
        next(self.events)
        event = next(self.events)
        if isinstance(event, StreamEndEvent):
            return Node(None, self.source, self.first_line, "")
        root = self.node(next(self.events), (), None)
        next(self.events)
        event = next(self.events)
        if not isinstance(event, StreamEndEvent):
            self.problem(event, (), "found a second document (---), wanted one")
        return root

    def node(self, event: Any, path: KeyPath, key_line: int | None) -> Node:
        line = key_line if key_line is not None else _line(event.start_mark.line, self.first_line)
        self.guard(event, path)
        if isinstance(event, MappingStartEvent):
            return Node(self.mapping(path), self.source, line)
        if isinstance(event, SequenceStartEvent):
            return Node(self.sequence(path), self.source, line)
        return self.scalar(event, path, line)

    def guard(self, event: Any, path: KeyPath) -> None:
        self.num_nodes += 1
        if len(path) > MAX_DEPTH:
            raise _TooLarge(event.start_mark.line, f"nested more than {MAX_DEPTH} levels deep")
        if self.num_nodes > MAX_NODES:
            raise _TooLarge(event.start_mark.line, f"more than {MAX_NODES} values")
        if isinstance(event, AliasEvent):
            wrong = f"alias *{event.anchor} is refused; write the value out, or use extends"
            self.problem(event, path, wrong)
        elif event.anchor is not None:
            wrong = f"anchor &{event.anchor} is refused; write the value out, or use extends"
            self.problem(event, path, wrong)
        if getattr(event, "ctag", None) is not None:
            self.problem(event, path, f"tag {str(event.tag)[:60]} is refused; write a plain value")

    def mapping(self, path: KeyPath) -> dict[str, Node]:
        children: dict[str, Node] = {}
        while isinstance(event := next(self.events), _NODE_EVENTS):
            line = _line(event.start_mark.line, self.first_line)
            if not isinstance(event, ScalarEvent):
                self.node(event, (*path, "?"), line)
                self.problem(event, path, "found a key that is not a word, wanted `key: value`")
                self.node(next(self.events), (*path, "?"), line)
                continue
            key = event.value
            here = (*path, key)
            self.guard(event, here)
            self.check_key(event, here, children)
            child = self.node(next(self.events), here, line)
            children.setdefault(key, child)
        return children

    def check_key(self, event: Any, path: KeyPath, children: Mapping[str, Node]) -> None:
        key = path[-1]
        if key in children:
            first = children[str(key)].line
            where = "" if first is None else f", first in line {first}"
            self.problem(event, path, f"given twice{where}; keep one")
        if key == "" or _FORBIDDEN.search(str(key)):
            self.problem(event, path[:-1], f"found the key {key!a}, wanted a word")
        if key == "<<" and event.implicit[0]:
            self.problem(event, path, "merge keys are refused; use extends")

    def sequence(self, path: KeyPath) -> list[Node]:
        children: list[Node] = []
        while isinstance(event := next(self.events), _NODE_EVENTS):
            children.append(self.node(event, (*path, len(children)), None))
        return children

    def scalar(self, event: Any, path: KeyPath, line: int | None) -> Node:
        if isinstance(event, AliasEvent):
            return Node(None, self.source, line)
        text: str = event.value
        if hidden := _FORBIDDEN.search(text):
            self.problem(event, path, f"found the character {hidden.group()!a}; take it out")
            return Node(None, self.source, line)
        if not event.implicit[0]:
            return Node(text, self.source, line)
        try:
            return Node(resolve(text), self.source, line, text)
        except ValueError as error:
            self.problem(event, path, str(error))
            return Node(None, self.source, line)

    def problem(self, event: Any, path: KeyPath, text: str) -> None:
        line = _line(event.start_mark.line, self.first_line)
        self.problems.append(
            Problem(self.source, line, f"{dotted(path)}: {text}" if path else text)
        )


def _line(zero_based: int, first_line: int | None) -> int | None:
    return None if first_line is None else zero_based + first_line


def _hint(reason: str) -> str:
    if "\\t" in reason:
        return "; indent with spaces, not tabs"
    if "mapping values are not allowed" in reason:
        return "; put text that holds `: ` in quotes, and check the indentation"
    return "; check indentation, colons and quotes here"


def _text_of(path: Path, name: str, problems: list[Problem]) -> str | None:
    try:
        if path.exists() and not path.is_file():
            problems.append(Problem(name, None, "not a file"))
            return None
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problems.append(Problem(name, None, f"cannot be read: {reason}"))
        return None
    if len(data) > MAX_BYTES:
        problems.append(Problem(name, None, f"larger than {MAX_BYTES} bytes"))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte {error.start} is not UTF-8 (found 0x{data[error.start]:02x}); save as UTF-8"
        problems.append(Problem(name, line, wrong))
        return None
