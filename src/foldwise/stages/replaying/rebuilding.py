"""Makes a submission's runs again, in order, from what is there and what is trained again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foldwise import samples as samples_file
from foldwise.config.recipe import Recipe
from foldwise.data.cache import Cache
from foldwise.data.inputs import wanted_spec
from foldwise.data.spec import THUMB
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.samples import Samples
from foldwise.stages.blend import blend
from foldwise.stages.display import Display
from foldwise.stages.features import feed
from foldwise.stages.predict import merge_units
from foldwise.stages.prepare import prepare
from foldwise.stages.preparing.caches import caches_stand
from foldwise.stages.recipes import network_inputs
from foldwise.stages.replaying.drift import data_of
from foldwise.stages.replaying.place import bring_scores, check_score_files
from foldwise.stages.scheduling.floor import FLOOR, write_floor
from foldwise.stages.scoring.held_out import file_hash
from foldwise.stages.submitting.content import submission_bytes
from foldwise.stages.submitting.provenance import MadeRun, Provenance, direct_parts
from foldwise.stages.train import run_units
from foldwise.stages.training.taught import teach
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem, open_problem

_MAX_NAMED = 5


def rebuilt(
    home: Home, made: Provenance, place: Home, missing: dict[str, list[str]], show: Display
) -> bytes:
    """The bytes of the submission, made again.

    Args:
        home: the competition.
        made: what the submission was made of.
        place: laid out, with the units that are as they were.
        missing: run → units that are trained again.
        show: where progress is shown.

    Raises:
        RunError: units cannot be trained again, or images of theirs are gone.
        DataError: scores from outside are gone.
    """
    if missing:
        _prepare(home, made, place, missing, show)
    problem = open_problem(place)
    for name, run in made.runs.items():
        if name in needed_runs(made, missing):
            _make(home, problem, name, run, show)
    data, _ = submission_bytes(problem, place.run(made.run), made.run)
    return data


def needed_runs(made: Provenance, missing: Mapping[str, Sequence[str]]) -> set[str]:
    """Runs that have to be made; what others only learned from, only if these are trained again."""
    found: set[str] = set()
    waiting = [made.run]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        record = made.runs[name].record
        if record["kind"] != "recipe" or missing.get(name):
            waiting += direct_parts(record, name)
    return found


def _make(home: Home, problem: Problem, name: str, run: MadeRun, show: Display) -> None:
    """One run, once those are there that it is made of."""
    place, kind = problem.home, run.record["kind"]
    if kind == "recipe":
        units = _units(problem, name, run)
        _train([unit for unit in units if not unit.folder.record.exists()], show)
        merge_units(RunDir(place.runs / name), run.record, units)
    elif kind == "blend":
        blend(
            place,
            name,
            method=run.record["method"],
            members=[member["name"] for member in run.record["members"]],
            refit=run.record["refit"],
            gate=run.record["gate"]["name"] if "gate" in run.record else None,
            problem=problem,
            display=show.silent(),
        )
    elif name == FLOOR:
        write_floor(problem)
    elif kind == "files":
        check_score_files(run, name)
    elif kind == "outside":
        bring_scores(home, name, run, place)
    # A reference is merged together with its run.


def _units(problem: Problem, name: str, run: MadeRun) -> list[Unit]:
    recipe = Recipe.model_validate(run.record["recipe"])
    units = [
        Unit(
            problem,
            recipe,
            RunDir(problem.home.runs / name),
            facts["inputs"]["fold"],
            facts["inputs"]["seed"],
            facts["inputs"]["epochs"],
        )
        for facts in run.units.values()
    ]
    # As they were merged: sums of numbers depend on their order.
    return sorted(units, key=lambda unit: (unit.fold is None, unit.fold, unit.seed))


def _train(units: Sequence[Unit], show: Display) -> None:
    if not units:
        return
    fed, unfed = feed(units, display=show)
    taught, untaught = teach(fed, display=show)
    failed = {**unfed, **untaught}
    failed |= {
        outcome.job.name: outcome.error
        for outcome in run_units(taught, display=show)
        if outcome.error is not None
    }
    if failed:
        raise RunError(
            *(f"{name}: cannot be trained again: {why}" for name, why in failed.items()),
            remedy="mend it and replay again: what is trained already stays",
        )


def _prepare(
    home: Home, made: Provenance, place: Home, missing: dict[str, list[str]], show: Display
) -> None:
    """See to it that the recorded images are at hand for training.

    Raises:
        RunError: some have changed or are gone.
    """
    _refuse_second_level(home, made, missing)
    recorded = samples_file.read(place.samples)
    inputs = network_inputs(
        Recipe.model_validate(made.runs[name].record["recipe"]) for name in missing
    )
    wanted = {spec.key: (spec, config) for config in inputs for spec in [wanted_spec(config)]}
    if caches_stand(place, recorded, wanted):
        return
    prepare(place, inputs=inputs, display=show)
    samples_file.write(place.samples, recorded)  # As they were, whatever the tables say now.
    lost = _not_at_hand(place, recorded)
    if lost:
        raise RunError(
            f"{len(lost)} images have changed or are gone, so {', '.join(missing)} cannot be "
            f"trained again: {', '.join(lost[:_MAX_NAMED])}"
            + (" ..." if lost[_MAX_NAMED:] else ""),
            remedy="bring these files back as they were, and replay again",
        )


def _refuse_second_level(home: Home, made: Provenance, missing: dict[str, list[str]]) -> None:
    """Refuse models on features where the tables that features are listed by have changed."""
    second = [
        name
        for name in missing
        if Recipe.model_validate(made.runs[name].record["recipe"]).is_second_level
    ]
    data = data_of(home, made)
    changed = [name for name, digest in made.tables.items() if file_hash(data / name) != digest]
    if second and changed:
        raise RunError(
            f"{', '.join(changed)} changed, so the features that {', '.join(second)} reads cannot "
            "be written again as they were",
            remedy="bring these tables back as they were, and replay again",
        )


def _not_at_hand(place: Home, recorded: Samples) -> list[str]:
    """Files of recorded images that no cache knows."""
    images, thumbs = recorded.whole().every_image(), Cache.open(place.cache, THUMB)
    return [
        str(file)
        for file, sha256 in zip(images.frame["file"], images.hashes, strict=True)
        if sha256 not in thumbs
    ]
