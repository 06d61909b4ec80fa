"""From a raw folder to the values of `competition.yaml`, with a comment for each guess."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foldwise.errors import DataError
from foldwise.home import Home
from foldwise.platforms.kaggle import Listing
from foldwise.stages.proposing.masks import FoundMasks
from foldwise.stages.proposing.note import Note, listed
from foldwise.stages.proposing.platform import listed_values, source_of
from foldwise.stages.proposing.question import Ask, Question, find_question
from foldwise.stages.proposing.readme import Readme, read_readme
from foldwise.stages.proposing.said import Said
from foldwise.stages.proposing.seen import TRAIN_PREFIX, Seen
from foldwise.stages.proposing.subject import look_at_data
from foldwise.stages.proposing.tables import FoundTables, find_tables
from foldwise.tasks import TASKS
from foldwise.tasks.labels import whole

_MANY_UPS = 3


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        values: keys of `competition.yaml`.
        comments: dotted key → reason.
        notes: the guesses in the order of the work.
        formulations: those of the task that suit what was seen; empty: all.
    """

    values: dict[str, Any]
    comments: dict[str, str]
    notes: tuple[Note, ...]
    formulations: tuple[str, ...] = ()


def find_competition(
    home: Home, data: Path, said: Said, ask: Ask | None, listing: Listing | None = None
) -> Finding:
    """Look at tables, images and texts; what was said is not guessed.

    Args:
        home: the competition's folder.
        data: raw folder with tables and images.
        said: what is known already.
        ask: puts a question to a person; None: nobody is there.
        listing: what the platform says.

    Raises:
        ConfigError: a flag names what there is not.
        DataError: something that is needed cannot be told; lists what was seen.
    """
    readme = read_readme(data)
    tables = find_tables(data, said)
    try:
        seen, question = _seen(data, tables, said, readme, ask, listing)
        if (question.task.kind == "map") != seen.is_of_masks:  # As a person has said just now.
            known = replace(said, task=question.task.name)
            seen, question = _seen(data, tables, known, readme, ask, listing)
    except DataError as error:
        raise _lost(error, tables) from None
    return _finding(home, data, seen, question, readme, said.pretrained, listing)


def _seen(
    data: Path,
    tables: FoundTables,
    said: Said,
    readme: Readme,
    ask: Ask | None,
    listing: Listing | None,
) -> tuple[Seen, Question]:
    task = TASKS.get(said.task or "")
    wants_masks = None if task is None else task.kind == "map"
    seen = look_at_data(data, tables, said, readme, wants_masks=wants_masks)
    masks = None if seen.masks is None else seen.masks.seen(is_asked=seen.is_of_masks)
    question = find_question(
        seen.targets,
        seen.asked.cells,
        readme,
        task=said.task,
        metric=said.metric,
        ask=ask,
        platform=None if listing is None else source_of(listing),
        masks=masks,
    )
    return seen, question


def _finding(
    home: Home,
    data: Path,
    seen: Seen,
    question: Question,
    readme: Readme,
    pretrained: str | None,
    listing: Listing | None,
) -> Finding:
    known, heard = ({}, []) if listing is None else listed_values(listing)
    masks = seen.masks if seen.is_of_masks else None
    guess, notes = question.guess, [*heard, *seen.notes, *question.notes, *_rare(seen, question)]
    values: dict[str, Any] = {
        "name": home.path.resolve().name,
        "data": _data_path(home, data),
        "tables": {key: name for key, name in seen.tables.items() if name is not None},
        "images": {
            "kind": seen.source.images.kind,
            **seen.source.images.model_dump(mode="json", exclude_defaults=True),
        },
        "columns": _columns(seen, guess.separator),
        **({} if masks is None else {"masks": masks.values}),
        "task": question.task.name,
    }
    if question.task.has_classes:
        values["classes"] = list(guess.classes)
    values["metric"] = question.metric
    if question.more_metrics:
        values["more_metrics"] = list(question.more_metrics)
    renamed = {**seen.asked.renamed, **(guess.columns or {})}
    values["submission"] = {
        "gives": guess.gives,
        **({} if masks is None else _form(masks, notes)),
        **({"columns": renamed} if renamed else {}),
    }
    values |= _rules(question, readme, pretrained, notes)
    rules = values.pop("rules", {}) | known.pop("rules", {})
    values["submission"] |= known.pop("submission", {})
    values |= ({"rules": rules} if rules else {}) | known
    undecided = [*question.undecided, *(() if masks is None else masks.undecided)]
    if undecided:
        values["undecided"] = undecided
    return Finding(values, _comments(notes, undecided), tuple(notes), guess.formulations)


