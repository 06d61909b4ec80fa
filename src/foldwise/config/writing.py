"""Sections out again: resolved values, commented YAML, fingerprints and differences."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foldwise.config.reading import resolve
from foldwise.config.section import Section
from foldwise.errors import ConfigError
from foldwise.publish import publish_text

_WIDTH = 100
_BARE = re.compile(r"[A-Za-z0-9_./+\u00c0-\u024f][\w./+:-]*( [\w./+:-]+)*", re.UNICODE)


def dump(section: Section) -> dict[str, Any]:
    """All keys with their values, defaults included, as JSON takes them."""
    values: dict[str, Any] = section.model_dump(mode="json")
    return values


def write_yaml(
    path: Path,
    values: Section | Mapping[str, Any],
    *,
    comments: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Publish values as YAML that `load` reads back to the same values.

    Args:
        path: the file.
        values: a section or nested keys.
        comments: dotted key to its comment; "" is the head of the file.
        overwrite: whether a file that is there may be replaced.

    Raises:
        ConfigError: the file is there and `overwrite` is not set.
    """
    if path.exists() and not overwrite:
        raise ConfigError(f"{path}: is there already", remedy="move it away, or write elsewhere")
    publish_text(path, to_yaml(values, comments=comments))


def to_yaml(
    values: Section | Mapping[str, Any], *, comments: Mapping[str, str] | None = None
) -> str:
    """The text of `write_yaml`.

    >>> print(to_yaml({"loss": {"name": "focal"}, "train": {"lr": 1e-3}}, comments={"loss": "why"}))
    loss: {name: focal}  # why
    train:
      lr: 0.001
    <BLANKLINE>
    """
    values = dump(values) if isinstance(values, Section) else values
    comments = comments or {}
    head = [f"# {line}".rstrip() for line in comments.get("", "").splitlines()]
    return "\n".join([*head, *_lines(values, "", comments)]) + "\n" if values or head else "{}\n"


def in_flow(value: Any) -> str:
    """The value on one line of YAML: `{name: focal, gamma: 1.5}`."""
    if isinstance(value, Mapping):
        items = (f"{_text(str(key))}: {in_flow(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(in_flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value, allow_nan=False)


def fingerprint(value: Any) -> str:
    """Sixteen hex digits that change when the value changes; key order does not count.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    value = dump(value) if isinstance(value, Section) else value
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def difference(old: Section | Mapping[str, Any], new: Section | Mapping[str, Any]) -> list[str]:
    """What changed, a line a key.

    >>> difference({"train": {"lr": 0.001}}, {"train": {"lr": 0.0003}})
    ['train.lr: 0.001 -> 0.0003']
    """
    old = dump(old) if isinstance(old, Section) else old
    new = dump(new) if isinstance(new, Section) else new
    return list(_changes(old, new, ""))


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in old or key not in new:
            before = in_flow(old[key]) if key in old else "(absent)"
            after = in_flow(new[key]) if key in new else "(absent)"
            yield f"{prefix}{key}: {before} -> {after}"
        elif _are_sections(old[key], new[key]):
            yield from _changes(old[key], new[key], f"{prefix}{key}.")
        elif _json(old[key]) != _json(new[key]):
            yield f"{prefix}{key}: {in_flow(old[key])} -> {in_flow(new[key])}"


def _are_sections(old: Any, new: Any) -> bool:
    both = isinstance(old, Mapping) and isinstance(new, Mapping)
    return both and bool(old) and bool(new) and old.get("name") == new.get("name")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _lines(values: Mapping[str, Any], prefix: str, comments: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for key, value in values.items():
        comment = comments.get(f"{prefix}{key}", "")
        start = f"{indent}{_text(str(key))}:"
        flow = f"{start} {in_flow(value)}"
        has_comments = any(address.startswith(f"{prefix}{key}.") for address in comments)
        is_open = _opens(value, has_comments) or (_is_long(value) and len(flow) > _WIDTH)
        if not is_open and len(flow) + len(comment) + 4 <= _WIDTH and "\n" not in comment:
            yield f"{flow}  # {comment}" if comment else flow
            continue
        for paragraph in comment.splitlines():
            yield from textwrap.wrap(
                paragraph, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
        if not is_open:
            yield flow
        elif isinstance(value, Mapping):
            yield start
            yield from _lines(value, f"{prefix}{_dotless(key)}.", comments)
        else:
            yield start
            yield from (f"{indent}  - {in_flow(item)}" for item in value)


def _dotless(key: object) -> str:
    """The key as it counts for depth; comments of keys with dots have no address."""
    return str(key).replace(".", "\uffff")


def _opens(value: Any, has_comments: bool) -> bool:
    """Whether it gets a line a key: sections do, short parts and empty ones do not."""
    is_part = isinstance(value, Mapping) and "name" in value and len(value) <= 3
    return isinstance(value, Mapping) and bool(value) and (has_comments or not is_part)


def _is_long(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and bool(value)


def _text(text: str) -> str:
    """Bare where it reads back as this text, else in JSON's quotes, which YAML reads alike."""
    if _BARE.fullmatch(text) and ": " not in f"{text} " and _is_text(text):
        return text
    return re.sub(
        "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]",
        lambda hidden: f"\\u{ord(hidden.group()):04x}",
        json.dumps(text, ensure_ascii=False),
    )


def _is_text(text: str) -> bool:
    try:
        return isinstance(resolve(text), str)
    except ValueError:
        return False
