"""What pydantic finds wrong in a tree, said with file, line, key, found and wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from foldwise.config.describing import choices_of, field_at, nearest, suggest_key, words
from foldwise.config.nodes import KeyPath, Node, Problem, at, child, dotted
from foldwise.config.reading import resolve
from foldwise.config.section import Section

MAX_SHOWN = 50

_WORDS_FOR_TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_NUMERIC = re.compile("a number|an integer|true or false")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+")


def problems_of(root: Node, kind: type[Section], errors: Sequence[ErrorDetails]) -> list[Problem]:
    """One problem a place, by file and line: of a union's branches the one that got furthest.

    Those beyond what is shown get no text, because the search for the nearest name takes time.
    """
    places: dict[KeyPath, _Mistake] = {}
    for error in errors:
        path, rest = locate(root, error["loc"])
        is_missing = error["type"] == "missing" and rest is not None
        place = (*path, rest) if is_missing and rest is not None else path
        if place not in places or error["type"] == "value_error":
            places[place] = _Mistake(place, at(root, path), error, is_missing)
    passed = {place[:length] for place in places for length in range(len(place))}
    mistakes = [mistake for place, mistake in places.items() if place not in passed]
    mistakes.sort(key=lambda mistake: (mistake.node.source, mistake.node.line or 0))
    return [_problem(mistake, kind) for mistake in mistakes[:MAX_SHOWN]] + [
        Problem(mistake.node.source, mistake.node.line, f"{dotted(mistake.path)}: wrong")
        for mistake in mistakes[MAX_SHOWN:]
    ]


@dataclass(frozen=True)
class _Mistake:
    """What pydantic found at `path`; `node` is the value there or, if missing, the one around."""

    path: KeyPath
    node: Node
    error: ErrorDetails
    is_missing: bool


def _problem(mistake: _Mistake, kind: type[Section]) -> Problem:
    path, node, error = mistake.path, mistake.node, mistake.error
    field = field_at(kind, path)
    wanted = words(*field) if field is not None else ""
    if mistake.is_missing:
        text = f"missing; wanted {wanted}"
    elif error["type"] in ("value_error", "assertion_error"):
        text = str(error.get("ctx", {}).get("error", error["msg"]))
    elif error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",):
        text = "unknown key" + _meant(node, kind, path)
    elif field is None:
        text = f"{error['msg'][:1].lower()}{error['msg'][1:]}, found {_found(node)}"
    else:
        text = f"found {_found(node)}, wanted {wanted}{_remedy(node, wanted, choices_of(field))}"
    key = f"{node.within}{dotted(path)}"
    is_said = node.source in (f"override {key}", f"--{key}")
    prefix = "" if is_said or not path else f"{key}: "
    return Problem(node.source, node.line, f"{prefix}{text}")


def _meant(node: Node, kind: type[Section], path: KeyPath) -> str:
    section, dot, key = str(path[-1]).rpartition(".")
    if dot:
        return f"; a dot opens no section in a file, write {section}: {{{key}: ...}}"
    near = suggest_key(kind, path)
    beyond = node.source.removeprefix(f"override {node.within}{dotted(path)}.")
    if near and beyond != node.source and field_at(kind, (*near.split("."), *beyond.split("."))):
        near = f"{near}.{beyond}"
    field = field_at(kind, path[:-1])
    if near:
        return f"; did you mean {near}?"
    return f"; wanted {words(*field)}" if field is not None else ""


def _remedy(node: Node, wanted: str, choices: Sequence[str]) -> str:
    if not isinstance(node.value, str):
        return ""
    near = nearest(node.value, choices)
    if near:
        return f"; did you mean {near}?"
    if "true or false" in wanted and node.value in _WORDS_FOR_TRUTH:
        return f"; YAML 1.2 reads {node.value} as text, write {_WORDS_FOR_TRUTH[node.value]}"
    if "a number" in wanted and _DECIMAL_COMMA.fullmatch(node.value):
        return "; write the decimal comma as a point"
    is_quoted = node.text is None and node.line is not None
    if is_quoted and _NUMERIC.search(wanted) and not isinstance(_unquoted(node.value), str):
        return "; take off the quotes"
    return ""


def _unquoted(text: str) -> Any:
    try:
        return resolve(text)
    except ValueError:
        return text


def _found(node: Node) -> str:
    if isinstance(node.value, dict):
        return f"keys ({', '.join(node.value)})"[:80] if node.value else "no keys ({})"
    if isinstance(node.value, list):
        return f"a list of {len(node.value)}"
    if isinstance(node.value, str):
        return repr(node.value if len(node.value) <= 60 else node.value[:57] + "...")
    return "nothing" if node.value is None else node.text or json.dumps(node.value)


def locate(root: Node, location: Sequence[str | int]) -> tuple[KeyPath, str | int | None]:
    """The part of pydantic's location that is in the tree, and what comes after it.

    Pydantic puts the names of union branches and validators between the keys.
    """
    node = root
    path: KeyPath = ()
    rest: str | int | None = None
    for key in location:
        below = child(node, key)
        rest = key if below is None else None
        if below is not None:
            node, path = below, (*path, key)
    return path, rest
