"""Both tables, written from what is stored: `foldwise compare` gives differences and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gallery import RECIPES, Entry, read_entries
from studies import BASE, FOLDER, QUICK_SCREEN, SCREEN, VERDICT, Depth, Study, Trick, read_studies
from work import Place, seconds_per_unit

from foldwise.json_files import read_json
from foldwise.notebook import compare
from foldwise.publish import publish_text

ABLATIONS = FOLDER.parents[1] / "docs" / "training" / "ablations.md"
GALLERY = RECIPES / "README.md"
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"
_HEAD = (
    "| trick | seeds × folds | better by | 95 % interval | verdict | time |\n"
    "|---|---|---|---|---|---|\n"
)


def write_tables(place: Place) -> None:
    """Put the tables into the two pages, between their marks."""
    sections = [study_section(place, study) for study in read_studies()]
    replace_marked(ABLATIONS, "\n".join(sections))
    replace_marked(GALLERY, gallery_table(place))


def study_section(place: Place, study: Study) -> str:
    """The base's score and a row for each trick, in the order of work."""
    home = place.study(study)
    compared = [
        found
        for reference in dict.fromkeys(trick.reference for trick in study.tricks)
        for found in _compared(place, study, reference)
    ]
    entries = {
        entry["challenger"]: (entry, len(found["folds"]))
        for found in compared
        for entry in found["against_first"]
    }
    rows = [
        _row(place, study, trick, *entries[trick.name])
        for trick in study.tricks
        if trick.name in entries
    ]
    waiting = [trick.name for trick in study.tricks if trick.name not in entries]
    left = f"Not run yet: {', '.join(waiting)}." if waiting else ""
    table = _HEAD + "".join(rows) if rows else ""
    seconds = seconds_per_unit(place, home, BASE, VERDICT)
    cost = "" if seconds is None or not rows else f" {seconds:.0f} processor seconds a unit."
    parts = [f"## {study.pack}", f"{_base_line(compared)}{cost}", table.strip(), left]
    return "\n\n".join(filter(None, parts)) + "\n"


def gallery_table(place: Place) -> str:
    """A row for each recipe; figures only of what was run."""
    head = (
        "| recipe | pack | shows | score | how it was got | time | command |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_gallery_row(place, entry) for entry in read_entries())


def replace_marked(path: Path, text: str) -> None:
    """Put a text between the marks of a page, in place of what is there."""
    before, _, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    publish_text(path, f"{before}{_BEGIN}\n\n{text.strip()}\n\n{_END}{after}")


def _compared(place: Place, study: Study, reference: str) -> list[dict[str, Any]]:
    """What `foldwise compare` says of the tricks over one reference.

    Those with enough seeds for a verdict are compared at once, so that verdicts are corrected for
    their number; those screened apart from them, since no verdict is read off, and by their folds.
    """
    home = place.study(study)

    def has(name: str, *depths: Depth) -> bool:
        return any(place.step(home, name, depth.label).exists() for depth in depths)

    left = [trick.name for trick in study.tricks if trick.reference == reference]
    groups = []
    # A reference that is trained further has the units of less, too.
    for enough in ((VERDICT,), (SCREEN, VERDICT), (QUICK_SCREEN, SCREEN, VERDICT)):
        group = [name for name in left if has(name, *enough)] if has(reference, *enough) else []
        left = [name for name in left if name not in group]
        groups.append(group)
    return [
        compare([home.run(name).path for name in (reference, *names)]).facts
        for names in groups
        if names
    ]


def _row(place: Place, study: Study, trick: Trick, entry: dict[str, Any], num_folds: int) -> str:
    name = trick.name if trick.reference == BASE else f"{trick.name} over {trick.reference}"
    num_seeds = len(entry["seeds"])
    is_final = num_seeds >= len(VERDICT.seeds)
    verdict = entry["verdict"] if is_final else "screened only"
    ends = "none" if entry["low"] is None else f"{entry['low']:+.4f} to {entry['high']:+.4f}"
    home = place.study(study)
    depth = VERDICT if is_final else SCREEN if num_folds > 1 else QUICK_SCREEN
    own, reference = (
        seconds_per_unit(place, home, run, depth) for run in (trick.name, trick.reference)
    )
    ratio = "" if own is None or reference is None else f"{own / reference:.2f}×"
    return (
        f"| {name} | {num_seeds} × {num_folds} | {entry['difference']:+.4f} "
        f"| {ends} | {verdict} | {ratio} |\n"
    )


def _base_line(compared: Sequence[dict[str, Any]]) -> str:
    of_base = [found for found in compared if found["runs"][0]["name"] == BASE]
    if not of_base:
        return ""
    found = max(of_base, key=lambda each: len(each["runs"][0]["seeds"]))
    base = found["runs"][0]
    return (
        f"Base: {found['metric']} {base['seed_mean']:.4f}, mean of {len(base['seeds'])} seeds "
        f"with a spread of {base['seed_sd']:.4f}, {found['num_rows']} rows held out in "
        f"{len(found['folds'])} folds."
    )


def _gallery_row(place: Place, entry: Entry) -> str:
    home = place.gallery(entry)
    scores = read_json(home.run(entry.name).scores)
    is_done = place.step(home, entry.name, "1").exists()
    words = " ".join([entry.name, *entry.overrides])
    link, command = f"[{entry.name}]({entry.name}.yaml)", f"`foldwise train {words}`"
    if entry.members:
        words = " ".join([*entry.members, "--method", entry.method, "--as", entry.name])
        link, command = entry.name, f"`foldwise blend {words}`"
    if not is_done or scores is None:
        return f"| {link} | `{entry.pack}` | {entry.shows} | not run | | | {command} |\n"
    ends = scores["interval"]
    between = "" if ends is None else f" ({ends['low']:.3f} to {ends['high']:.3f})"
    score = f"{scores['metric']['label']} {scores['score']:.3f}{between}"
    got = f"{scores['how']['got']}, {len(scores['present_folds'])} folds, one seed"
    seconds = read_json(place.step(home, entry.name, "1")).get("cpu_s")
    time = "" if seconds is None else f"{seconds / 60:.0f} min"
    return f"| {link} | `{entry.pack}` | {entry.shows} | {score} | {got} | {time} | {command} |\n"
