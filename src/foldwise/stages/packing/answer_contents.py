"""What of a competition goes into a pack that answers: the question, train rows, trained units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.answering.rounds import Round
from foldwise.stages.answering.units import unit_dir, with_sources
from foldwise.stages.packing.contents import copy_file, copy_question
from foldwise.tasks.problem import open_problem

#: Of a unit, what scoring reads.
_OF_UNIT = ("choices", "weights", "head")
_OF_HOME = ("folds", "groups", "gaps")


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
    for unit in with_sources(open_problem(home), every_unit(rounds)):
        folder = unit_dir(home, unit)
        run = folder.path.parent.parent
        copy_file(run / "run.json", runs / run.name / "run.json")
        packed = runs / run.name / "units" / folder.name
        for name in _OF_UNIT:
            path: Path = getattr(folder, name)
            if path.exists():
                copy_file(path, packed / path.name)
        # No test row is scored there yet.
        publish_json(packed / folder.record.name, {**read_json(folder.record), "test": None})


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
