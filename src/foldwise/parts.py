"""Parts by name: an entry of a table or `module:attribute`, options checked before any work."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model

from foldwise.errors import ConfigError

Spec = str | Mapping[str, Any]


def name_of(spec: Spec) -> str:
    """The part's name in a spec: `focal` or `{name: focal, gamma: 1.5}`."""
    return spec if isinstance(spec, str) else str(spec["name"])


def options_of(spec: Spec) -> dict[str, Any]:
    """The options in a spec, without the name."""
    return {} if isinstance(spec, str) else {k: v for k, v in spec.items() if k != "name"}


def find(table: Mapping[str, Any], spec: Spec, *, what: str, code: Path | None = None) -> Any:
    """The table's entry, or the attribute that `module:attribute` names.

    Args:
        table: name to part.
        spec: name, or mapping with `name`.
        what: what the table holds, in the singular, for the message.
        code: folder of the competition's own code, searched first; None: a part of one's own
            cannot stand here.

    Raises:
        ConfigError: unknown name (nearest one suggested), or the user's code fails when imported:
            names its file and line.
    """
    name = name_of(spec)
    if name in table:
        return table[name]
    if ":" in name and code is not None:
        return _imported(name, what, code)
    near = difflib.get_close_matches(name, table, n=1, cutoff=0.5)
    raise ConfigError(
        f"{what} {name!r} is unknown" + (f"; did you mean {near[0]!r}?" if near else ""),
        remedy=f"known: {', '.join(sorted(table))}"
        + ("; or your own as module:attribute" if code is not None else ""),
    )


def bind(
    table: Mapping[str, Callable[..., Any]], spec: Spec, *, what: str, code: Path | None = None
) -> Callable[..., Any]:
    """The part with its options bound, checked against its signature.

    Keyword-only parameters are the options. A part that takes none comes back as it is.

    Raises:
        ConfigError: unknown part, unknown option, or a value of the wrong type.

    >>> bind({"power": lambda x, *, exponent=2: x**exponent}, "power", what="curve")(3)
    9
    """
    function = find(table, spec, what=what, code=code)
    options = checked_options(function, options_of(spec), what=f"{what} {name_of(spec)}")
    return partial(function, **options) if options else function


def checked_options(
    function: Callable[..., Any], options: Mapping[str, Any], *, what: str
) -> dict[str, Any]:
    """`options` converted to the types of the function's keyword-only parameters.

    Raises:
        ConfigError: all unknown names (with the nearest known one) and wrong values at once.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    problems = []
    for name in options:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {_listed(parameters)}"
            problems.append(f"{what}: unknown option {name!r}{hint}")
    hints = _hints(function)
    fields: dict[str, Any] = {
        name: (
            hints.get(name, Any),
            ... if parameter.default is inspect.Parameter.empty else parameter.default,
        )
        for name, parameter in parameters.items()
    }
    model = create_model(
        "Options", __config__=ConfigDict(extra="ignore", arbitrary_types_allowed=True), **fields
    )
    try:
        values = model(**options)
    except ValidationError as error:
        problems += [
            f"{what}: {'.'.join(map(str, e['loc']))}: {e['msg']}, found {e.get('input')!r}"
            for e in error.errors()
        ]
    if problems:
        raise ConfigError(*problems)
    return {name: getattr(values, name) for name in options}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return {}


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "no options"


def _imported(name: str, what: str, code: Path) -> Any:
    module_name, _, attribute = name.partition(":")
    if not all(map(str.isidentifier, [*module_name.split("."), attribute])):
        raise ConfigError(
            f"{what} {name!r} is no module:attribute",
            remedy=f"write a part of your own as mine:name, with mine.py in {code}",
        )
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise _import_error(f"{what} {name!r}", module_name, code, error) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        near = difflib.get_close_matches(attribute, dir(module), n=1)
        raise ConfigError(
            f"{what} {name!r}: {module_name} has no {attribute!r}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        ) from None


def _import_error(part: str, module: str, code: Path, error: Exception) -> ConfigError:
    """What is wrong with the user's module, and where in it."""
    if isinstance(error, ModuleNotFoundError) and error.name in (module, module.split(".")[0]):
        return ConfigError(f"{part}: {error}", remedy=f"put {module}.py into {code}")
    where = _line_in(code, error)
    kind = type(error).__name__
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    return ConfigError(
        f"{part}: {where}: {kind}: {reason}" if where else f"{part}: {kind}: {reason}",
        remedy="correct it there" if where else f"{module} cannot be imported",
    )


def _line_in(code: Path, error: Exception) -> str:
    """`file:line` of the user's code that an error came from last; empty if from none of it."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    folder = code.resolve()
    own = [
        (file, line)
        for file, line in places
        if Path(file).is_file() and Path(file).resolve().is_relative_to(folder)
    ]
    return f"{own[-1][0]}:{own[-1][1]}" if own else ""
