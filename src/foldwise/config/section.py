"""Section: a typed piece of a config file; Part: a name with options, bound by `foldwise.parts`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from foldwise.rundir import NAME_RULE, is_name

T = TypeVar("T", bound=Hashable)


class Section(BaseModel):
    """Keys of a config file with type, default and one line of meaning each.

    Values are frozen, unknown keys are refused and defaults are checked like given values.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


def _named(value: str | dict[str, Any]) -> str | dict[str, Any]:
    name = value.get("name") if isinstance(value, dict) else value
    if not isinstance(name, str) or not name:
        raise ValueError("a part needs a name, as in {name: focal, gamma: 1.5}")
    return value


def distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """The values, of which each may stand there once.

    Raises:
        ValueError: one stands there twice.
    """
    twice = [str(value) for value in dict.fromkeys(values) if values.count(value) > 1]
    if twice:
        raise ValueError(f"{', '.join(twice)} stands there twice; name each once")
    return values


def _fit_for_a_folder(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"{name!r} is no name; {NAME_RULE}")
    return name


#: Name of a recipe, run or blend, which becomes a folder's.
Name = Annotated[str, AfterValidator(_fit_for_a_folder)]

#: `focal` or `{name: focal, gamma: 1.5}`; the options are checked by `foldwise.parts.bind`.
Part = Annotated[
    str | dict[str, Any],
    AfterValidator(_named),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string", "minLength": 1}},
                },
            ]
        }
    ),
]
