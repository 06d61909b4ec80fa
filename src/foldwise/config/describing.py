"""What a field takes, in words, and which keys there are: for messages, schema and reference."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

import annotated_types as at
from pydantic import AfterValidator, AwareDatetime
from pydantic.fields import FieldInfo

from foldwise.config.nodes import KeyPath
from foldwise.config.section import Part, Section

Field = tuple[Any, tuple[Any, ...]]
"""An annotation and the constraints beside it."""

_PART = next(item for item in get_args(Part) if isinstance(item, AfterValidator))
_PLAIN = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    Path: "a path",
    Any: "any value",
    type(None): "null",
    datetime: "a date with time",
    AwareDatetime: "a date with time and time zone, such as 2026-03-31T23:59:00+00:00",
}
_BOUNDS = {at.Ge: ("ge", ">="), at.Gt: ("gt", ">"), at.Le: ("le", "<="), at.Lt: ("lt", "<")}


def words(annotation: Any, constraints: Iterable[Any] = ()) -> str:
    """What a value of this type looks like.

    >>> words(int, [at.Ge(1)])
    'an integer >= 1'
    >>> words(Literal["mean", "last"] | None)
    'one of mean, last; or null'
    """
    annotation, constraints = _unwrapped(annotation, constraints)
    if _PART in constraints:
        return "a name, or {name: ..., option: ...}"
    origin, arguments = _origin(annotation), get_args(annotation)
    if origin is Literal:
        names = ", ".join(str(choice) for choice in arguments)
        return f"one of {names}" if len(arguments) > 1 else names
    if origin in (Union, types.UnionType):
        return _one_of(
            [words(argument, _bounding(argument, constraints)) for argument in arguments]
        )
    if origin in (tuple, list, frozenset, set):
        return f"a list, each {words(arguments[0])}{_bounds(constraints)}"
    if origin is dict:
        names = f" ({', '.join(get_args(arguments[0]))})" if choices_of((arguments[0], ())) else ""
        return f"keys{names}{_bounds(constraints)}, each with {words(arguments[1])}"
    if is_section(annotation):
        return f"keys ({', '.join(annotation.model_fields)})"
    return _PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation))) + _bounds(
        constraints
    )


def field_at(kind: type[Section], path: KeyPath) -> Field | None:
    """The field that a path of keys and places leads to; None if there is none."""
    field: Field | None = (kind, ())
    for key in path:
        field = None if field is None else _child(field, key)
    return field


def section_at(kind: type[Section], path: KeyPath) -> type[Section] | None:
    """The section at the path, also inside a union; None if something else is there."""
    field = field_at(kind, path)
    found = [branch for branch, _ in _branches(*field)] if field is not None else []
    return next((branch for branch in found if is_section(branch)), None)


def sections_below(kind: type[Section], prefix: str = "") -> Iterator[tuple[str, type[Section]]]:
    """The section and all below it, each with what stands before its keys.

    Keys below a list or a mapping of sections stand behind a place N or a NAME.
    """
    yield prefix, kind
    for name, field in kind.model_fields.items():
        section, place = _opened(field)
        if section is not None:
            yield from sections_below(section, f"{prefix}{name}{place}.")


def suggest_key(kind: type[Section], path: KeyPath) -> str:
    """The dotted key that was probably meant, or "".

    The nearest key of the same section comes first, then the same word in another section.
    """
    section = section_at(kind, path[:-1])
    name = str(path[-1])
    if section is not None:
        near = nearest(name, section.model_fields)
        if near:
            return ".".join(map(str, (*path[:-1], near)))
    same = [prefix + name for prefix, below in sections_below(kind) if name in below.model_fields]
    return min(same, key=lambda key: key.count("."), default="")


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice most like `word`, or "" if none is alike.

    >>> nearest("epocs", ["lr", "epochs"])
    'epochs'
    """
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return near[0] if near else ""


def choices_of(field: Field) -> list[str]:
    """The words that a field takes, where it takes certain words."""
    return [
        str(choice)
        for branch, _ in _branches(*field)
        if _origin(branch) is Literal
        for choice in get_args(branch)
    ]


def _origin(annotation: Any) -> Any:
    return get_origin(annotation)


def is_section(annotation: Any) -> TypeGuard[type[Section]]:
    """Whether the annotation is a class of `Section`."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _opened(field: FieldInfo) -> tuple[type[Section] | None, str]:
    """The section that a field holds, and what stands between its key and theirs."""
    for branch, _ in _branches(field.annotation, ()):
        arguments = [item for item, _ in (_unwrapped(a, ()) for a in get_args(branch))]
        if is_section(branch):
            return branch, ""
        for item in arguments:
            if is_section(item):
                return item, ".NAME" if _origin(branch) is dict else ".N"
    return None, ""


def _unwrapped(annotation: Any, constraints: Iterable[Any]) -> Field:
    constraints = tuple(constraints)
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        constraints = (*constraints, *more)
    return annotation, constraints


def _branches(annotation: Any, constraints: Iterable[Any]) -> list[Field]:
    annotation, constraints = _unwrapped(annotation, constraints)
    if get_origin(annotation) in (Union, types.UnionType):
        return [_unwrapped(branch, ()) for branch in get_args(annotation)]
    return [(annotation, tuple(constraints))]


def _child(field: Field, key: str | int) -> Field | None:
    for branch, _ in _branches(*field):
        origin, arguments = _origin(branch), get_args(branch)
        if is_section(branch) and key in branch.model_fields:
            info = branch.model_fields[key]
            return info.annotation, tuple(info.metadata)
        if origin is dict and isinstance(key, str):
            return _unwrapped(arguments[1], ())
        if origin in (tuple, list) and isinstance(key, int):
            is_fixed = origin is tuple and arguments[-1] is not Ellipsis
            place = key if is_fixed and key < len(arguments) else 0
            return _unwrapped(arguments[place], ())
    return None


def _bounding(branch: Any, constraints: Iterable[Any]) -> tuple[Any, ...]:
    return () if branch is type(None) or _origin(branch) is Literal else tuple(constraints)


def _one_of(wanted: list[str]) -> str:
    return ", or ".join(wanted) if not any("," in text for text in wanted) else "; or ".join(wanted)


def _bounds(constraints: Iterable[Any]) -> str:
    numbers, lengths = [], ""
    for item in constraints:
        if type(item) in _BOUNDS:
            attribute, sign = _BOUNDS[type(item)]
            numbers.append(f"{sign} {getattr(item, attribute):g}")
        elif isinstance(item, at.MinLen):
            lengths += f", at least {item.min_length}"
        elif isinstance(item, at.MaxLen):
            lengths += f", at most {item.max_length}"
    return (" " + " and ".join(numbers) if numbers else "") + lengths
