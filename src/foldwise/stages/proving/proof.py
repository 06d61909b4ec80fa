"""What a pack's proof found, check by check, as JSON and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foldwise.publish import publish_json, publish_text


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes:
        what: was to hold.
        passed: whether it does; None: it could not be tried here.
        detail: what was seen, or why it could not be tried.
    """

    what: str
    passed: bool | None
    detail: str


@dataclass(frozen=True)
class Proof:
    """All checks of a pack.

    Attributes:
        checks: in the order they were made.
        facts: of the machine and the pack.
    """

    checks: tuple[Check, ...]
    facts: dict[str, Any]

    @property
    def holds(self) -> bool:
        """Whether nothing that was tried failed."""
        return not any(check.passed is False for check in self.checks)

    def write(self, pack: Path) -> None:
        """Put it into the pack, as `proof.json` and `proof.md`."""
        checks = [asdict(check) for check in self.checks]
        publish_json(pack / "proof.json", {"holds": self.holds, **self.facts, "checks": checks})
        publish_text(pack / "proof.md", self._markdown())

    def _markdown(self) -> str:
        verdict = "All that was tried holds." if self.holds else "**Not all that was tried holds.**"
        lines = ["# Proof", "", verdict, "", *_facts(self.facts), ""]
        lines += ["| | what | seen |", "| --- | --- | --- |"]
        marks = {True: "yes", False: "**NO**", None: "not tried"}
        lines += [f"| {marks[c.passed]} | {c.what} | {c.detail} |" for c in self.checks]
        return "\n".join([*lines, ""])


def _facts(facts: dict[str, Any]) -> Sequence[str]:
    return [f"- {name}: {value}" for name, value in facts.items()]
