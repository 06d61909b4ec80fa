"""Quotes in CSV text: what is outside them, where one is broken, where one comes too late."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence


def outside_quotes(text: str) -> str:
    """The characters of the first record that are not inside quotes."""
    bare, is_quoted = [], False
    for character in text:
        if character == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            if character in "\r\n":
                break
            bare.append(character)
    return "".join(bare)


def locate_broken_quote(text: str, delimiter: str, start: int) -> tuple[int, int]:
    """Where the quotes of the record that starts in line `start` go wrong.

    Returns:
        Line in which the last quoted cell opens, and line in which text follows its closing
        quote (the last line, if it never closes).
    """
    characters = "".join(physical_lines(text)[start - 1 :])
    opened, line, at_start, is_quoted = start, start, True, False
    for place, character in enumerate(characters):
        after = characters[place + 1 : place + 2]
        if character == '"' and is_quoted:
            is_quoted = False
            if after not in ('"', delimiter, "\r", "\n", ""):
                break
        elif character == '"' and (at_start or characters[place - 1] == '"'):
            opened, is_quoted = (line if at_start else opened), True
        at_start = not is_quoted and character in (delimiter, "\r", "\n")
        line += character == "\n" or (character == "\r" and after != "\n")
    return opened, line


def late_quotes(
    text: str, rows: Sequence[Sequence[str]], lines: Sequence[int], delimiter: str
) -> list[int]:
    """Lines of the records with a quote after blanks, as in `a, "b,c"`.

    Some programs read two cells there and others one, so neither reading is safe.

    Args:
        text: the file.
        rows: its records.
        lines: line in which each starts.
        delimiter: what stands between cells.
    """
    suspects = [
        place
        for place, row in enumerate(rows)
        if any(cell[:1] == " " and cell.lstrip(" ")[:1] == '"' for cell in row)
    ]
    physical = physical_lines(text) if suspects else []
    late = []
    for place in suspects:
        end = lines[place + 1] - 1 if place + 1 < len(lines) else len(physical)
        record = physical[lines[place] - 1 : end]
        skipping = next(csv.reader(record, delimiter=delimiter, skipinitialspace=True))
        # Where the blank is inside the quotes both readings agree up to blanks.
        if [cell.lstrip(" ") for cell in rows[place]] != [cell.lstrip(" ") for cell in skipping]:
            late.append(lines[place])
    return late


def physical_lines(text: str) -> list[str]:
    """The text's lines with their ends; LF, CR LF and CR end a line, as the csv module counts."""
    return list(io.StringIO(text, newline=""))
