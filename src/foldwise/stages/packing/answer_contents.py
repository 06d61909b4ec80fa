"""What of a competition goes into a pack that answers: the question, train rows, trained units."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from foldwise import samples as samples_file
from foldwise.cluster.local import Job, run_jobs
from foldwise.config.competition import Competition
from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.units import unit_dir, unit_of, with_sources
from foldwise.stages.packing.contents import copy_file, copy_question
from foldwise.tasks.problem import Problem, open_problem

_OF_HOME = ("masks", "folds", "groups", "gaps")


def copy_answer_contents(home: Home, target: Home, runs: Path, rounds: Sequence[Round]) -> None:
    """Write the packed competition and the units of all rounds.

    Of the train rows go ids, labels and cells, which priors and decisions are made from; no image.

    Args:
        home: the competition.
        target: the packed one.
        runs: folder of the packed runs.
        rounds: what is to run.
    """
    copy_question(home, target)
    target.samples.parent.mkdir(parents=True, exist_ok=True)
    samples_file.write(target.samples, samples_file.read(home.samples).part("train"))
    for name in _OF_HOME:
        if getattr(home, name).exists():
            copy_file(getattr(home, name), getattr(target, name))
    problem = open_problem(home)
    references = {leaf.units[0].split("/")[0] for leaf in _leaves(rounds) if leaf.is_reference}
    units = with_sources(problem, every_unit(rounds))
    for unit in units:
        folder = unit_dir(home, unit)
        run = folder.path.parent.parent
        copy_file(run / "run.json", runs / run.name / "run.json")
        packed = runs / run.name / "units" / folder.name
        files = [folder.choices, folder.weights]
        files += [folder.head] if run.name in references else []
        for path in filter(Path.exists, files):
            copy_file(path, packed / path.name)
        # No test row is scored there yet.
        publish_json(packed / folder.record.name, {**read_json(folder.record), "test": None})
    _pack_backbones(problem, runs, units, references)


def _pack_backbones(
    problem: Problem, runs: Path, units: Sequence[str], references: Collection[str]
) -> None:
    """Frozen heads and references find there what their features come from.

    Raises:
        RunError: the network that a reference stands on cannot be made here.
    """
    jobs = []
    for name, unit in {unit.split("/")[0]: unit_of(problem, unit) for unit in units}.items():
        packed = RunDir(runs / name).backbone
        if unit.recipe.freeze == "backbone":
            copy_file(unit.folder.weights, packed)
        elif name in references:
            given = (str(problem.home.path), str(unit.run.path), str(packed))
            log = unit.run.path / "start-log.txt"
            jobs.append(Job(name, "foldwise.stages.training.jobs:save_start", given, log, 1))
    for outcome in run_jobs(jobs, parallel=1):
        if outcome.error is not None:
            raise RunError(
                f"{outcome.job.name}/reference cannot be packed: {outcome.error}",
                remedy="put its pretrained weights where they were, or blend without it",
            )


def _leaves(rounds: Sequence[Round]) -> Iterator[Node]:
    for round_ in rounds:
        yield from round_.node.leaves


def every_unit(rounds: Sequence[Round]) -> list[str]:
    """All units of all rounds, in their order."""
    return list(dict.fromkeys(unit for round_ in rounds for unit in round_.units))


def answer_marks(competition: Competition) -> tuple[str, ...]:
    """Files by which the data are recognised where the test images may be others.

    Raises:
        ConfigError: there is no test.
    """
    tables = competition.tables
    if tables.test is None:
        raise ConfigError(
            "tables.test: there is none, so a pack would have nothing to answer",
            remedy="set tables.test in competition.yaml",
        )
    sample = tables.sample_submission
    return tuple(dict.fromkeys([tables.test, *([sample] if sample is not None else [])]))
