from __future__ import annotations

import json
import re

import pytest

from foldwise.data.spec import THUMB, CacheSpec


def test_keys_are_readable_and_differ_with_every_field() -> None:
    specs = [
        CacheSpec(256),
        CacheSpec(258),
        CacheSpec(256, "pad"),
        CacheSpec(256, channels=1),
        CacheSpec(256, store="jpeg"),
        CacheSpec.make(256, steps=["grey"]),
        CacheSpec.make(256, steps=["ben", "grey"]),
        CacheSpec.make(256, steps=["grey", "ben"]),
        CacheSpec.make(256, steps=[{"name": "ben", "weight": 3}]),
        THUMB,
    ]
    keys = [spec.key for spec in specs]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"\d+-[a-z_]+-\dc-[0-9a-f]{8}", key) for key in keys)
    assert keys[0].startswith("256-stretch-3c-")


def test_an_option_at_its_default_is_the_same_cache() -> None:
    named = CacheSpec.make(256, steps=["ben"])
    assert named == CacheSpec.make(256, steps=[{"name": "ben", "weight": 4}])


@pytest.mark.parametrize("steps", [[], ["crop_border", {"name": "ben", "sigma": 9}]])
def test_specs_survive_json(steps: list[object]) -> None:
    spec = CacheSpec.make(64, "shorter_side", 1, steps=steps, store="jpeg")
    again = CacheSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.key == spec.key
