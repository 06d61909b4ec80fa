"""The committed reference is what the code says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from foldwise.blending import BLENDS
from foldwise.cli import app
from foldwise.data.augment import AUGMENTS
from foldwise.losses import LOSSES
from foldwise.metrics import METRICS
from foldwise.reference import main, pages
from foldwise.stages.doctor import RULES

_FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"


def test_the_committed_pages_are_those_the_code_gives() -> None:
    expected = pages()
    there = {str(p.relative_to(_FOLDER)) for p in _FOLDER.rglob("*") if p.is_file()}
    assert there == set(expected)
    stale = [n for n, text in expected.items() if (_FOLDER / n).read_text("utf-8") != text]
    assert not stale, "run `make docs`"


def test_every_verb_with_every_option_is_in_the_commands() -> None:
    text = pages()["commands.md"]
    commands = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    ledger = commands.pop("ledger").commands
    commands |= {f"ledger {name}": command for name, command in ledger.items()}
    assert len(commands) >= 15
    for name, command in commands.items():
        section = text.split(f"## `foldwise {name}`\n")[1].split("\n## ")[0]
        for parameter in command.params:
            assert (parameter.opts[0] if parameter.opts[0][0] == "-" else "|") in section
            assert parameter.help in section


def test_every_part_is_there_with_its_options() -> None:
    text = pages()["parts.md"]
    for name in [*METRICS, *LOSSES, *AUGMENTS, *BLENDS]:
        assert f"| `{name}` |" in text
    assert "| `label_smoothing` = `0.0` (a number >= 0 and < 1) |" in text
    assert "| `scale` = `[0.6, 1.0]` (a list, each a number);" in text


def test_every_rule_of_the_doctor_is_there_with_its_sentence() -> None:
    text = pages()["doctor.md"]
    for table in RULES.values():
        for rule, find in table.items():
            assert f"| `{rule}` | {find.__doc__} |" in text


def test_schemas_are_json_and_pages_are_written_to_the_folder_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["reference", str(tmp_path)])
    main()
    for name in ("competition", "recipe", "plan"):
        schema = json.loads((tmp_path / "schema" / f"{name}.json").read_text("utf-8"))
        assert schema["properties"]
