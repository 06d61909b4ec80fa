"""Figures from runs, by `foldwise compare`, and both tables from figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gallery import RECIPES, Entry, read_entries
from measured import (
    Base,
    Figures,
    GalleryScore,
    Row,
    keep_figures,
    keep_gallery,
    read_figures,
    read_gallery,
)
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
    """Keep what is stored as figures, and put tables of all figures into the two pages."""
    sections = []
    for study in read_studies():
        figures = new_figures(place, study).over(read_figures(place.kept, study.pack))
        keep_figures(place.kept, study, figures)
        sections.append(study_section(study, figures))
    entries = read_entries()
    scores = read_gallery(place.kept) | new_scores(place, entries)
    keep_gallery(place.kept, scores)
    replace_marked(ABLATIONS, "\n".join(sections))
    replace_marked(GALLERY, gallery_table(entries, scores))


def new_figures(place: Place, study: Study) -> Figures:
    """Those of the runs that are there."""
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
    rows = {
        trick.name: _row(place, study, trick, *entries[trick.name])
        for trick in study.tricks
        if trick.name in entries
    }
    return Figures(_base(place, study, compared), rows)


def study_section(study: Study, figures: Figures) -> str:
    """The base's score and a row for each trick, in the order of work."""
    done = [trick for trick in study.tricks if trick.name in figures.rows]
    waiting = [trick.name for trick in study.tricks if trick.name not in figures.rows]
    table = "".join(_table_row(trick, figures.rows[trick.name]) for trick in done)
    parts = [
        f"## {study.pack}",
        "" if figures.base is None else _base_line(figures.base),
        f"{_HEAD}{table}".strip() if done else "",
        f"Not run yet: {', '.join(waiting)}." if waiting else "",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def new_scores(place: Place, entries: Sequence[Entry]) -> dict[str, GalleryScore]:
    """Those of the gallery's runs that are there, by recipe."""
    return {
        entry.name: _gallery_score(place, entry)
        for entry in entries
        if place.step(place.gallery(entry), entry.name, "1").exists()
    }


def gallery_table(entries: Sequence[Entry], scores: Mapping[str, GalleryScore]) -> str:
    """A row for each recipe; figures only of what was run."""
    head = (
        "| recipe | pack | shows | score | how it was got | time | command |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_gallery_row(entry, scores.get(entry.name)) for entry in entries)


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


def _row(place: Place, study: Study, trick: Trick, entry: dict[str, Any], num_folds: int) -> Row:
    num_seeds = len(entry["seeds"])
    is_final = num_seeds >= len(VERDICT.seeds)
    depth = VERDICT if is_final else SCREEN if num_folds > 1 else QUICK_SCREEN
    home = place.study(study)
    own, reference = (
        seconds_per_unit(place, home, run, depth) for run in (trick.name, trick.reference)
    )
    return Row(
        num_seeds=num_seeds,
        num_folds=num_folds,
        better_by=entry["difference"],
        ends=None if entry["low"] is None else (entry["low"], entry["high"]),
        verdict=entry["verdict"] if is_final else None,
        time=None if own is None or reference is None else own / reference,
    )


def _base(place: Place, study: Study, compared: Sequence[dict[str, Any]]) -> Base | None:
    of_base = [found for found in compared if found["runs"][0]["name"] == BASE]
    if not of_base:
        return None
    found = max(of_base, key=lambda each: len(each["runs"][0]["seeds"]))
    run = found["runs"][0]
    return Base(
        num_seeds=len(run["seeds"]),
        num_folds=len(found["folds"]),
        metric=found["metric"],
        score=run["seed_mean"],
        spread=run["seed_sd"],
        num_rows=found["num_rows"],
        seconds=seconds_per_unit(place, place.study(study), BASE, VERDICT),
    )


def _table_row(trick: Trick, row: Row) -> str:
    name = trick.name if trick.reference == BASE else f"{trick.name} over {trick.reference}"
    ends = "none" if row.ends is None else f"{row.ends[0]:+.4f} to {row.ends[1]:+.4f}"
    time = "" if row.time is None else f"{row.time:.2f}×"
    return (
        f"| {name} | {row.num_seeds} × {row.num_folds} | {row.better_by:+.4f} "
        f"| {ends} | {row.verdict or 'screened only'} | {time} |\n"
    )


def _base_line(base: Base) -> str:
    cost = "" if base.seconds is None else f" {base.seconds:.0f} processor seconds a unit."
    return (
        f"Base: {base.metric} {base.score:.4f}, mean of {base.num_seeds} seeds "
        f"with a spread of {base.spread:.4f}, {base.num_rows} rows held out in "
        f"{base.num_folds} folds.{cost}"
    )


def _gallery_score(place: Place, entry: Entry) -> GalleryScore:
    home = place.gallery(entry)
    scores = read_json(home.run(entry.name).scores)
    ends = scores["interval"]
    return GalleryScore(
        metric=scores["metric"]["label"],
        score=scores["score"],
        ends=None if ends is None else (ends["low"], ends["high"]),
        got=scores["how"]["got"],
        num_folds=len(scores["present_folds"]),
        seconds=read_json(place.step(home, entry.name, "1")).get("cpu_s"),
    )


def _gallery_row(entry: Entry, scored: GalleryScore | None) -> str:
    words = " ".join([entry.name, *entry.overrides])
    link, command = f"[{entry.name}]({entry.name}.yaml)", f"`foldwise train {words}`"
    if entry.members:
        words = " ".join([*entry.members, "--method", entry.method, "--as", entry.name])
        link, command = entry.name, f"`foldwise blend {words}`"
    if scored is None:
        return f"| {link} | `{entry.pack}` | {entry.shows} | not run | | | {command} |\n"
    between = "" if scored.ends is None else f" ({scored.ends[0]:.3f} to {scored.ends[1]:.3f})"
    score = f"{scored.metric} {scored.score:.3f}{between}"
    got = f"{scored.got}, {scored.num_folds} folds, one seed"
    time = "" if scored.seconds is None else f"{scored.seconds / 60:.0f} min"
    return f"| {link} | `{entry.pack}` | {entry.shows} | {score} | {got} | {time} | {command} |\n"
