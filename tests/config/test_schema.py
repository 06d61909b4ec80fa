"""The schema for editors and the reference for readers tell what the sections hold."""

from __future__ import annotations

import json

from foldwise.config.describing import sections_below
from foldwise.config.schema import json_schema, reference_page

from .tree import Tree


def test_the_reference_has_a_row_for_every_key_at_every_depth() -> None:
    page = reference_page(Tree, title="Recipe")
    keys = [prefix + name for prefix, s in sections_below(Tree) for name in s.model_fields]
    assert len(keys) == len(set(keys)) > 30
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == keys
    assert "train.stages.N.start_lr" in keys
    assert "blends.NAME.epochs" in keys
    assert page.startswith("# Recipe\n\nThe whole file.\n")


def test_a_row_tells_type_default_and_meaning() -> None:
    rows = reference_page(Tree, title="Recipe").splitlines()
    assert "| `input.size` | an integer >= 8 | `224` | Side in pixels. |" in rows
    assert "| `model.name` | text | required | Its name. |" in rows
    assert "| `input.fit` | one of stretch, pad | `stretch` | Shape rule. |" in rows
    assert "| `train.ema` | a number > 0 and < 1, or null | `null` | Average. |" in rows
    assert "| `train` | [section](#train) |  | How it is trained. |" in rows
    assert all(row.count(" | ") == 3 for row in rows if row.startswith("| `"))


def test_the_schema_is_json_knows_extends_and_refuses_unknown_keys() -> None:
    schema = json.loads(json.dumps(json_schema(Tree)))
    assert next(iter(schema["properties"])) == "extends"
    assert schema["additionalProperties"] is False
    assert schema["properties"]["title"]["description"] == "Shown in the report."
    definitions = schema["$defs"]
    assert definitions["TrainTree"]["additionalProperties"] is False
    assert definitions["TrainTree"]["properties"]["epochs"]["minimum"] == 1


def test_the_schema_asks_for_a_parts_name_and_for_no_key_that_a_base_may_give() -> None:
    schema = json_schema(Tree)
    assert "required" not in schema
    assert "required" not in schema["$defs"]["ModelTree"]
    part = schema["$defs"]["TrainTree"]["properties"]["optimizer"]["anyOf"]
    assert part[1]["required"] == ["name"]
