"""H3: no code from YAML, no bombs, no second meaning; every refusal names file and line."""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from foldwise.config import reading
from foldwise.config.loading import load
from foldwise.config.nodes import Problem, plain
from foldwise.config.reading import MAX_BYTES, parse, resolve
from foldwise.errors import ConfigError

from .tree import Tree

TAGS = [
    "!!python/object/apply:os.system ['touch CANARY']",
    "!!python/object/apply:os.system [touch CANARY]",
    "!!python/object/new:os.system [touch CANARY]",
    "!!python/object/apply:subprocess.Popen [[touch, CANARY]]",
    '!!python/object/apply:builtins.eval [\'open("CANARY", "w")\']',
    '!!python/object/apply:builtins.exec [\'open("CANARY", "w")\']',
    "!!python/name:os.system ''",
    "!!python/module:os ''",
    "!!python/object:pathlib.Path {}",
    "!!python/tuple [1, 2]",
    "!!binary aGFsbG8=",
    "!!timestamp 2026-01-01",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!str 5",
    "!!int '5'",
    "!!float 1",
    "!!map {}",
    "!!seq []",
    "!!merge '<<'",
    "! plain",
    "!local value",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch CANARY']",
    "!include other.yaml",
    "!env HOME",
]
PLACES = [
    "title: {}",
    "train: {{until: {}}}",
    "classes: [{}]",
    "loss: {{name: {}}}",
    "blends: {}",
    "train: {{optimizer: {{name: a, x: [[{}]]}}}}",
]
BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MODEL = "model: {name: a}\n"
#: Text and what the refusal has to say; `MODEL` stands before those that would be right with it.
SYNTAX: list[tuple[str, str]] = [
    *(
        (MODEL + text, "not valid YAML")
        for text in (
            "train: {epochs: 1",
            "train: [1, 2",
            "title: 'open",
            'title: "open',
            'title: "\\q"',
            "train:\n\tepochs: 1",
            "train:\n  epochs: 1\n ema: 0.5",
            "title: a: b",
            "title: @x",
            "title: `x`",
            "title: %x",
            "- a\n- b",
        )
    ),
    *(
        (MODEL + text, "given twice")
        for text in (
            "title: x\ntitle: x",
            "title: x\n'title': x",
            "train: {epochs: 1, epochs: 1}",
            "train:\n  epochs: 1\ntrain:\n  epochs: 1",
            "model: {name: a}",
            "prior: {a: 0.5, a: 0.5}",
        )
    ),
    *((MODEL + text, "anchor &x is refused") for text in ("title: &x y", "&x title: y")),
    *((MODEL + text, "anchor &x is refused") for text in ("classes: &x [a]", "blends: &x {}")),
    ("&x\n" + MODEL, "anchor &x is refused"),
    *((MODEL + text, "alias *x is refused") for text in ("title: *x", "classes: [*x]", "*x : y")),
    *((MODEL + text, "merge keys are refused") for text in ("<<: {title: x}", "train: {<<: {}}")),
    *(
        (MODEL + f"train: {{ema: {text}}}", "wanted a finite number")
        for text in (".nan", ".NaN", ".inf", "-.Inf", "+.INF", "1e999", "-1e999")
    ),
    *(
        (MODEL + f"model2: {{x: {text}}}", "wanted a finite number")
        for text in (".nan", ".inf", "1e400")
    ),
    (MODEL + "train: {epochs: " + "9" * 5000 + "}", "an integer of 5000 digits"),
    (MODEL + "train: {epochs: 0x" + "f" * 5000 + "}", "an integer of 5002 digits"),
    *(
        (MODEL + f"title: a{character}b", "unprintable character")
        for character in "\x01\x08\x0b\x1b\x7f\x85\u2028\u2029\ufffe\uffff"
    ),
    *((MODEL + f'title: "a{text}"', "take it out") for text in ("\\0", "\\ud800", "\\uDFFF x")),
    *((MODEL + f'prior: {{"{key}": 1}}', "wanted a word") for key in ("", "\\0", "\\ud800")),
    *((MODEL + text, "a key that is not a word") for text in ("? [a, b]\n: 1", "? {a: 1}\n: 1")),
    *((MODEL + text, "wanted a word") for text in (": 1", "? \n: 1")),
    *((text, "wanted keys with values") for text in ("- a\n- b", "just words", "42", "[a]", "'a'")),
    ("{a, b: }: 1", "a key that is not a word"),
    (MODEL + "---\ntitle: y", "a second document"),
    (MODEL + "...\n---\n", "a second document"),
    ("%YAML 9.9\n---\n" + MODEL, "not valid YAML"),
    ("%TAG ! tag:evil,2026:\n---\nmodel: !x {name: a}", "is refused"),
    *(
        (text * 60 + "x", "nested more than 50 levels deep")
        for text in ("[", "- ", "{a: ", "? ", "[[", "- - ")
    ),
    ("[" * 99_000, "nested more than 50 levels deep"),
    ("".join(" " * i + "a:\n" for i in range(60)), "nested more than 50 levels deep"),
    (MODEL + "title: " + "x" * 100_001, "a line of 100008 characters"),
    (MODEL + "title: " + "!" * 90_000, "is refused"),
    (BOMB, "is refused"),
    (MODEL + "# " + "x" * MAX_BYTES, "larger than"),
    (MODEL + "\n" * MAX_BYTES, "larger than"),
]
BYTES: list[tuple[bytes, str]] = [
    (b"\xff\xfem\0o\0d\0", "byte 0 is not UTF-8"),
    (b"\xfe\xff\0m", "byte 0 is not UTF-8"),
    (MODEL.encode() + "title: é".encode("latin-1"), "byte 24 is not UTF-8"),
    (MODEL.encode() + b"title: \xc0\xaf", "byte 24 is not UTF-8"),
    (MODEL.encode() + b"title: \xed\xa0\x80", "byte 24 is not UTF-8"),
    (MODEL.encode() + b"title: x\0y", "unprintable character"),
    (b"\x80\x04\x95pickle", "byte 0 is not UTF-8"),
    (b"PK\x03\x04\x14\0", "unprintable character"),
    (b"\x1f\x8b\x08\0", "is not UTF-8"),
]
WRONG_VALUES: dict[str, list[str]] = {
    "title": ["[a]", "{a: 1}", "null"],
    "model": ["resnet18", "[a]", "null", "3", "{}", "{name: }", "{name: [a]}", "{name: a, nme: b}"],
    "input.size": ["x", "1.5", "7", "null", "[8]", "'224'", "true", "1e3", "8px", "0o10x", "1_000"],
    "input.fit": ["crop", "1", "null", "[pad]", "{pad: 1}", "Pad"],
    "input.mean": ["0.5", "[1]", "[1, 2, 3, 4]", "[a, b, c]", "{r: 1}", "null", "[1, 2, null]"],
    "loss": ["[]", "{}", "{gamma: 1}", "{name: }", "{name: 3}", "''", "{name: ''}", "[focal]"],
    "augment": ["hflip", "{name: crop}", "[{}]", "[null]", "[[a]]", "['']", "null", "[{p: 1}]"],
    "classes": ["a", "{a: 1}", "[[a]]", "[null]", "null", "[{a: 1}]"],
    "prior": ["even", "{a: x}", "[0.5]", "null", "{a: null}", "0.5", "{a: '0.5'}"],
    "train.epochs": ["0", "-1", "1.0", "ten", "yes", "null", "[1]", "'1'", "1 000", "1,000", "∞"],
    "train.batch_size": ["0", "4097", "32.0", "x", "true", "{a: 1}", "99999999999999999999999"],
    "train.learning_rate": ["0", "-1e-3", "fast", "null", "[1]", "'1e-3'", "1e-3x", "0,001", "--1"],
    "train.optimizer": ["null", "[]", "{lr: 1}", "''"],
    "train.ema": ["0", "1", "2", "x", "[0.5]", "'0.5'", "true"],
    "train.stages": [
        "1",
        "[1]",
        "[{}]",
        "{epochs: 1}",
        "[{epochs: 0}]",
        "[{epochs: 1, x: 1}]",
        "null",
    ],
    "train.deterministic": ["yes", "on", "1", "0", "'true'", "null", "y", "[true]", "no", "off"],
    "train.until": ["[a]", "{a: 1}"],
    "folds": ["some", "1", "[a]", "[1.5]", "{a: 1}", "null", "['1']", "[true]"],
    "deadline": ["tomorrow", "2026-13-01", "2026-01-01T00:00:00", "[a]", "true", "{a: 1}"],
    "blends": [
        "[a]",
        "a",
        "{a: 1}",
        "{a: {}}",
        "{a: {epochs: 0}}",
        "null",
        "{a: {epochs: 1, b: 1}}",
    ],
    "nonsense": ["1", "null", "{}", "[]"],
}


