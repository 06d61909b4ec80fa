"""Whether a sample submission asks for masks, and in which form: ids, classes and cells of runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from foldwise.collecting import end_in_classes, split_suffix
from foldwise.masks.text import EMPTY_CELLS
from foldwise.masks.words import RUNS_WORDS
from foldwise.stages.proposing.words import has_word
from foldwise.tables import Table
from foldwise.tasks.labels import natural_order

_RUNS = re.compile(r"\s*\d+(\s+\d+)+\s*")
#: So many classes at most: what has more is no column of classes.
MOST_CLASSES = 300
_NUM_LOOKED = 20_000
#: Numbers of a box: two corners, or all four.
_MOST_OF_BOXES = 8


@dataclass(frozen=True)
class AskedMasks:
    """What a sample submission asks for.

    Attributes:
        names: the samples, each once, in order.
        values: what classes are called there; empty where there is but one mask a sample.
        columns: columns of runs, one for each class where there are several.
        reason: how it was told.
    """

    names: tuple[str, ...]
    values: tuple[str, ...]
    columns: tuple[str, ...]
    reason: str


def find_asked_masks(
    sample: Table | None, test: Table | None, train_runs: Collection[str] = ()
) -> AskedMasks | None:
    """The form of a sample submission of masks; None: there is none, or it asks for something else.

    Args:
        sample: the sample submission.
        test: the test table, if it is another one.
        train_runs: columns of train that hold runs.
    """
    if sample is None or len(sample.frame.columns) < 2:
        return None
    header = [str(name) for name in sample.frame.columns]
    cells = {name: [str(cell) for cell in sample.frame[name]] for name in header}
    runs = [name for name in header[1:] if _shows_runs(name, cells[name], train_runs)]
    if not runs:
        return None
    names, rest = cells[header[0]], [name for name in header[1:] if name not in runs]
    known = _columns(test)
    if len(runs) == len(header) - 1 == 1 and not any(set(names) <= each for each in known):
        values = natural_order([split_suffix(name)[1] for name in names])
        if len(values) <= MOST_CLASSES and end_in_classes(names, values):
            stems = tuple(dict.fromkeys(split_suffix(name)[0] for name in names))
            return AskedMasks(stems, values, (runs[0],), f"its ids end in {_listed(values)}")
    if len(runs) == 1 and len(rest) == 1 and len(set(cells[rest[0]])) <= MOST_CLASSES:
        values = natural_order(cells[rest[0]])
        stems = tuple(dict.fromkeys(names))
        return AskedMasks(stems, values, (runs[0],), f"its column {rest[0]} names classes")
    if rest:
        return None
    stems = tuple(dict.fromkeys(names))
    if len(runs) == 1:
        return AskedMasks(stems, (), tuple(runs), f"its column {runs[0]} holds runs")
    return AskedMasks(stems, tuple(runs), tuple(runs), "it has a column of runs for each class")


def holds_runs(name: str, cells: Sequence[str]) -> bool:
    """Whether a column holds masks as runs.

    A few cells may be wrong: they are refused by row when masks are read. Cells that all have
    the same small count of numbers, as boxes have, need a name that says so.
    """
    spread = cells[:: max(1, len(cells) // _NUM_LOOKED)]
    looked_at = [cell for cell in spread if cell.strip() not in EMPTY_CELLS]
    fitting = [cell for cell in looked_at if _RUNS.fullmatch(cell)]
    if not fitting or len(fitting) < 0.9 * len(looked_at):
        return False
    counts = {len(cell.split()) for cell in fitting}
    return has_word(name, RUNS_WORDS) or len(counts) > 1 or max(counts) > _MOST_OF_BOXES


def _shows_runs(name: str, cells: Sequence[str], train_runs: Collection[str]) -> bool:
    """As `holds_runs`, of a column of examples, which may all be empty."""
    if any(cell.strip() not in EMPTY_CELLS for cell in cells):
        return holds_runs(name, cells)
    return has_word(name, RUNS_WORDS) or name in train_runs or "1 0" in cells


def _columns(test: Table | None) -> list[set[str]]:
    """The cells of each column that may name samples."""
    if test is None:
        return []
    return [set(map(str, test.frame[name])) for name in test.frame.columns]


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values) if len(values) <= 6 else f"{values[0]} to {values[-1]}"
