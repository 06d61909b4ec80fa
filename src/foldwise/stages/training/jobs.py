"""The jobs that `train` gives to a cluster: plain functions of paths, run in their own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from foldwise import device as machine
from foldwise import predictions as predictions_file
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import locked, publish
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.training.choices import choose, reuse
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem

#: What a job says of a unit that needed nothing.
ALREADY = "already done"


def train_unit(
    home: str,
    run: str,
    fold: int | None,
    seed: int,
    threads: int,
    epochs: int | None,
    rates: str | None = None,
) -> str:
    """Train a unit whose run has a record; killed and started again, it ends with the same bits.

    What the folder holds of another unit's work is kept until all is checked that can be; a unit
    that is there with more epochs is never replaced.

    Args:
        home: the competition's folder.
        run: the run's folder.
        fold: held-out fold; None: all rows.
        seed: of all random draws.
        threads: compute threads.
        epochs: shortened schedule, or None.
        rates: of the recipe as JSON, for the time left; None: not measured.

    Returns:
        What the user should know, or nothing.

    Raises:
        LockedError: another process trains it.
    """
    with _held(home, run, fold, seed, epochs) as unit:
        if unit.is_done():
            unit.folder.drop_states()
        if unit.is_done() or unit.is_pending():
            return ALREADY
        if unit.recipe.is_second_level:
            from foldwise.stages.training import second_level

            return second_level.fit(unit, choose(unit, threads))
        from foldwise.stages.training.work import work

        return work(
            unit, choose(unit, threads), None if rates is None else Rates(**json.loads(rates))
        )


def finish_unit(
    home: str, run: str, fold: int | None, seed: int, threads: int, epochs: int | None
) -> str:
    """Finish a unit that waited for its epoch, which is recorded; arguments as of `train_unit`."""
    with _held(home, run, fold, seed, epochs) as unit:
        if unit.is_done():
            unit.folder.drop_states()
            return ALREADY
        from foldwise.stages.training.work import finish_pending

        return finish_pending(unit, reuse(unit, threads))


def score_unit(
    home: str, run: str, fold: int | None, seed: int, threads: int, epochs: int | None
) -> str:
    """Score the test rows with a done unit's stored weights; arguments as of `train_unit`."""
    with _held(home, run, fold, seed, epochs) as unit:
        if unit.is_scored():
            return ALREADY
        if unit.recipe.is_second_level:
            from foldwise.stages.training import second_level

            return second_level.score_test(unit, reuse(unit, threads))
        from foldwise.stages.training.work import score_test

        return score_test(unit, reuse(unit, threads))


def answer_unit(
    home: str,
    run: str,
    fold: int | None,
    seed: int,
    threads: int,
    epochs: int | None,
    views: str | None = None,
    settled: str | None = None,
) -> str:
    """As `score_unit`, with all the threads it is given and the backend that is done soonest.

    `views` are averaged instead of the recipe's, as JSON. `settled` is a file of scores of test
    rows that it need not look at: they are taken as they are. Other arguments as of `train_unit`.
    """
    with _held(home, run, fold, seed, epochs) as trained:
        unit = trained
        if views is not None:
            recipe = unit.recipe.model_copy(update={"views": tuple(json.loads(views))})
            unit = replace(unit, recipe=recipe)
        if trained.is_done() and read_json(unit.folder.record)["test"] == unit.test_print:
            return ALREADY
        choices = replace(reuse(unit, threads), threads=threads, device=machine.pick().type)
        if unit.recipe.is_second_level:
            from foldwise.stages.training import second_level

            return second_level.answer_test(unit, choices)
        from foldwise.stages.training.work import score_test

        return score_test(
            unit,
            choices,
            answers=True,
            settled=None if settled is None else predictions_file.read(Path(settled)),
        )


def try_backends(
    home: str, run: str, fold: int | None, seed: int, threads: int, epochs: int | None, num: str
) -> dict[str, Any]:
    """Which backend would be done soonest with so many images of a done unit, each view counted.

    Returns:
        `choice`, `of_eager`: the share of eager's time that an image takes by it, `making_s`, and
        `trial`: the file's path in the cache.
    """
    with _held(home, run, fold, seed, epochs) as unit:
        from foldwise.stages.training.work import backend_trial

        trial, path = backend_trial(unit, replace(reuse(unit, threads), threads=threads), int(num))
        found = {each.backend: each for each in trial.candidates}
        chosen, eager = found[trial.choice], found["eager"]
        assert chosen.seconds is not None, "it was timed"
        assert eager.seconds is not None, "it was timed"
        return {
            "choice": trial.choice,
            "of_eager": chosen.seconds / eager.seconds,
            "making_s": chosen.making_s,
            "trial": str(path),
        }


def save_start(home: str, run: str, path: str) -> None:
    """Write the network that a run starts from, whose features its reference stands on.

    Raises:
        RulesError, OfflineError: its weights cannot be had.
    """
    from safetensors.torch import save_file

    from foldwise.engine.assemble import Assembly

    found = Home(Path(home))
    recipe = from_values(found.run(run).read_record()["recipe"], Recipe, source=f"run {run}")
    network = Assembly(open_problem(found), recipe).network()
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    publish(Path(path), lambda part: save_file(tensors, part))


def prepare_features(home: str, run: str, timing: str) -> None:
    """Compute the features of a run's frozen backbone for all samples and views.

    Args:
        home: the competition's folder.
        run: the run's folder.
        timing: file for progress.
    """
    found = Home(Path(home))
    record = found.run(run).read_record()
    recipe = from_values(record["recipe"], Recipe, source=f"run {run}")
    problem = open_problem(found)
    from foldwise.engine.assemble import Assembly
    from foldwise.stages.progress import Reporter
    from foldwise.stages.training.backbone import backbone_features, feature_rows

    with closing(Assembly(problem, recipe)) as assembly:
        backbone_features(assembly, machine.pick(), Reporter(Path(timing)), feature_rows(assembly))


@contextmanager
def _held(home: str, run: str, fold: int | None, seed: int, epochs: int | None) -> Iterator[Unit]:
    found = Home(Path(home))
    folder = found.run(run).unit(fold, seed)
    # Before torch is imported: who comes second must know at once.
    with locked(folder.lock, doing=f"training {Path(run).name}/{folder.name}"):
        record = found.run(run).read_record()
        recipe = from_values(record["recipe"], Recipe, source=f"run {run}")
        yield Unit(open_problem(found), recipe, found.run(run), fold, seed, epochs)
