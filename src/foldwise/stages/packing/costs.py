"""What a pack's units take: measured here by short trials, and brought to another machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from foldwise import device as machine
from foldwise.cluster.local import Job, Outcome, run_jobs
from foldwise.config.recipe import Recipe
from foldwise.config.writing import fingerprint
from foldwise.data.inputs import image_refs
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.answering.node import Node
from foldwise.stages.answering.units import unit_of, with_sources
from foldwise.stages.packing.planning import Costs
from foldwise.stages.prepare import decode_seconds
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.training.prints import recipe_print
from foldwise.stages.training.starting import unit_job
from foldwise.stages.training.unit import Unit
from foldwise.tasks.asked import data_folder
from foldwise.tasks.problem import Problem
from foldwise.views import num_passes

#: For the process, the tables and the last file; and for a unit's process and weights. Measured on
#: two cores: 6 to 8 s and 1 to 2 s.
_START_S, _UNIT_S = 10.0, 2.0
#: Shorter passes by PyTorch are not worth a trial of what else could make them.
_LEAST_S = 60.0


@dataclass(frozen=True)
class BackendFound:
    """What passes a run's images soonest, where that is not PyTorch.

    Attributes:
        choice: its name.
        of_eager: the share of PyTorch's time that an image takes by it.
        making_s: seconds to make a network's pass.
        trial: file of the trial.
    """

    choice: str
    of_eager: float
    making_s: float
    trial: Path


@dataclass(frozen=True)
class RunCosts:
    """What a run's units take.

    Attributes:
        unit_s: seconds for a process, its weights and its network's pass.
        view_s: seconds of all images in one view.
        num_views: that an image is passed in, each by what it takes.
        is_shared: whether images are passed once for all its units, whose backbone is frozen.
        start_views: views in which all images are passed once more, by the network that the run
            starts from, for its reference.
        is_head: whether it is a second-level model, which passes images by its sources' networks.
        backend: what passes them soonest; None: PyTorch.
    """

    unit_s: float
    view_s: float
    num_views: float
    is_shared: bool
    start_views: float = 0.0
    is_head: bool = False
    backend: BackendFound | None = None

    def first(self, num_views: float) -> float:
        """Seconds of the first unit."""
        return self.unit_s + (num_views + self.start_views) * self.view_s

    def more(self, num_views: float) -> float:
        """Seconds of each other one."""
        return self.unit_s if self.is_shared else self.unit_s + num_views * self.view_s

    def times(self, factor: float) -> RunCosts:
        """On a machine that is so many times slower."""
        return replace(self, unit_s=factor * self.unit_s, view_s=factor * self.view_s)


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        start_s: seconds before the first unit and after the last.
        num_images: test samples, as announced.
        runs: run → what its units take.
        hand_in_s: seconds that answers take after each round, where that is a while.
    """

    start_s: float
    num_images: int
    runs: Mapping[str, RunCosts]
    hand_in_s: float = 0.0

    def costs(self, fewer_views: Mapping[str, float] | None = None) -> Costs:
        """Of all units; run → in how many views its images are passed, where in fewer."""
        views = {name: run.num_views for name, run in self.runs.items()} | dict(fewer_views or {})
        return Costs(
            self.start_s,
            {name: run.first(views[name]) for name, run in self.runs.items()},
            {name: run.more(views[name]) for name, run in self.runs.items()},
            self.hand_in_s,
        )

    def times(self, factor: float) -> Measured:
        """On a machine that is so many times slower."""
        runs = {name: run.times(factor) for name, run in self.runs.items()}
        return Measured(factor * self.start_s, self.num_images, runs, factor * self.hand_in_s)


