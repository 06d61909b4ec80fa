"""A finding of the doctor, and how rules come to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from foldwise.errors import FoldwiseError
from foldwise.stages.recipes import Places

Level = Literal["error", "warning"]
C = TypeVar("C")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or will disappoint.

    Attributes:
        rule: id of the rule that found it.
        level: an error cannot be honoured or fails; a warning costs score, time or honesty.
        recipe: name; "" for competition and plan.
        message: what is wrong and what was found.
        remedy: what would do.
        where: `file:line` of the key, or the file.
    """

    rule: str
    level: Level
    recipe: str
    message: str
    remedy: str = ""
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else f"{self.recipe}: " if self.recipe else ""
        # The loader's sentences begin with their place.
        place = "" if self.message.startswith(place) else place
        return f"{place}{self.message}" + (f" ({self.remedy})" if self.remedy else "")


@dataclass(frozen=True)
class Fault:
    """What a rule yields: a finding that does not know its rule, file and line yet.

    Attributes:
        level: of the finding.
        key: dotted key it is about, such as `train.min_lr`; "": the whole file.
        message: what is wrong; the key is put before it.
        remedy: what would do.
    """

    level: Level
    key: str
    message: str
    remedy: str = ""


def error(key: str, message: str, remedy: str = "") -> Fault:
    """A fault that fails or cannot be honoured."""
    return Fault("error", key, message, remedy)


def warning(key: str, message: str, remedy: str = "") -> Fault:
    """A fault that costs score, time or honesty."""
    return Fault("warning", key, message, remedy)


def apply_rules(
    rules: Mapping[str, Callable[[C], Iterable[Fault]]],
    case: C,
    *,
    places: Places,
    recipe: str = "",
) -> Iterator[Finding]:
    """What the rules find in a case, in the rules' order.

    Args:
        rules: id → rule.
        case: what they look at.
        places: where keys stand.
        recipe: name of the recipe.
    """
    for rule, find in rules.items():
        for fault in find(case):
            text = f"{fault.key}: {fault.message}" if fault.key else fault.message
            yield Finding(rule, fault.level, recipe, text, fault.remedy, places.of(fault.key))


def from_error(
    problem: FoldwiseError, rule: str, *, recipe: str = "", where: str = ""
) -> list[Finding]:
    """What a loader or binder raised, as a finding for each of its problems."""
    last = len(problem.problems) - 1
    return [
        Finding(rule, "error", recipe, text, problem.remedy if index == last else "", where)
        for index, text in enumerate(problem.problems)
    ]