def _in_place(key: str, value: str) -> str:
    *sections, name = key.split(".")
    line = f"{'  ' * len(sections)}{name}: {value}\n"
    head = "" if key == "model" else "model: {name: a}\n"
    return head + "".join(f"{section}:\n" for section in sections) + line


HOSTILE: list[tuple[bytes, str]] = [
    *(
        (f"{MODEL}{p.format(t)}\n".encode(), "is refused")
        for t, p in itertools.product(TAGS, PLACES)
    ),
    *((text.encode(), message) for text, message in SYNTAX),
    *BYTES,
    *((_in_place(k, v).encode(), f": {k}") for k, values in WRONG_VALUES.items() for v in values),
]


def test_hostile_and_wrong_files_are_all_refused_and_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, refused, slowest = Path("h.yaml"), 0, 0.0
    for data, message in HOSTILE:
        path.write_bytes(data)
        start = time.process_time()
        with pytest.raises(ConfigError) as caught:
            load(path, Tree)
        slowest = max(slowest, time.process_time() - start)
        assert message in str(caught.value), data[:80]
        assert caught.value.problems[0].startswith("h.yaml:"), data[:80]
        assert len(str(caught.value)) < 50_000
        refused += 1
    strays = [name for name in os.listdir(tmp_path) if name != "h.yaml"]
    print(f"hostile files planned {len(HOSTILE)}, refused {refused}, canaries {len(strays)}")
    print(f"slowest {slowest:.1f} s")
    assert refused >= 300
    assert strays == []
    assert slowest < 10


