"""Config files to checked sections: every error with file, line, key, found and wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from foldwise.config.explaining import MAX_SHOWN, locate, problems_of
from foldwise.config.merging import apply_overrides, merge, override_value, read_extended
from foldwise.config.nodes import (
    KeyPath,
    Node,
    Problem,
    at,
    child,
    children,
    from_mapping,
    hung,
    origins_below,
    plain,
)
from foldwise.config.section import Section
from foldwise.errors import ConfigError

S = TypeVar("S", bound=Section)

_TEXT_OR_CONTAINER = {
    "string_type",
    "dict_type",
    "list_type",
    "tuple_type",
    "model_type",
    "none_required",
}


def load(
    path: Path,
    kind: type[S],
    *,
    overrides: Sequence[str] = (),
    changes: Node | None = None,
) -> S:
    """The section that a YAML file describes.

    The file is laid over the one it extends, then the changes, then the overrides in order.
    Numbers become text where the field wants text, as written: `id: 007` is "007".

    Args:
        path: YAML 1.2, UTF-8, at most 1 MiB.
        kind: the section to make.
        overrides: `train.lr=1e-3`, values as YAML scalars, `[...]` or `{...}`.
        changes: keys that change the file, such as a plan's changes to a recipe.

    Raises:
        ConfigError: all problems at once, by file and line.
    """
    problems: list[Problem] = []
    root = _resolved(path, overrides, changes, problems)
    section = None if root is None else _checked(root, kind, problems)
    if section is None or problems:
        raise _error(problems)
    return section


def from_values(values: Mapping[str, Any], kind: type[S], *, source: str) -> S:
    """The section that plain values describe, checked like a file.

    Args:
        values: nested keys, such as a stored resolved config.
        kind: the section to make.
        source: where the values came from, for messages.

    Raises:
        ConfigError: all problems at once.
    """
    problems: list[Problem] = []
    section = _checked(from_mapping(values, source), kind, problems)
    if section is None:
        raise _error(problems)
    return section


def from_options(options: Mapping[str, str], kind: type[S]) -> S:
    """The section that options of the command line describe: key → value in YAML.

    Raises:
        ConfigError: all problems at once.

    >>> from foldwise.config.plan import BlendConfig
    >>> from_options({"method": "{name: greedy, num_steps: 40}"}, BlendConfig).method
    {'name': 'greedy', 'num_steps': 40}
    """
    problems: list[Problem] = []
    values = {key: override_value(text, f"--{key}", problems) for key, text in options.items()}
    given = {key: value for key, value in values.items() if value is not None}
    section = None if problems else _checked(Node(dict(given), "options"), kind, problems)
    if section is None:
        raise _error(problems)
    return section


def branches(path: Path, key: str, *, overrides: Sequence[str] = ()) -> dict[str, Node]:
    """What stands below a file's key, by the next key, to be laid over other files by `load`.

    Raises:
        ConfigError: the files or overrides cannot be read.
    """
    root = _readable(path, overrides, None)
    below = child(root, key)
    found = {} if below is None else children(below)
    return {str(name): hung(node, f"{key}.{name}.") for name, node in found.items()}


def origins(
    path: Path, *, overrides: Sequence[str] = (), changes: Node | None = None
) -> dict[str, str]:
    """Where each given key stands: dotted key to `file:line`, or to the override.

    For checks that come after loading, such as the options of a part.

    Raises:
        ConfigError: the files or overrides cannot be read.
    """
    return dict(origins_below(_readable(path, overrides, changes)))


def _readable(path: Path, overrides: Sequence[str], changes: Node | None) -> Node:
    problems: list[Problem] = []
    root = _resolved(path, overrides, changes, problems)
    if root is None or problems:
        raise _error(problems)
    return root


def _resolved(
    path: Path, overrides: Sequence[str], changes: Node | None, problems: list[Problem]
) -> Node | None:
    root = read_extended(path, problems)
    if root is None:
        return None
    if changes is not None and changes.value:
        # What is missing at the top is missing in the file, not in what changes it.
        root = replace(merge(root, changes), source=root.source, line=root.line, within="")
    return apply_overrides(root, overrides, problems)


def _checked(root: Node, kind: type[S], problems: list[Problem]) -> S | None:
    as_text: frozenset[KeyPath] = frozenset()
    while True:
        try:
            text = json.dumps(plain(root, as_text))
            return kind.model_validate_json(text, strict=True)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        except (TypeError, ValueError, RecursionError) as error:
            problems.append(Problem(root.source, root.line, f"holds no plain values: {error}"))
            return None
        more = _numbers_for_text(root, errors) - as_text
        if not more:
            problems += problems_of(root, kind, errors)
            return None
        as_text |= more


def _numbers_for_text(root: Node, errors: Sequence[ErrorDetails]) -> frozenset[KeyPath]:
    """Paths of plain numbers and truths where the field can only be meant to take text."""
    types: dict[KeyPath, set[str]] = {}
    for error in errors:
        types.setdefault(locate(root, error["loc"])[0], set()).add(error["type"])
    return frozenset(
        path
        for path, found in types.items()
        if "string_type" in found
        and found <= _TEXT_OR_CONTAINER
        and at(root, path).text
        and isinstance(at(root, path).value, (bool, int, float))
    )


def _error(problems: Sequence[Problem]) -> ConfigError:
    ordered = sorted(problems, key=lambda problem: (problem.source, problem.line or 0))
    lines = list(dict.fromkeys(map(str, ordered)))
    hidden = len(lines) - MAX_SHOWN
    return ConfigError(*lines[:MAX_SHOWN], *([f"... and {hidden} more"] if hidden > 0 else []))
