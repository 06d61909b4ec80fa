"""The files that `init` writes: competition.yaml, recipes, plan.yaml, and what it assumed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foldwise.config.competition import Competition
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.config.schema import json_schema
from foldwise.config.section import Section
from foldwise.config.writing import dump, write_yaml
from foldwise.home import Home
from foldwise.publish import publish_json, publish_text
from foldwise.stages.proposing.competition import KEYS, Finding
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.recipes import Proposal
from foldwise.stages.proposing.symmetries import Measured, swapped

_IGNORED = "cache/\nruns/\n.foldwise/\n"
_SCHEMAS: Mapping[str, type[Section]] = {
    "competition": Competition,
    "recipe": Recipe,
    "plan": Plan,
}


def write_files(
    home: Home,
    finding: Finding,
    proposals: Sequence[Proposal],
    plan: Mapping[str, Any],
    plan_comments: Mapping[str, str],
) -> tuple[list[str], list[str]]:
    """Write what is not there yet.

    Returns:
        Names of files written, and of the user's files that were kept.
    """
    for name, kind in _SCHEMAS.items():
        publish_json(home.schema(name), json_schema(kind))
    written, kept = [], []
    for proposal in proposals:
        path = home.recipe(proposal.name)
        if path.exists():
            kept.append(f"recipes/{path.name}")
            continue
        write_yaml(path, proposal.values, comments=_known(home, path, "recipe", proposal.comments))
        written.append(f"recipes/{path.name}")
    if home.plan.exists():
        kept.append(home.plan.name)
    else:
        write_yaml(home.plan, plan, comments=_known(home, home.plan, "plan", plan_comments))
        written.append(home.plan.name)
    ignore = home.path / ".gitignore"
    if not ignore.exists():
        publish_text(ignore, _IGNORED)
    # Last: a folder with this file is a competition, and it must be a whole one.
    comments = _known(home, home.competition, "competition", finding.comments)
    write_yaml(home.competition, finding.values, comments=comments)
    return [home.competition.name, *written], kept


def write_assumptions(
    home: Home,
    competition: Competition,
    reasons: Mapping[str, str],
    notes: Sequence[Note],
    measured: Measured,
) -> None:
    """Keep what was taken for what and why, for the report.

    Args:
        home: the competition's folder.
        competition: as it is written.
        reasons: dotted key of it → why.
        notes: all guesses.
        measured: symmetries, with every pair of classes that one swaps.
    """
    symmetries = {
        name: {
            "is_harmless": verdict.is_harmless,
            "why": verdict.why,
            "swaps": swapped(verdict, competition.classes),
        }
        for name, verdict in measured.verdicts.items()
    }
    publish_json(
        home.assumptions,
        {
            "competition": dump(competition),
            "reasons": {key: why for key, why in reasons.items() if key},
            "notes": [{**asdict(note), "key": _key(note)} for note in notes],
            "symmetries": {"on": measured.on, "verdicts": symmetries},
        },
    )


def _key(note: Note) -> str:
    """The key of `competition.yaml` that the note speaks of; "": none."""
    return KEYS.get(note.topic, "") if note.value else ""


def _known(home: Home, path: Path, name: str, comments: Mapping[str, str]) -> dict[str, str]:
    """The comments, with a first line by which editors know the keys."""
    schema = Path(os.path.relpath(home.schema(name), path.parent)).as_posix()
    line = f"yaml-language-server: $schema={schema}"
    return {**comments, "": "\n".join(filter(None, [line, comments.get("", "")]))}
