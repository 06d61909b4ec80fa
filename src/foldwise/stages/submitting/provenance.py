"""What a submission was made of, kept beside it, so that it can be rebuilt: `made_of.json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foldwise import device as machine
from foldwise.config.recipe import Recipe
from foldwise.config.writing import dump
from foldwise.errors import DataError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_bytes
from foldwise.rundir import RunDir, UnitDir
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.submitting.ledger import MADE_OF
from foldwise.tasks.asked import data_folder
from foldwise.tasks.problem import Problem

_FORMAT = 1
#: What folds, groups and rows were, below the competition's folder.
_MADE = ("samples", "masks", "external", "folds", "groups", "gaps", "audit")
_STAMPS = ("audit", "split", "copies")
#: Files of a unit that do not change any more once it is done.
UNIT_FILES = (
    *("weights.safetensors", "head.safetensors", "valid.parquet", "test.parquet"),
    *("reference-valid.parquet", "reference-test.parquet"),
)


@dataclass(frozen=True)
class MadeRun:
    """A run that a submission was made of.

    Attributes:
        record: its `run.json`.
        files: `oof.parquet` and `test.parquet` → SHA-256.
        units: unit → `inputs`, `choices` and `files` (name → SHA-256), of those that were merged.
    """

    record: dict[str, Any]
    files: dict[str, str]
    units: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Provenance:
    """All that a submission was made of.

    Attributes:
        run: its name.
        competition: `competition.yaml`, resolved.
        materials: path below the competition's folder → SHA-256 of its content, of which there is
            a copy in `submissions/materials`.
        tables: path below the data folder → SHA-256.
        runs: name → run, those that others are made of first.
        machine: versions and device.
    """

    run: str
    competition: dict[str, Any]
    materials: dict[str, str]
    tables: dict[str, str]
    runs: dict[str, MadeRun]
    machine: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """What `read_provenance` reads."""
        return {"format": _FORMAT, **asdict(self)}


def keep_provenance(problem: Problem, run: str) -> Provenance:
    """What a run's submission is made of now, with copies of what may change.

    Copies are named by their content, so submissions share them.

    Args:
        problem: with folds.
        run: its name, such as `b` or `b/reference`.
    """
    home = problem.home
    materials = {}
    for path in _material_paths(home):
        digest = file_hash(path)
        if digest is None:
            continue
        materials[path.relative_to(home.path).as_posix()] = digest
        if not material(home, digest).exists():
            publish_bytes(material(home, digest), path.read_bytes())
    tables, data = problem.competition.tables, data_folder(home, problem.competition)
    hashes = {
        name: digest
        for name in (tables.train, tables.test, tables.sample_submission)
        if name is not None and (digest := file_hash(data / name)) is not None
    }
    return Provenance(
        run,
        dump(problem.competition),
        materials,
        hashes,
        {name: _made(home, name) for name in _closure(home, run)},
        {**machine.describe(), "device": machine.accelerator()},
    )


def read_provenance(entry: Path) -> Provenance:
    """The record of an entry of the ledger.

    Raises:
        RunError: there is none.
        DataError: it is damaged.
    """
    stored = read_json(entry / MADE_OF)
    if stored is None:
        raise RunError(
            f"{entry.name}: nothing is kept of what it was made of, as of all that older versions "
            "of foldwise handed in",
            remedy="submit its run again: if it is as it was, the record is added",
        )
    try:
        if stored.pop("format") != _FORMAT:
            raise ValueError("another format")
        runs = {name: MadeRun(**run) for name, run in stored.pop("runs").items()}
        return Provenance(**stored, runs=runs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{entry / MADE_OF}: damaged: {error!r}") from None


def material(home: Home, digest: str) -> Path:
    """The copy of a content."""
    return home.submissions / "materials" / digest


def direct_parts(record: dict[str, Any], name: str) -> list[str]:
    """The runs that a run is made of: members and gate, sources, teachers, or what it stands in."""
    if record["kind"] == "blend":
        gate = [record["gate"]["name"]] if "gate" in record else []
        return [*(member["name"] for member in record["members"]), *gate]
    if record["kind"] == "reference":
        run = name.rpartition("/")[0]
        return [run] if run else []  # None: it is no run's head, but what is said without any.
    if record["kind"] != "recipe":
        return []
    recipe = Recipe.model_validate(record["recipe"])
    return [*recipe.sources, *recipe.teachers]


def _closure(home: Home, name: str) -> list[str]:
    """The run and all that it is made of, parts first, each once."""
    found: dict[str, None] = {}

    def visit(one: str) -> None:
        if one in found:
            return
        record = read_json(home.run(one).record)
        for part in [] if record is None else direct_parts(record, one):
            visit(part)
        found[one] = None

    visit(name)
    return list(found)


def _made(home: Home, name: str) -> MadeRun:
    run = home.run(name)
    record = read_json(run.record)
    if record is None:  # Score files that a blend names by their paths.
        hashes = {path: file_hash(Path(path)) for path in name.split(",")}
        return MadeRun({"kind": "files"}, {p: h for p, h in hashes.items() if h is not None}, {})
    files = {path.name: file_hash(path) for path in (run.oof, run.test)}
    units = {} if record["kind"] != "recipe" else dict(_units(run))
    return MadeRun(record, {n: h for n, h in files.items() if h is not None}, units)


def _units(run: RunDir) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in read_json(run.path / "merged.json") or {}:
        unit = UnitDir(run.path / "units" / name)
        record = read_json(unit.record)
        if record is None:
            continue
        hashes = {file: file_hash(unit.path / file) for file in UNIT_FILES[1:]}
        # That of the weights was taken when they were written; they may be large.
        files = {UNIT_FILES[0]: record.get("weights_sha256"), **hashes}
        yield (
            name,
            {
                "inputs": record["inputs"],
                "choices": read_json(unit.choices),
                "files": {file: digest for file, digest in files.items() if digest is not None},
            },
        )


def _material_paths(home: Home) -> Iterator[Path]:
    yield from (getattr(home, name) for name in _MADE)
    yield from (home.stamp(name) for name in _STAMPS)
    yield from sorted(home.code.rglob("*.py"))
