"""A section's keys for editors (JSON Schema) and for readers (a Markdown page)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from foldwise.config.describing import is_section, sections_below, words
from foldwise.config.section import Section
from foldwise.config.writing import in_flow


def json_schema(kind: type[Section]) -> dict[str, Any]:
    """The JSON Schema of the files that hold `kind`, `extends` included.

    Keys that must be there are not marked as required, because the extended file may give them;
    `load` reports what is missing.
    """
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_without_required(kind.model_json_schema(mode="validation")),
    }
    extends = {"type": "string", "description": "File whose keys this one changes."}
    schema["properties"] = {"extends": extends, **schema["properties"]}
    return schema


def reference_page(kind: type[Section], *, title: str) -> str:
    """Markdown: all keys with type, default and meaning, one table a section."""
    sections = [line for below in sections_below(kind) for line in _section(*below)]
    return "\n".join([f"# {title}", "", *sections])


def _section(prefix: str, kind: type[Section]) -> Iterator[str]:
    if prefix:
        yield from (f"## `{prefix[:-1]}`", "")
    yield from ((kind.__doc__ or "").strip().splitlines()[0], "")
    yield from ("| key | type | default | meaning |", "|---|---|---|---|")
    for name, field in kind.model_fields.items():
        key = prefix + name
        cells = [f"`{key}`", _type(key, field), _default(field), field.description or ""]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _type(key: str, field: FieldInfo) -> str:
    if is_section(field.annotation):
        return f"[section](#{key.replace('.', '')})"
    return words(field.annotation, field.metadata)


def _default(field: FieldInfo) -> str:
    if is_section(field.annotation):
        return "" if not field.is_required() else "required"
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    assert value is not PydanticUndefined
    return f"`{in_flow(_plain(value))}`"


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def _without_required(schema: Any) -> Any:
    if isinstance(schema, dict):
        is_open = schema.get("additionalProperties") is not False
        return {
            key: _without_required(item)
            for key, item in schema.items()
            if key != "required" or is_open
        }
    return [_without_required(item) for item in schema] if isinstance(schema, list) else schema
