"""The final picks: what was chosen and why, other rules' choices, and how places may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foldwise.json_files import read_json
from foldwise.parts import name_of
from foldwise.stages.picking.public_scores import public_scores
from foldwise.stages.reporting.material import Material
from foldwise.stages.reporting.strips import axis_strip, common_scale, quantile_strip
from foldwise.stages.reporting.svg import isolated
from foldwise.stages.reporting.words import count
from foldwise.stages.scoring.held_out import file_hash

_TITLES = {
    "picked": "these picks",
    "by_public": "best on public",
    "by_cv": "best by cv",
}


def picks_view(material: Material) -> dict[str, Any] | None:
    """What the page says of the final picks.

    Returns:
        `state`: `absent`, `outdated` (with the `reason`) or `there` with all else. None where
        there is not yet anything to choose between.
    """
    runs = [run for run in material.scored if run.kind != "reference"]
    if len(runs) < 2:
        return None
    path = material.home.submissions / "picks.json"
    found = material.tried(lambda: read_json(path))
    if found is None:
        few = count(material.competition.rules.final_picks, "submission")
        return {"state": "absent", "few": few}
    reason = _outdated(material, found)
    if reason is not None:
        return {"state": "outdated", "reason": reason}
    return {"state": "there", **_picks(found)}


def _outdated(material: Material, found: Mapping[str, Any]) -> str | None:
    """What has changed since they were picked: scores, runs, public scores, the metric."""
    if found["metric"]["name"] != name_of(material.competition.metric):
        return "the metric is another"
    candidates = {each["name"]: each for each in found["candidates"]}
    for name, each in candidates.items():
        run = material.run(name)
        if run is None or file_hash(run.folder.oof) != each["oof"]:
            return f"{name} is gone" if run is None else f"{name} has changed since"
    known = {*candidates, *found["left_out"]}
    new = [r.label for r in material.scored if r.kind != "reference" and r.label not in known]
    if new:
        return f"{new[0]} is new"
    public = material.tried(lambda: public_scores(material.home)) or {}
    changed = [name for name, each in candidates.items() if public.get(name) != each["public"]]
    return f"the public score of {changed[0]} is new" if changed else None


def _picks(found: Mapping[str, Any]) -> dict[str, Any]:
    sign = -1 if found["metric"]["higher_is_better"] else 1
    candidates = sorted(found["candidates"], key=lambda each: sign * each["private"]["expected"])
    climbs = [value for each in candidates for value in each["climb"]]
    scale = common_scale([0.0, *climbs] if any(climbs) else [-1.0, 1.0])
    return {
        "picks": found["picks"],
        "reasons": found["reasons"],
        "sets": [
            {"title": title, **found["sets"][key]}
            for key, title in _TITLES.items()
            if found["sets"][key] is not None
        ],
        "pass_score": found["pass_score"],
        "metric": found["metric"]["label"],
        "split": found["split"],
        "has_public": any(each["public"] is not None for each in candidates),
        "rows": [
            {
                **each,
                "plot": quantile_strip(
                    scale,
                    each["climb"],
                    look="b" if each["is_picked"] else "a",
                    about=_about(each),
                ),
            }
            for each in candidates
        ],
        "axis": axis_strip(scale, "places gained from public to private", most=5),
    }


def _about(each: Mapping[str, Any]) -> str:
    low, middle, high = (round(each["climb"][k]) for k in (0, 2, -1))
    return (
        f"{isolated(each['name'])}: places gained, median {middle:+d}, 90 % between {low:+d} and "
        f"{high:+d}"
    )
