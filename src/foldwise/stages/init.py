"""Looks at a raw folder and proposes competition, recipes and plan, each guess with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from foldwise.collecting import collect
from foldwise.config.competition import Competition
from foldwise.config.duration import seconds
from foldwise.config.loading import from_values
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.data.inputs import image_refs
from foldwise.errors import ConfigError, DataError
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.proposing.competition import Finding, find_competition
from foldwise.stages.proposing.downloading import data_place, download_data, rehearse
from foldwise.stages.proposing.files import write_assumptions, write_files
from foldwise.stages.proposing.looking import NUM_LOOKED, Looks, load_squares, look, spread_rows
from foldwise.stages.proposing.machine import Machine, look_at_machine
from foldwise.stages.proposing.mask_recipes import MASKS_FIT, mask_blends, mask_folds, propose_masks
from foldwise.stages.proposing.note import Note, aligned
from foldwise.stages.proposing.platform import ask_platform
from foldwise.stages.proposing.question import Ask
from foldwise.stages.proposing.recipes import Facts, Proposal, fit_reason, propose
from foldwise.stages.proposing.said import Said
from foldwise.stages.proposing.shown import Shown, look_at_shown
from foldwise.stages.proposing.small_features import SIDE
from foldwise.stages.proposing.symmetries import (
    Measured,
    Sample,
    choose_rows,
    measure,
    notes_of,
)
from foldwise.tasks import TASKS
from foldwise.tasks.asked import read_target

#: What training may take where nobody says: a coffee on a CPU, a lunch on a graphics card.
_BUDGET_CPU, _BUDGET_GPU = "8m", "40m"
#: Masks are given so many times that: the decoder, and images large enough to show small things.
_TIMES_FOR_MASKS = 3
#: Five folds may take so many times that; else three are proposed.
_PATIENCE = 1.5


def init(
    folder: Path,
    *,
    data: Path | None = None,
    said: Said | None = None,
    ask: Ask | None = None,
    time: str | None = None,
    platform: str | None = None,
    download: bool = False,
    dry_run: bool = False,
    display: Display | None = None,
) -> Home:
    """Write competition.yaml, three recipes and plan.yaml for a raw folder.

    Nothing of the user's is overwritten, and where anything is wrong nothing is written.

    Args:
        folder: the competition's folder, made if absent.
        data: raw folder with tables and images; None: `DIR/data`, to be downloaded.
        said: what is known already.
        ask: puts a question with a default answer to a person; None: nobody is there.
        time: how long training may take, such as `40m`; None: by machine.
        platform: asked for metric, name, deadline and uploads a day: `kaggle:NAME`, or the
            competition's address; None: nothing is asked over the network.
        download: fetch the competition's files from the platform into `data` first.
        dry_run: only say every call to the platform.
        display: where guesses are shown.

    Raises:
        ConfigError: there is a competition.yaml already, or a flag names what there is not.
        PlatformError: the platform cannot be asked, or has no such competition.
        DataError: no tables, images or task can be told; lists what was seen.
    """
    show, home, said = display or Display(), Home(folder), said or Said()
    data = data_place(home, data, platform, download=download, dry_run=dry_run)
    _check_home(home)
    if dry_run:
        rehearse(platform, data, download=download, show=show)
        return home
    if not download:
        _check_data(data)
    _check_said(said)
    budget = None if time is None else _said_seconds(time)
    listing = None if platform is None else ask_platform(platform)
    if download and listing is not None:
        download_data(listing.slug, data, show)
    finding = find_competition(home, data, said, ask, listing)
    competition = from_values(finding.values, Competition, source="what init found")
    samples = _read_samples(competition, data)
    looks = look(image_refs(samples.take(spread_rows(len(samples), NUM_LOOKED)), data))
    machine = look_at_machine()
    allowed = competition.rules.pretrained == "allowed" and looks.channels == 3
    network = machine.networks[0] if allowed and machine.networks else None
    shown = look_at_shown(data, competition, samples.part("train"))
    sample = _sample(data, competition, shown, looks, show)
    measured = measure(sample, network, home.cache / "weights")
    usual_s = seconds(_BUDGET_GPU if machine.num_gpus else _BUDGET_CPU)
    budget = budget or usual_s * (1 if competition.masks is None else _TIMES_FOR_MASKS)
    facts = _facts(finding, competition, samples, looks, machine, shown, measured, budget)
    facts, proposals = _proposals(facts, has_masks=competition.masks is not None)
    blends = {"blend": {"method": "mean", "members": "all"}}
    if competition.masks is not None:
        blends = mask_blends(proposals)
    plan, plan_comments = _plan(facts, proposals, blends)
    _check(proposals, plan)
    fit = fit_reason(looks) if competition.masks is None else MASKS_FIT
    notes = _notes(finding, facts, fit, notes_of(measured, competition.classes), proposals)
    write_assumptions(home, competition, finding.comments, notes, measured)
    written, kept = write_files(home, finding, proposals, plan, plan_comments)
    for line in aligned(notes):
        show.say(f"  {line}")
    for sentence in competition.undecided:
        show.warn(f"undecided: {sentence}")
    _tell_files(show, home, written, kept)
    return home


def _proposals(facts: Facts, *, has_masks: bool) -> tuple[Facts, list[Proposal]]:
    """The recipes, and the facts with the number of folds that they are made for."""
    if has_masks:
        facts = replace(facts, num_folds=mask_folds(facts))
    suggest = propose_masks if has_masks else propose
    proposals = suggest(facts)
    if sum(proposal.forecast_s for proposal in proposals) > _PATIENCE * facts.budget_s:
        facts = replace(facts, num_folds=min(3, facts.num_folds))
        proposals = suggest(facts)
    return facts, proposals


def _check_home(home: Home) -> None:
    for place in (home.path, *home.path.parents):
        if place.exists() and not place.is_dir():
            raise ConfigError(
                f"{home.path}: {place.name} is a file, and the competition needs a folder",
                remedy="name another folder: foldwise init DIR --data PATH",
            )
    if home.competition.exists():
        raise ConfigError(
            f"{home.competition}: is there already, and init overwrites nothing",
            remedy="edit it, or move it away and run init again; recipes that are there are kept",
        )


def _check_data(data: Path) -> None:
    if not data.is_dir():
        raise DataError(f"{data}: no such folder", remedy="--data names the raw folder")


def _check_said(said: Said) -> None:
    if said.pretrained not in (None, "allowed", "forbidden"):
        raise ConfigError(
            f"--pretrained {said.pretrained}: found neither of its two values",
            remedy="say --pretrained allowed or --pretrained forbidden",
        )


def _said_seconds(time: str) -> float:
    try:
        return seconds(time)
    except ConfigError as error:
        raise ConfigError(f"--time: {error.problems[0]}", remedy=error.remedy) from None


def _read_samples(competition: Competition, data: Path) -> Samples:
    """All rows; nothing is written yet, so what would do is a flag, not a key.

    Raises:
        DataError: rows, labels or images are wrong.
    """
    try:
        samples = collect(competition, data)
        if competition.masks is None:
            read_target(competition, TASKS[competition.task], samples.part("train"))
    except DataError as error:
        raise DataError(
            *error.problems,
            remedy="correct the data; or if something was taken for what it is not, say what it "
            "is: --task, --id, --target, --images, --train, --test",
        ) from None
    return samples


def _sample(
    data: Path, competition: Competition, shown: Shown, looks: Looks, show: Display
) -> Sample:
    """Train images to measure on what flips and turns cost, with what they show."""
    columns, labels = competition.columns.group, shown.labels
    groups = np.array(shown.train.cells(columns[0]), dtype=object) if columns else None
    rows = choose_rows(labels, groups, len(shown.train))
    show.say(f"measuring flips and turns on {len(rows)} images ...")
    # Masks are not cut with the borders of their images.
    looks = looks if shown.masks is None else replace(looks, has_borders=False)
    images = load_squares(image_refs(shown.train.take(rows), data), looks, SIDE)
    rows = rows[list(images)]
    has_labels = labels is not None and shown.target.shape[1] > 1
    sample = Sample(
        images=np.stack(list(images.values())),
        target=shown.target[rows],
        labels=labels[rows] if labels is not None and has_labels else None,
        groups=None if groups is None else groups[rows],
    )
    return sample if shown.masks is None else sample.of_cells(shown.masks[rows])


def _facts(
    finding: Finding,
    competition: Competition,
    samples: Samples,
    looks: Looks,
    machine: Machine,
    shown: Shown,
    measured: Measured,
    budget: float,
) -> Facts:
    train = samples.part("train")
    return Facts(
        looks=looks,
        machine=machine,
        num_train=len(train),
        num_test=len(samples) - len(train),
        formulations=tuple(
            name
            for name, found in TASKS[competition.task].formulations.items()
            if found.is_proposed and name in (finding.formulations or (name,))
        ),
        symmetries=measured.harmless,
        pretrained=competition.rules.pretrained == "allowed",
        num_folds=_num_folds(competition, train),
        budget_s=budget,
        clean_share=shown.clean_share,
    )


def _num_folds(competition: Competition, train: Samples) -> int:
    groups = [len(set(train.cells(name))) for name in competition.columns.group]
    return max(2, min([5, len(train), *groups]))


def _plan(
    facts: Facts, proposals: Sequence[Proposal], blends: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, str]]:
    plan = {
        "recipes": {proposal.name: {} for proposal in proposals},
        "folds": {"count": facts.num_folds},
        "seeds": [0],
        "blends": blends,
        "submit": "best",
    }
    comments = {
        "": "What `foldwise run` does, in this order.",
        "recipes": "recipe: keys changed for this plan",
        "seeds": "more seeds: steadier scores, more time",
        "blends": "the mean of members not far behind the best, until something beats it",
        "blends.gated-blend": "the same, and a class is answered where gate and maps make that pay",
    }
    return plan, comments


def _check(proposals: Sequence[Proposal], plan: dict[str, Any]) -> None:
    """What init writes must load; a fault here is ours."""
    for proposal in proposals:
        from_values(proposal.values, Recipe, source=proposal.name)
    from_values(plan, Plan, source="plan")


def _notes(
    finding: Finding,
    facts: Facts,
    fit: str,
    symmetries: Sequence[Note],
    proposals: Sequence[Proposal],
) -> list[Note]:
    """All guesses in the order of the work."""
    return [
        *finding.notes,
        Note("image size", facts.looks.words, fit),
        *symmetries,
        Note("machine", facts.machine.words, _weights_words(facts)),
        *(Note("recipe", p.name, f"{p.reason}; about {duration(p.forecast_s)}") for p in proposals),
    ]


def _weights_words(facts: Facts) -> str:
    if not facts.pretrained:
        return "pretrained weights are forbidden: networks are trained from scratch"
    names = [network.name for network in facts.machine.networks]
    return f"weights at hand: {', '.join(names)}" if names else "no pretrained weights at hand"


def _tell_files(show: Display, home: Home, written: Sequence[str], kept: Sequence[str]) -> None:
    show.say(f"wrote {', '.join(written)} in {home.path}")
    if kept:
        show.warn(f"kept as they are: {', '.join(kept)}")
    show.say(
        "Every guess is a line in these files: change it there; `foldwise init --help` lists what "
        f"can be said beforehand, such as --task or --pretrained. Next: foldwise run {home.path}"
    )
