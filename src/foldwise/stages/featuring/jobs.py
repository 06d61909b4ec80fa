"""The jobs that `features` gives to a cluster: plain functions of paths, in their own process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from foldwise import device as machine
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.publish import locked, publish
from foldwise.samples import Samples
from foldwise.stages.featuring.files import (
    UnitFeatures,
    features_path,
    is_written,
    test_features_path,
    write,
)
from foldwise.stages.training.choices import reuse
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from foldwise.views import views_of

if TYPE_CHECKING:
    import numpy as np

    from foldwise.engine.assemble import Assembly
    from foldwise.models.network import Network
    from foldwise.stages.training.at_work import UnitWork

_TRIAL_BATCHES = 3
_NEEDS = "its features cannot be had"


def write_features(
    home: str, run: str, fold: int | None, seed: int, threads: int, timing: str
) -> str:
    """Write the features of a done unit's network for all rows.

    Args:
        home: the competition's folder.
        run: the run's folder.
        fold: held-out fold; None: all rows.
        seed: of the unit.
        threads: compute threads.
        timing: file for progress.

    Returns:
        What the user should know, or nothing.

    Raises:
        RunError: the unit is not done, or its weights are not those that were trained.
    """
    unit = opened_unit(home, run, fold, seed)
    path = features_path(unit)
    lock = path.with_name(f".lock-{path.stem}")
    # Who comes second waits: it wants the same file.
    with locked(lock, doing=f"writing features of {unit.name}", wait_s=86_400):
        if is_written(unit):
            return "already there"
        if not unit.is_done():
            raise RunError(
                f"{unit.name} is not trained as its run says",
                remedy=f"run `foldwise train {unit.run.name}` first",
            )
        write(unit, _computed(unit, threads, Path(timing)))
    return ""


def infer_rate_of(home: str, run: str, fold: int | None, seed: int) -> float:
    """Images per second that a done unit's network reads and passes, by a few batches."""
    from foldwise.engine.assemble import Assembly
    from foldwise.stages.training.trial import infer_rate
    from foldwise.stages.training.work import laid_out

    unit = opened_unit(home, run, fold, seed)
    assembly = Assembly(unit.problem, unit.recipe)
    network = trained_network(unit, assembly, but=_NEEDS)
    network = laid_out(network, reuse(unit, machine.num_cores()))
    return infer_rate(assembly, network, num_batches=_TRIAL_BATCHES)


def test_features(unit: Unit, threads: int, timing: Path) -> np.ndarray:
    """(M, D) float32 of the test rows alone by a done unit's network, kept for who asks next.

    Args:
        unit: done.
        threads: compute threads.
        timing: file for progress.

    Raises:
        RunError: its weights are not those that were trained.
    """
    import numpy as np

    path = test_features_path(unit)
    # Heads on features of one frozen backbone may want them at a time.
    with locked(path.with_suffix(".lock"), doing=f"features of {unit.name}", wait_s=86_400):
        if not path.exists():
            (found,) = _seen(unit, threads, timing, [unit.problem.test], answers=True)
            publish(path, lambda part: np.save(part, found))
    kept: np.ndarray = np.load(path)
    return kept


def _computed(unit: Unit, threads: int, timing: Path) -> UnitFeatures:
    """Features of train and test rows."""
    problem = unit.problem
    return UnitFeatures(*_seen(unit, threads, timing, [problem.train, problem.test]))


def _seen(
    unit: Unit, threads: int, timing: Path, parts: Sequence[Samples], *, answers: bool = False
) -> list[np.ndarray]:
    """Features by the one forward pass, in the precision that the unit's rows were scored in.

    In a pack, which answers on whatever machine there is, as far as that machine can.
    """
    import numpy as np

    from foldwise.stages.training.at_work import open_work
    from foldwise.stages.training.backbone import backbone_features

    with closing(open_work(unit, reuse(unit, threads), timing=timing)) as at_work:
        at_work.any_backend = answers
        ends = np.cumsum([len(part) for part in parts])
        if at_work.is_frozen:
            # Of these rows alone, by one view.
            update = {"views": ("identity",), "external": ()}
            recipe = unit.recipe.model_copy(update=update)
            with closing(replace(at_work.assembly, recipe=recipe)) as plain:
                packed = unit.run.backbone
                rows = backbone_features(
                    plain,
                    at_work.device,
                    at_work.report,
                    parts,
                    stored=packed if packed.exists() else None,
                )
            return np.split(rows["identity"], ends[:-1])
        return _passed(unit, at_work, parts)


def _passed(unit: Unit, at_work: UnitWork, parts: Sequence[Samples]) -> list[np.ndarray]:
    import numpy as np

    from foldwise.engine.infer import infer
    from foldwise.engine.map_features import map_features
    from foldwise.stages.training.backbone import FeaturesOf
    from foldwise.stages.training.work import laid_out

    network = trained_network(unit, at_work.assembly, but=_NEEDS)
    network = laid_out(network, at_work.choices).to(at_work.device).eval()
    total, before = sum(map(len, parts)), 0
    found: list[np.ndarray] = []
    # Of the images alone: table columns are named by the second-level recipe itself.
    for samples in parts:
        if not len(samples):
            found.append(np.empty((0, found[0].shape[1]), np.float32))
            continue

        def tell(done: int, before: int = before) -> None:
            at_work.report("features", before + done, total)

        if at_work.assembly.gives_maps:
            seen = map_features(
                at_work.assembly,
                FeaturesOf(network),
                samples,
                batch=at_work.eval_batch,
                device=at_work.device,
                autocast=at_work.autocast,
                progress=tell,
            )
            found.append(seen.astype(np.float32))
            before += len(samples)
            continue
        rows = infer(
            FeaturesOf(network),
            replace(at_work.assembly.feed.source(samples), columns=None),
            views=views_of(["identity"]),
            batch=at_work.eval_batch,
            device=at_work.device,
            workers=unit.recipe.train.workers,
            autocast=at_work.autocast,
            progress=tell,
        )
        found.append(rows["identity"].astype(np.float32))
        before += len(samples)
    return found


def trained_network(unit: Unit, assembly: Assembly, *, but: str) -> Network:
    """A done unit's network.

    Args:
        unit: done.
        assembly: of its recipe.
        but: what cannot be done without its weights, for the message.

    Raises:
        RunError: they are not those that were trained.
    """
    from safetensors.torch import load_file

    from foldwise.stages.training.work import checked_weights

    tensors = load_file(checked_weights(unit, but))
    return assembly.trained_network(tensors)


def opened_unit(home: str, run: str, fold: int | None, seed: int) -> Unit:
    """A unit of a run as it is recorded, for a job of its own process."""
    found = Home(Path(home))
    machine.keep_freed_memory()
    record = found.run(run).read_record()
    recipe = from_values(record["recipe"], Recipe, source=f"run {run}")
    return Unit(open_problem(found), recipe, found.run(run), fold, seed, record["epochs"])
