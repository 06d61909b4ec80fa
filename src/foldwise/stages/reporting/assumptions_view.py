"""What is asked and what was assumed: the value of the file, and why `init` took it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from foldwise.config.writing import dump, in_flow
from foldwise.json_files import read_json
from foldwise.parts import name_of
from foldwise.stages.reporting.material import Material
from foldwise.stages.scheduling.deadline_clock import deadline_clock, latest_words

_NO_GROUPS = "no column; duplicates share a fold"


class Fact(NamedTuple):
    """A line of the competition: its name, what the file says now, and why."""

    name: str
    value: str
    reason: str


def question_view(material: Material) -> list[Fact]:
    """What is asked, with the reasons that `init` noted where its value still stands."""
    asked, rules, columns = (
        material.competition,
        material.competition.rules,
        material.competition.columns,
    )
    plan, tables = material.plan, material.competition.tables
    more = ", ".join(map(name_of, asked.more_metrics))
    daily, end = rules.daily_submissions, asked.deadline
    clock = deadline_clock(asked)
    images = {"kind": asked.images.kind, **asked.images.model_dump(exclude_defaults=True)}
    facts: list[tuple[str, str, str | None]] = [
        ("task", "task", asked.task + (f", {len(asked.classes)} classes" if asked.classes else "")),
        ("metric", "metric", in_flow(asked.metric) + (f"; also {more}" if more else "")),
        (
            "submission",
            "submission.gives",
            f"{asked.submission.gives} in the sample submission's columns",
        ),
        ("train table", "tables.train", tables.train),
        ("test table", "tables.test", tables.test),
        ("id", "columns.id", columns.id),
        ("images", "images", in_flow(images)),
        ("target", "columns.target", ", ".join(columns.target)),
        ("groups", "columns.group", ", ".join(columns.group) or _NO_GROUPS),
        ("order", "columns.order", columns.order),
        ("test prior", "test_prior", _prior(asked.test_prior)),
        ("folds", "", None if plan is None else f"{plan.folds.count}, scheme {plan.folds.scheme}"),
        ("seeds", "", None if plan is None else ", ".join(map(str, plan.seeds))),
        ("damaged images", "", f"{asked.on_damaged} the run"),
        ("pretrained weights", "rules.pretrained", rules.pretrained),
        ("external data", "rules.external_data", rules.external_data),
        ("submissions a day", "", None if daily is None else str(daily)),
        ("final picks", "", str(rules.final_picks)),
        ("inference limit", "", asked.limits.inference),
        ("deadline", "", None if end is None else end.isoformat(" ", "minutes")),
        ("latest safe upload", "", None if clock is None else latest_words(clock)),
        ("data", "", asked.data),
    ]
    noted = _noted(material)
    now = dump(asked)
    return [Fact(name, value, _reason(key, now, noted)) for name, key, value in facts if value]


def guesses_view(material: Material) -> dict[str, Any] | None:
    """What else `init` saw, and what it measured of symmetries; None where it did not run."""
    noted = _noted(material)
    if not noted:
        return None
    verdicts = noted["symmetries"]["verdicts"]
    return {
        "notes": [n for n in noted["notes"] if not n["key"] and n["topic"] != "symmetry"],
        "on": noted["symmetries"]["on"],
        "symmetries": [{"name": name, **verdict} for name, verdict in verdicts.items()],
    }


def _noted(material: Material) -> dict[str, Any]:
    return material.tried(lambda: read_json(material.home.assumptions)) or {}


def _reason(key: str, now: Mapping[str, Any], noted: Mapping[str, Any]) -> str:
    """Why `init` took the value, or that another one stands there since."""
    if not key or not noted:
        return ""
    before = _at(noted["competition"], key)
    if before != _at(now, key):
        return f"changed by hand; init took {in_flow(before)}"
    return str(noted["reasons"].get(key, ""))


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _prior(prior: Any) -> str:
    if prior == "train":
        return "as in train"
    if isinstance(prior, dict):
        return ", ".join(f"{name} {share:g}" for name, share in prior.items())
    return str(prior)
