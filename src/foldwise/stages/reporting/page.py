"""The report's page: all sections put into the templates, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from foldwise import __version__
from foldwise import device as machine
from foldwise.parts import name_of
from foldwise.stages.commit import commit_of
from foldwise.stages.progress import duration
from foldwise.stages.reporting import words
from foldwise.stages.reporting.assumptions_view import guesses_view, question_view
from foldwise.stages.reporting.blends import blends
from foldwise.stages.reporting.costs_view import costs_view
from foldwise.stages.reporting.ground_view import audit_view, folds_view
from foldwise.stages.reporting.ledger_view import ledger_view
from foldwise.stages.reporting.material import Material
from foldwise.stages.reporting.packs_view import packs_view
from foldwise.stages.reporting.picks_view import picks_view
from foldwise.stages.reporting.run_pages import run_pages
from foldwise.stages.reporting.score_table import score_table
from foldwise.stages.reporting.spread_view import spread_view
from foldwise.stages.reporting.standing import standing
from foldwise.stages.scheduling.deadline_clock import deadline_clock

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = "foldwise.stages.reporting"


def page(material: Material, *, written: str) -> str:
    """The whole page as HTML.

    Args:
        material: what there is.
        written: the line that says when it was written; the only one that differs between two
            pages of the same material on the same day.
    """
    template = _environment().get_template("page.html.j2")
    return template.render(_content(material), written=written)


@cache
def _environment() -> Environment:
    """Templates that escape whatever is not our own markup, and refuse names that are not there."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_PACKAGE, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, board=words.board_score)
    environment.filters.update(cor=words.correlation_text, weight=words.weight_text)
    environment.filters.update(
        score=words.score_text, signed=words.signed, percent=words.percent, moment=words.moment
    )
    return environment


def _content(material: Material) -> dict[str, Any]:
    from markupsafe import Markup

    now = standing(material)
    submitted = None if now["submission"] is None else now["submission"]["run"]
    runs = run_pages(material, submitted)
    spread = spread_view(material, submitted)
    view = {
        "competition": material.competition,
        "undecided": bool(material.competition.undecided),
        "metric_label": _metric_label(material),
        "latest_upload": _latest_upload(material),
        "standing": now,
        "scores": score_table(material.scored, submitted),
        "gates": score_table(material.gates, submitted),
        "blends": blends(material),
        "ledger": ledger_view(
            material, None if now["submission"] is None else now["submission"]["entry"]
        ),
        "picks": picks_view(material),
        "runs": runs,
        "packs": packs_view(material.home, _metric_label(material)),
        "costs": costs_view(material),
        "anchors": _Anchors({run["label"]: f"run-{k}" for k, run in enumerate(runs, start=1)}),
        "question": question_view(material),
        "guesses": guesses_view(material),
        "audit": audit_view(material),
        "folds": folds_view(material),
        "decision": None if spread is None else spread["decision"],
        "spread": spread,
        "machine": machine.describe(),
        "commit": commit_of(material.home.path),
        "trained": _trained(material),
        "version": __version__,
    }
    style, script = _file("report.css"), _file("report.js")
    return {
        **view,
        "sections": _sections(view),
        # Last: views may find more that cannot be read.
        "troubles": list(material.troubles),
        # Our own two files, the same for every page: the policy allows just these by hash.
        "style": Markup(style),
        "script": Markup(script),
        "policy": policy(style, script),
    }


def policy(style: str, script: str) -> str:
    """The content policy: no request at all, no script and no style but these two."""
    allowed = [
        "default-src 'none'",
        "img-src data:",
        f"style-src '{_hash(style)}'",
        f"script-src '{_hash(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(allowed)


class _Anchors(dict[str, str]):
    """Run → its place in the page; "" for those that have none."""

    def __missing__(self, label: str) -> str:
        return ""


def _sections(view: dict[str, Any]) -> list[tuple[str, str]]:
    every = [
        ("now", "Now", True),
        ("scores", "Scores", True),
        ("blends", "Blends", view["blends"]),
        ("ledger", "Ledger", view["ledger"]),
        ("picks", "Final picks", view["picks"] and view["picks"]["state"] == "there"),
        ("runs", "Runs", view["runs"]),
        ("packs", "Packs", view["packs"]),
        ("costs", "Costs", view["costs"]),
        ("ground", "Assumptions", True),
        ("audit", "Audit", True),
        ("folds", "Folds", True),
        ("decision", "Decision", view["decision"]),
        ("spread", "Test against train", view["spread"]),
    ]
    return [(name, title) for name, title, is_there in every if is_there]


def _latest_upload(material: Material) -> str | None:
    clock = deadline_clock(material.competition)
    return None if clock is None else clock.latest_start.isoformat(" ", "minutes")


def _metric_label(material: Material) -> str:
    scored = material.scored
    if scored and scored[0].scores is not None:
        return str(scored[0].scores["metric"]["label"])
    return name_of(material.competition.metric)


def _trained(material: Material) -> str | None:
    known = [run.seconds for run in material.runs if run.seconds is not None]
    return duration(sum(known)) if known else None


def _file(name: str) -> str:
    return resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
