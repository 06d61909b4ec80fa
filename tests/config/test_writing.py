"""What is written reads back the same, with its comments; fingerprints and differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from foldwise.config.loading import load
from foldwise.config.nodes import plain
from foldwise.config.reading import parse
from foldwise.config.writing import difference, dump, fingerprint, in_flow, to_yaml, write_yaml
from foldwise.errors import ConfigError

from .tree import ModelTree, Tree

TREE = Tree(
    title="no: #1",
    model=ModelTree(
        name="resnet18", pretrained="package:weights", options={"a b": [1, {"c": None}]}
    ),
    loss={"name": "focal", "gamma": 1.5},
    augment=("hflip", {"name": "crop", "scale": [0.5, 1.0]}),
    classes=("007", "no", "true", "a, b", "- x", "ä", ""),
    folds=(0, 1),
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
WORDS = st.text("ab 01.:-+e#,'\"[]{}&*!|>%@`~?=\n\t/\\", max_size=8) | TEXT
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.sampled_from(["null", "~", "true", "1e3", ".inf", ".nan", "0x1", "<<", "no", "-", "?"]),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(WORDS.filter(bool), below, max_size=3)
    ),
    max_leaves=10,
)


def test_a_section_written_is_loaded_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    write_yaml(path, TREE)
    assert load(path, Tree) == TREE


@given(st.dictionaries(WORDS.filter(bool), VALUES, max_size=4))
@settings(max_examples=150, deadline=None)
def test_all_values_written_are_read_the_same(values: dict[str, Any]) -> None:
    found: list[Any] = []
    text = to_yaml(values)
    node = parse(text, "t", found)
    assert not found
    assert node is not None
    assert plain(node) == values


@pytest.mark.parametrize(
    "text",
    [
        *("a: b", "a:", ":a", "a :b", "a #b", "#a", "- a", "-", "?", "? a", "a, b", "[a]", "{a}"),
        *("a\nb", " a", "a ", "", "'a'", '"a"', "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`"),
        *(
            "null",
            "~",
            "true",
            "1",
            "1e3",
            ".5",
            "0x1",
            ".nan",
            ".inf",
            "<<",
            "---",
            "...",
            "=",
            "\\",
        ),
        *(
            "no",
            "07:00",
            "2026-01-01",
            "a/b.png",
            "package:name",
            "\x85",
            "\u2028",
            "\ufeff",
            "\x1b",
        ),
    ],
)
def test_each_trap_of_plain_text_reads_back(text: str) -> None:
    values = {"a": text, "b": [text], "c": {"name": text}, "d": {text or "x": 1}}
    node = parse(to_yaml(values), "t", [])
    assert node is not None
    assert plain(node) == values


def test_ruamel_reads_the_same(tmp_path: Path) -> None:
    assert YAML(typ="safe", pure=True).load(to_yaml(TREE)) == dump(TREE)


def test_comments_stand_beside_short_lines_and_above_long_ones() -> None:
    text = to_yaml(
        {"title": "x", "model": {"name": "a", "drop": 0.5}, "train": {"epochs": 3, "ema": None}},
        comments={
            "": "Head.\n\nMore.",
            "title": "short",
            "model.name": "opens the part",
            "train": "above",
            "train.epochs": "word " * 25,
        },
    )
    assert text == (
        "# Head.\n#\n# More.\n"
        "title: x  # short\n"
        "model:\n  name: a  # opens the part\n  drop: 0.5\n"
        "# above\ntrain:\n"
        f"  # {' '.join(['word'] * 19)}\n  # {' '.join(['word'] * 6)}\n"
        "  epochs: 3\n  ema: null\n"
    )


def test_long_lists_stand_a_line_an_item() -> None:
    assert (
        to_yaml({"classes": ["a" * 60, "b" * 60]}) == f"classes:\n  - {'a' * 60}\n  - {'b' * 60}\n"
    )


def test_a_file_that_is_there_is_kept_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_yaml(path, TREE)
    assert path.read_text() == "mine"
    write_yaml(path, TREE, overwrite=True)
    assert load(path, Tree) == TREE


def test_the_fingerprint_follows_the_values_and_not_their_order() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5})
    assert fingerprint([1, 2]) != fingerprint([2, 1])
    assert fingerprint(TREE) == fingerprint(dump(TREE))
    # Written down once: a fingerprint stored in a run must stay what it was.
    assert fingerprint({"lr": 0.001, "name": "ä"}) == "d5ecdbf390696df7"


def test_a_fingerprint_of_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        fingerprint({"a": float("nan")})


def test_differences_name_key_old_and_new() -> None:
    old = {"train": {"lr": 1e-3, "ema": None}, "loss": {"name": "focal", "gamma": 1}, "gone": [1]}
    new = {"train": {"lr": 3e-4, "ema": None}, "loss": {"name": "focal", "gamma": 2}, "new": "x"}
    assert difference(old, new) == [
        "train.lr: 0.001 -> 0.0003",
        "loss.gamma: 1 -> 2",
        "gone: [1] -> (absent)",
        "new: (absent) -> x",
    ]
    assert difference({"loss": "bce"}, {"loss": {"name": "focal", "gamma": 2}}) == [
        "loss: bce -> {name: focal, gamma: 2}"
    ]
    assert difference({"loss": {"name": "a", "x": 1}}, {"loss": {"name": "b"}}) == [
        "loss: {name: a, x: 1} -> {name: b}"
    ]


def test_equal_sections_do_not_differ_and_types_count() -> None:
    assert difference(TREE, dump(TREE)) == []
    assert difference({"a": True}, {"a": 1}) == ["a: true -> 1"]


def test_a_title_does_not_make_the_whole_file_one_part() -> None:
    assert difference({"name": "a", "x": 1}, {"name": "b", "x": 1}) == ["name: a -> b"]


def test_in_flow_is_one_line() -> None:
    assert (
        in_flow({"name": "crop", "p": 0.5, "size": (1, 2)}) == "{name: crop, p: 0.5, size: [1, 2]}"
    )