def measured_here(
    problem: Problem, node: Node, *, num_images: int | None = None, by_any_backend: bool = False
) -> Measured:
    """What a node's units take on this machine.

    Args:
        problem: with images that are prepared.
        node: all that may be packed.
        num_images: test samples that are announced; None: as many as there are now.
        by_any_backend: try also what else than PyTorch could pass the images.

    Raises:
        RunError: a network cannot be run here.
    """
    units = with_sources(problem, node.every_unit)
    recipes = recipes_of(problem, units)
    rates = _rates(problem, units)
    references = {leaf.units[0].split("/")[0] for leaf in node.leaves if leaf.is_reference}
    num_here = len(problem.test)
    num = num_here if num_images is None else num_images
    images = problem.test.every_image()
    data = data_folder(problem.home, problem.competition)
    decoding = decode_seconds(image_refs(images, data), times=num / max(num_here, 1))
    runs = {
        name: RunCosts(
            _UNIT_S,
            num / rates[name],
            num_passes(recipe.views),
            recipe.freeze == "backbone",
            start_views=num_passes(recipe.views) if name in references else 0.0,
        )
        for name, recipe in recipes.items()
        if not recipe.is_second_level
    }
    runs |= {
        name: _of_head([runs[source] for source in recipe.sources])
        for name, recipe in recipes.items()
        if recipe.is_second_level
    }
    tried = _backends(problem, node, runs, num) if by_any_backend else {}
    for name, found in tried.items():
        run = runs[name]
        runs[name] = replace(
            run,
            unit_s=run.unit_s + found.making_s,
            view_s=found.of_eager * run.view_s,
            backend=found,
        )
    return Measured(_START_S + decoding, num, runs)


def _rates(problem: Problem, units: Iterable[str]) -> dict[str, float]:
    """Run → images per second and view, by a few batches through the first of its networks.

    Kept, so that a plan does not change from one look to the next.
    """
    first: dict[str, Unit] = {}
    for name in units:
        unit = unit_of(problem, name)
        if not unit.recipe.is_second_level:
            first.setdefault(unit.run.name, unit)
    paths = {name: _rate_file(unit) for name, unit in first.items()}
    jobs = [_rate_job(name, unit) for name, unit in first.items() if not paths[name].exists()]
    for outcome in _done(jobs):
        publish_json(paths[outcome.job.name], outcome.value)
    return {name: float(read_json(path)) for name, path in paths.items()}


def _rate_file(unit: Unit) -> Path:
    where = [*side_by_side(1), machine.cpu_name(), machine.accelerator()]
    key = fingerprint([recipe_print(unit.recipe), *where])
    return unit.problem.home.step_trial("infer", key)


def _rate_job(name: str, unit: Unit) -> Job:
    return Job(
        name,
        "foldwise.stages.featuring.jobs:infer_rate_of",
        (str(unit.problem.home.path), str(unit.run.path), unit.fold, unit.seed),
        unit.run.path / "rate-log.txt",
        side_by_side(1)[1],
    )


def _done(jobs: Sequence[Job]) -> Iterator[Outcome]:
    """Of trials one after the other; raises RunError if one fails."""
    for outcome in run_jobs(jobs, parallel=1):
        if outcome.error is not None:
            raise RunError(f"{outcome.job.name}: its trial failed: {outcome.error}")
        yield outcome


def _of_head(sources: Sequence[RunCosts]) -> RunCosts:
    """Of a second-level model: each of its units has its sources' networks see all images."""
    return RunCosts(
        unit_s=_UNIT_S + sum(source.unit_s for source in sources),
        view_s=sum(source.view_s for source in sources),
        num_views=1.0,
        is_shared=all(source.is_shared for source in sources),
        is_head=True,
    )


def recipes_of(problem: Problem, units: Iterable[str]) -> dict[str, Recipe]:
    """Run → recipe, of units such as `b/fold0-seed0`."""
    names = dict.fromkeys(unit.split("/")[0] for unit in units)
    records = {name: problem.home.run(name).read_record() for name in names}
    return {name: Recipe.model_validate(record["recipe"]) for name, record in records.items()}


def _backends(
    problem: Problem, node: Node, runs: Mapping[str, RunCosts], num_images: int
) -> dict[str, BackendFound]:
    """By a trial with a trained unit of each run whose images take so long that it may pay."""
    first: dict[str, str] = {}
    for each in node.every_unit:
        first.setdefault(each.split("/")[0], each)
    _, threads = side_by_side(1)
    jobs = []
    for name, run in runs.items():
        if (
            name not in first
            or run.is_head
            or run.is_shared
            or run.num_views * run.view_s < _LEAST_S
        ):
            continue
        num_passed = str(round(num_images * run.num_views))
        unit = unit_of(problem, first[name])
        jobs.append(replace(unit_job("try_backends", unit, threads, None, num_passed), name=name))
    found = {}
    for outcome in _done(jobs):
        if outcome.value["choice"] != "eager":
            trial = Path(outcome.value["trial"])
            found[outcome.job.name] = BackendFound(**{**outcome.value, "trial": trial})
    return found
