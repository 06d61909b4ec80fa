"""What has changed since a submission was made, and what each change means for a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foldwise import device as machine
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.config.writing import difference
from foldwise.data.folds_file import read_folds
from foldwise.data.inputs import image_refs
from foldwise.data.sources import hash_all
from foldwise.errors import FoldwiseError
from foldwise.home import Home
from foldwise.samples import Samples
from foldwise.stages.commit import commit_of
from foldwise.stages.recipes import load_recipe, plan_changes
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.submitting.ledger import Entry
from foldwise.stages.submitting.provenance import Provenance, material

Kind = Literal["file", "data", "competition", "recipe", "code", "folds", "versions", "device"]
_MAX_NAMED = 5


@dataclass(frozen=True)
class Drift:
    """Something that is not as it was.

    Attributes:
        kind: what it is about.
        what: what has changed, with names.
        means: what follows for a replay.
    """

    kind: Kind
    what: str
    means: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}; {self.means}"


def drifts(home: Home, entry: Entry, made: Provenance) -> list[Drift]:
    """All that has changed since the entry was made, in the order it would be looked for."""
    finders: tuple[Callable[[Home, Entry, Provenance], Iterator[Drift]], ...] = (
        _file,
        _tables,
        _images,
        _competition,
        _recipes,
        _code,
        _folds,
        _versions,
        _device,
    )
    return [drift for find in finders for drift in find(home, entry, made)]


def data_of(home: Home, made: Provenance) -> Path:
    """The data folder, absolute."""
    return (home.path / str(made.competition["data"])).resolve()


def missing_images(home: Home, made: Provenance, recorded: Samples) -> list[str]:
    """Files of recorded samples that hold other bytes now, or cannot be read."""
    images = recorded.every_image()
    data = data_of(home, made)
    now = hash_all(image_refs(images, data), threads=machine.num_cores())
    pairs = zip(images.frame["file"], images.hashes, now, strict=True)
    return list(dict.fromkeys(str(file) for file, old, new in pairs if old and old != new))


def recorded_samples(home: Home, made: Provenance) -> Samples:
    """The rows as they were."""
    return samples_file.read(material(home, made.materials[home.samples.name]))


def _file(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    if file_hash(entry.file) != entry.sha256:
        yield Drift(
            "file",
            f"{entry.path.name}/{entry.file.name} is not the file that was written",
            "the rebuilt one is compared with the hash of that",
        )


def _tables(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    data = data_of(home, made)
    for name, old in made.tables.items():
        new = file_hash(data / name)
        if new == old:
            continue
        what = f"{name} {'is gone' if new is None else 'has changed'}"
        if name == made.competition["tables"]["sample_submission"]:
            means = "it says the rows, order and columns of the file, which may differ"
        else:
            means = "rows and labels are taken as they were recorded"
        yield Drift("data", what, means)


def _images(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    changed = missing_images(home, made, recorded_samples(home, made))
    if changed:
        yield Drift(
            "data",
            f"{len(changed)} images have changed or are gone: {_named(changed)}",
            "what they were trained or scored with cannot be made again, unless the cache has them",
        )


def _competition(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    try:
        now = load(home.competition, Competition)
    except FoldwiseError as error:
        yield Drift("competition", error.problems[0], "it is taken as it was recorded")
        return
    for line in difference(made.competition, now):
        yield Drift("competition", line, "it is taken as it was recorded")


def _recipes(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    for name, run in made.runs.items():
        if run.record["kind"] != "recipe":
            continue
        means = "it is taken as it was recorded"
        if not home.recipe(name).is_file():
            yield Drift("recipe", f"{home.recipe(name).name} is gone", means)
            continue
        try:
            changes = plan_changes(home) if home.plan.is_file() else {}
            now = load_recipe(home, name, changes=changes.get(name))
        except FoldwiseError as error:
            yield Drift("recipe", error.problems[0], means)
            continue
        for line in difference(run.record["recipe"], now):
            yield Drift("recipe", f"{name}: {line}", means)


def _code(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    folder = f"{home.code.name}/"
    recorded = {name for name in made.materials if name.startswith(folder)}
    present = {path.relative_to(home.path).as_posix() for path in home.code.rglob("*.py")}
    for name in sorted(recorded | present):
        if name not in recorded:
            what, means = f"{name} is new", "it is left out"
        elif file_hash(home.path / name) == made.materials[name]:
            continue
        else:
            what, means = f"{name} has changed", "it is taken as it was recorded"
        yield Drift("code", what, means)
    old, new = entry.facts.get("commit"), commit_of(home.path)
    if old != new:
        yield Drift(
            "code",
            f"commit {_short(old)} -> {_short(new)}",
            "what counts of it is compared file by file",
        )


def _folds(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    if home.folds.name not in made.materials:
        return
    old = read_folds(material(home, made.materials[home.folds.name]))
    new = read_folds(home.folds) if home.folds.exists() else {}
    moved = [name for name, fold in old.items() if new.get(name) != fold]
    if moved:
        yield Drift(
            "folds",
            f"{len(moved)} of {len(old)} rows are in another fold or in none: {_named(moved)}",
            "rows are held out as recorded; runs trained since do not compare",
        )


def _versions(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    now = machine.describe()
    for name in sorted({*now, *made.machine} - {"device"}):
        if name in ("cores", "machine") or made.machine.get(name) == now.get(name):
            continue
        means = (
            "what is trained again may be another network, and what is merged rounded otherwise"
            if name != "foldwise"
            else "units may be trained, merged or decided otherwise"
        )
        yield Drift("versions", f"{name} {made.machine.get(name)} -> {now.get(name)}", means)


def _device(home: Home, entry: Entry, made: Provenance) -> Iterator[Drift]:
    here = {**machine.describe(), "device": machine.accelerator()}
    for name in ("device", "machine"):
        if made.machine.get(name) != here[name]:
            yield Drift(
                "device",
                f"{made.machine.get(name)} -> {here[name]}",
                "units trained again round otherwise; threads stay as recorded",
            )


def _named(names: list[str]) -> str:
    more = " ..." if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _short(commit: Any) -> str:
    text = str(commit)
    return text[:12] + ("-dirty" if text.endswith("-dirty") else "") if commit else "none"
