"""What is wrong with a single cell of a submission, in words that say what would do."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from foldwise.config.competition import Competition
from foldwise.tasks.task import Task

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+([eE][-+]?[0-9]+)?")
_PERCENT = re.compile(r"[-+]?[0-9.]+ ?%")
_MISSING = ("", "nan", "na", "n/a", "null", "none")


@dataclass(frozen=True)
class CellCheck:
    """A check of single cells.

    Attributes:
        is_right: whether a cell is; called for every one, so it is quick.
        problem: a wrong cell in words: found, wanted, fix.
    """

    is_right: Callable[[str], bool]
    problem: Callable[[str], str]


def cell_check(competition: Competition, task: Task) -> CellCheck:
    """The check of the cells beside the id, by what the competition asks for."""
    if competition.submission.gives == "scores" or not task.has_classes:
        return number_check(*_range(competition, task))
    if competition.columns.separator is not None:
        return labels_check(competition.classes, competition.columns.separator)
    is_flag = len(competition.columns.target) > 1
    return label_check(("0", "1") if is_flag else competition.classes)


def number_check(low: float, high: float) -> CellCheck:
    """Finite numbers in [low, high], with a point and without blanks.

    >>> number_check(0, 1).problem("0,5")
    "found '0,5', wanted a number: write the decimal comma as a point"
    """

    def is_right(cell: str) -> bool:
        return bool(_NUMBER.fullmatch(cell)) and low <= float(cell) <= high and _is_finite(cell)

    def problem(cell: str) -> str:
        if not _NUMBER.fullmatch(cell):
            return f"found {shown(cell)}, wanted a number{_number_fix(cell)}"
        if not _is_finite(cell):
            return f"found {cell}, wanted a finite number"
        return f"found {cell}, wanted a number in [{low:g}, {high:g}]"

    return CellCheck(is_right, problem)


def label_check(classes: tuple[str, ...]) -> CellCheck:
    """One of the classes.

    >>> label_check(("apple", "pear")).problem("aple")
    "found 'aple', wanted one of the 2 classes; did you mean 'apple'?"
    """
    wanted = f"one of the {len(classes)} classes" if classes != ("0", "1") else "0 or 1"
    return CellCheck(
        frozenset(classes).__contains__,
        lambda cell: f"found {shown(cell)}, wanted {wanted}{_near(cell, classes)}",
    )


def labels_check(classes: tuple[str, ...], separator: str) -> CellCheck:
    """Any classes, each once, with the separator between them; an empty cell is no label.

    >>> labels_check(("cat", "dog"), " ").problem("cat cat")
    "found label 'cat' twice, wanted each once"
    """
    known = frozenset(classes)

    def is_right(cell: str) -> bool:
        labels = cell.split(separator) if cell else []
        return known.issuperset(labels) and len(set(labels)) == len(labels)

    def problem(cell: str) -> str:
        labels = cell.split(separator)
        wrong = next((label for label in labels if label not in known), None)
        if wrong is None:
            twice = next(label for label in labels if labels.count(label) > 1)
            return f"found label {twice!r} twice, wanted each once"
        between = f"classes with {separator!r} between them"
        return f"found label {shown(wrong)}, wanted {between}{_near(wrong, classes)}"

    return CellCheck(is_right, problem)


def shown(cell: str) -> str:
    """A cell as messages show it.

    >>> shown("")
    'an empty cell'
    """
    if not cell:
        return "an empty cell"
    return repr(cell if len(cell) <= 60 else cell[:57] + "...")


def _range(competition: Competition, task: Task) -> tuple[float, float]:
    if not task.has_classes:
        return -math.inf, math.inf
    columns = task.columns(competition.classes, competition.columns.target)
    return 0.0, 1.0 if len(columns) > 1 else float(len(competition.classes) - 1)


def _is_finite(cell: str) -> bool:
    return math.isfinite(float(cell))


def _number_fix(cell: str) -> str:
    bare = cell.strip()
    if cell != bare and _NUMBER.fullmatch(bare):
        return ": take out the blanks around it"
    if bare.lower() in _MISSING:
        return ": every row needs one"
    if _COMMA.fullmatch(bare):
        return ": write the decimal comma as a point"
    if _PERCENT.fullmatch(bare):
        return ": write percent as a share, 50% as 0.5"
    return ""


def _near(cell: str, classes: tuple[str, ...]) -> str:
    folded = {name.strip().casefold(): name for name in classes}
    same = folded.get(cell.strip().casefold())
    if same is None and re.fullmatch(r"-?[0-9]+\.0*", cell):
        same = folded.get(cell.partition(".")[0])
    if same is None:
        near = difflib.get_close_matches(cell[:100], classes, n=1)
        same = near[0] if near else None
    return f"; did you mean {same!r}?" if same is not None else ""
