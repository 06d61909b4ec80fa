"""The files that `init` writes: competition.yaml, recipes, plan.yaml, .gitignore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foldwise.config.writing import write_yaml
from foldwise.publish import publish_text
from foldwise.rundir import Home
from foldwise.stages.proposing.recipes import Proposal

_IGNORED = "cache/\nruns/\n.foldwise/\n"


def write_files(
    home: Home,
    competition: Mapping[str, Any],
    comments: Mapping[str, str],
    proposals: Sequence[Proposal],
    plan: Mapping[str, Any],
    plan_comments: Mapping[str, str],
) -> tuple[list[str], list[str]]:
    """Write what is not there yet.

    Returns:
        Names of files written, and of the user's files that were kept.
    """
    written, kept = [], []
    for proposal in proposals:
        path = home.recipe(proposal.name)
        if path.exists():
            kept.append(f"recipes/{path.name}")
            continue
        write_yaml(path, proposal.values, comments=proposal.comments)
        written.append(f"recipes/{path.name}")
    if home.plan.exists():
        kept.append(home.plan.name)
    else:
        write_yaml(home.plan, plan, comments=plan_comments)
        written.append(home.plan.name)
    ignore = home.path / ".gitignore"
    if not ignore.exists():
        publish_text(ignore, _IGNORED)
    # Last: a folder with this file is a competition, and it must be a whole one.
    write_yaml(home.competition, competition, comments=comments)
    return [home.competition.name, *written], kept