def _form(masks: FoundMasks, notes: list[Note]) -> dict[str, str]:
    """Images of classes, where classes exclude each other and no sample submission shows cells."""
    if masks.asked is not None or not masks.is_exclusive:
        return {}
    why = "no sample submission of masks: a zip of PNG files with the pixel values of train"
    notes.append(Note("handed in as", "images", why))
    return {"form": "images"}


def _rare(seen: Seen, question: Question) -> list[Note]:
    """Classes of one row, which may be slips."""
    if len(seen.targets) > 1 or question.guess.separator is not None:
        return []
    counts = Counter(whole(cell) for cells in seen.targets.values() for cell in cells)
    rare = [name for name in question.guess.classes if counts[name] == 1]
    why = "one row each: if that is a slip in the table, correct it and start again"
    return [Note("rare classes", listed(rare), why)] if rare else []


def _columns(seen: Seen, separator: str | None) -> dict[str, Any]:
    columns: dict[str, Any] = {"id": seen.asked.id}
    if seen.asked.targets:
        columns["target"] = list(seen.asked.targets)
    if any(note.topic == "train ids" for note in seen.notes):
        columns["train_prefix"] = TRAIN_PREFIX
    if separator is not None:
        columns["separator"] = separator
    if seen.meaning.group:
        columns["group"] = list(seen.meaning.group)
    if seen.meaning.order is not None:
        columns["order"] = seen.meaning.order
    return columns


def _rules(
    question: Question, readme: Readme, pretrained: str | None, notes: list[Note]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if readme.test_balanced is not None and question.task.one_of_classes:
        values["test_prior"] = "balanced"
        notes.append(Note("test mix", "balanced", f"the text says {readme.test_balanced!r}"))
    rules = {}
    if pretrained is not None or readme.no_pretrained is not None:
        rules["pretrained"] = pretrained or "forbidden"
        why = "as you said" if pretrained else f"the text says {readme.no_pretrained!r}"
        notes.append(Note("pretrained", rules["pretrained"], why))
    if readme.no_external is not None:
        rules["external_data"] = "forbidden"
        notes.append(Note("external data", "forbidden", f"the text says {readme.no_external!r}"))
    return values | ({"rules": rules} if rules else {})


#: Topic of a note → the key of `competition.yaml` that it speaks of.
KEYS = {
    "train table": "tables.train",
    "test table": "tables.test",
    "sample submission": "tables.sample_submission",
    "id": "columns.id",
    "train ids": "columns.train_prefix",
    "label": "columns.target",
    "images": "images",
    "group": "columns.group",
    "order": "columns.order",
    "task": "task",
    "metric": "metric",
    "masks": "masks",
    "mask order": "masks.order",
    "mask classes": "classes",
    "mask rows": "masks.several_rows",
    "clean": "masks.clean",
    "ignored": "masks.ignored",
    "without rows": "masks.without_rows",
    "handed in as": "submission.form",
    "test mix": "test_prior",
    "pretrained": "rules.pretrained",
    "external data": "rules.external_data",
    "submissions a day": "rules.daily_submissions",
    "name": "name",
    "deadline": "deadline",
    "platform": "platform",
    "handed in": "submission.by",
}


def _comments(notes: Sequence[Note], undecided: Sequence[str]) -> dict[str, str]:
    comments = {KEYS[n.topic]: n.reason for n in notes if n.topic in KEYS and n.value}
    comments[""] = "What is asked, as `foldwise init` understood it. Correct what it got wrong."
    if any(n.topic == "sample submission" for n in notes):
        comments["submission.gives"] = "what the sample submission shows"
    if undecided:
        comments["undecided"] = "shown with every score until you have checked it and removed it"
    return comments


def _data_path(home: Home, data: Path) -> str:
    relative = os.path.relpath(data.resolve(), home.path.resolve())
    ups = len([part for part in Path(relative).parts if part == ".."])
    return relative if ups <= _MANY_UPS else str(data.resolve())


def _lost(error: DataError, tables: FoundTables) -> DataError:
    seen = [f"seen: {line}" for line in tables.seen] or ["seen: no table"]
    tasks = f"tasks there are: {', '.join(TASKS)}; boxes come in a later version"
    flags = error.remedy or "say what could not be told: --task, --id, --target, --images"
    return DataError(*error.problems, *seen, remedy=f"{flags}. {tasks.capitalize()}")
