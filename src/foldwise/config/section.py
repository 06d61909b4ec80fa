"""Section: a typed piece of a config file; Part: a name with options, bound by `foldwise.parts`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema


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