@pytest.mark.parametrize("key", [key for key in WRONG_VALUES if key != "nonsense"])
def test_each_wrong_value_names_its_line_and_key(tmp_path: Path, key: str) -> None:
    path = tmp_path / "w.yaml"
    for value in WRONG_VALUES[key]:
        text = _in_place(key, value)
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(path, Tree)
        assert len(caught.value.problems) <= 3
        for problem in caught.value.problems:
            assert problem.startswith(f"{path}:{text.count(chr(10))}: {key}"), problem


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    for name in ("gone.yaml", ".", "fifo.yaml", "a\0b.yaml"):
        with pytest.raises(ConfigError, match=r"cannot be read|not a file"):
            load(tmp_path / name, Tree)


def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_NODES", 1000)
    found: list[Problem] = []
    assert parse("a: [\n" + "1,\n" * 2000 + "]", "t", found, first_line=1) is None
    assert [str(problem) for problem in found] == ["t:999: more than 1000 values"]


def test_a_duplicate_key_names_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text("model: {name: a}\ntrain:\n  epochs: 1\n  ema: 0.5\n  epochs: 2\n")
    with pytest.raises(
        ConfigError, match=r"d\.yaml:5: train\.epochs: given twice, first in line 3"
    ):
        load(path, Tree)


def test_a_mark_and_crlf_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbfmodel: {name: a}\r\ntrain:\r\n  epochs: 3\r\n")
    assert load(path, Tree).train.epochs == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, text) for text in ("no", "yes", "on", "off", "y", "N", "07:00", "1:30", "1_000")),
        *((text, text) for text in ("nul", "0b1", "0o8", "1e", "e5", ".", "+", "2026-01-01", "=")),
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        ("False", False),
        ("007", 7),
        ("-0", 0),
        ("+12", 12),
        ("0o17", 15),
        ("0xFf", 255),
        ("1e-3", 1e-3),
        ("1E3", 1e3),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("+1.5e+2", 150.0),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"])),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.text("abc d", min_size=1, max_size=5), below, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_json_is_yaml_with_the_same_meaning(value: Any) -> None:
    found: list[Problem] = []
    node = parse(json.dumps({"top": value}, indent=1, ensure_ascii=False), "t", found)
    assert not found
    assert node is not None
    assert plain(node) == {"top": value}


def test_ruamels_own_resolver_agrees_on_numbers() -> None:
    """Beyond YAML 1.2 it knows underscores, dates, `0b1`, signs before `0x`; not `.5e1`."""
    yaml = YAML(typ="safe", pure=True)
    words = [
        "".join(word) for num in (1, 2, 3, 4) for word in itertools.product("01.e-+", repeat=num)
    ]
    words = [word for word in words if not re.fullmatch(r"-|---|\.{3}|[-+]?\.[01]+e[01]+", word)]
    theirs = yaml.load("".join(f"- {word}\n" for word in words))
    ours = [resolve(word) for word in words]
    assert [(type(value), value) for value in ours] == [(type(value), value) for value in theirs]
    assert sum(isinstance(value, float) for value in ours) > 100
