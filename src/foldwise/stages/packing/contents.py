"""What of a competition goes into a pack, so that another machine trains the same units."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.config.recipe import Recipe
from foldwise.config.writing import write_yaml
from foldwise.errors import ConfigError, DataError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.recipes import load_plan, load_recipe, plan_changes, recipe_places
from foldwise.stages.training.kin import pass_on_copies
from foldwise.tasks.problem import open_problem

#: Where the data are to be found, seen from the packed competition.
DATA = "data"
_PACKAGE = "package:"
#: Of a plan, what a session needs as well.
_PLANNED = ("folds", "seeds", "parallel", "machines")
_MADE = ("samples", "masks", "folds", "groups", "gaps", "audit")


@dataclass(frozen=True)
class Contents:
    """What was put into a pack.

    Attributes:
        recipes: by name, resolved with the plan's changes.
        packages: with weights that recipes start from.
        marks: files below the data folder by which it is recognised.
        notes: what the user should know.
    """

    recipes: dict[str, Recipe]
    packages: tuple[str, ...]
    marks: tuple[str, ...]
    notes: tuple[str, ...]


def wanted_recipes(home: Home, names: Sequence[str]) -> dict[str, Recipe]:
    """The recipes to be trained, resolved: of the plan, of `recipes/`, or of runs.

    Args:
        home: the competition.
        names: of recipes or runs; none: all of the plan.

    Raises:
        ConfigError: a recipe is wrong.
        RunError: there is neither such a recipe nor such a run, or the pack would lack what one is
            trained on.
    """
    changes = plan_changes(home) if home.plan.is_file() else {}
    found = {}
    for name in names or load_plan(home).recipes:
        if home.recipe(name).is_file():
            found[name] = load_recipe(home, name, changes=changes.get(name))
        else:
            record = home.new_run(name).read_record()
            if record["kind"] != "recipe":
                raise RunError(
                    f"{name} is a {record['kind']}, which is not trained",
                    remedy="name the recipes or runs that it is made of",
                )
            found[name] = Recipe.model_validate(record["recipe"])
    for name, recipe in found.items():
        _check_fed(home, name, recipe, found)
    return found


def _check_fed(home: Home, name: str, recipe: Recipe, packed: Collection[str]) -> None:
    """Refuse a recipe of which the pack would not have all that it is trained on."""
    if recipe.external:
        raise RunError(
            f"{name} trains on external data ({', '.join(recipe.external_weights)}), and a pack "
            "finds the competition's own data alone",
            remedy=f"train {name} at home, or take external out of it",
        )
    blends = [name for name in recipe.teachers if name not in packed and _is_blend(home, name)]
    if blends:
        raise RunError(
            f"{name} is taught by a blend, {', '.join(blends)}, and a pack makes none",
            remedy=f"name the runs that it is made of in pseudo.run, or train {name} at home",
        )
    for how, runs in (
        ("fitted on features of", recipe.sources),
        ("taught by", recipe.teachers),
    ):
        lacking = [run for run in runs if run not in packed]
        if lacking:
            raise RunError(
                f"{name} is {how} {', '.join(lacking)}, not among those packed",
                remedy="name these as well",
            )


def _is_blend(home: Home, name: str) -> bool:
    if home.plan.is_file() and name in load_plan(home).blends:
        return True
    record = read_json(home.new_run(name).record)
    return record is not None and record["kind"] == "blend"


def copy_contents(home: Home, target: Home, recipes: dict[str, Recipe]) -> Contents:
    """Write the packed competition: its question, plan, recipes, code, rows and folds.

    Raises:
        DataError: there are no samples or folds yet.
        ConfigError: weights lie where the pack cannot take them along.
    """
    for path in (home.samples, home.folds):
        if not path.exists():
            raise DataError(
                f"{path}: not there yet",
                remedy="run `foldwise prepare` and `foldwise split`, so that every session has "
                "the same folds",
            )
    for name in _MADE:
        if getattr(home, name).exists():
            copy_file(getattr(home, name), getattr(target, name))
    for stage in ("audit", "split"):
        if home.stamp(stage).exists():
            copy_file(home.stamp(stage), target.stamp(stage))
    if any(recipe.has_extra_rows for recipe in recipes.values()):
        # A session knows by it which units of earlier ones are its own, before it has any image.
        pass_on_copies(open_problem(home), target.stamp("copies"))
    copy_question(home, target)
    for name, recipe in recipes.items():
        write_yaml(target.recipe(name), recipe.model_dump(mode="json", exclude_defaults=True))
    write_yaml(target.plan, _plan(home, recipes))
    return Contents(
        recipes,
        tuple(_packages(recipes.values())),
        _marks(home, load(home.competition, Competition)),
        tuple(_take_weights(home, target, recipes)),
    )


def copy_question(home: Home, target: Home) -> None:
    """Write what is asked, with the competition's own code."""
    for path in sorted(home.code.rglob("*.py")):
        copy_file(path, target.code / path.relative_to(home.code))
    competition = load(home.competition, Competition)
    values = competition.model_dump(mode="json", exclude_defaults=True)
    values.pop("external", None)  # No packed recipe trains on any, and its images stay here.
    write_yaml(target.competition, {**values, "data": DATA})


def _plan(home: Home, recipes: Iterable[str]) -> dict[str, Any]:
    """The plan for these recipes; what blends and hands in stays at home."""
    plan = load_plan(home).model_dump(mode="json", exclude_defaults=True)
    kept = {name: value for name, value in plan.items() if name in _PLANNED}
    return {"recipes": {name: {} for name in recipes}, **kept}


def _packages(recipes: Iterable[Recipe]) -> list[str]:
    specs = [recipe.model.pretrained for recipe in recipes if not recipe.is_second_level]
    return sorted({spec.removeprefix(_PACKAGE) for spec in map(str, specs) if _PACKAGE in spec})


def _take_weights(home: Home, target: Home, recipes: dict[str, Recipe]) -> list[str]:
    """Copy the files that recipes start from; what is left to be downloaded is told."""
    notes = []
    for name, recipe in recipes.items():
        spec = False if recipe.is_second_level else recipe.model.pretrained
        if spec is True:
            notes.append(f"{name}: pretrained: true needs the internet in the notebook")
        elif spec and not spec.startswith(_PACKAGE):
            given = home.path / Path(spec).expanduser()
            if not given.resolve().is_relative_to(home.path.resolve()):
                places = recipe_places(home, name) if home.recipe(name).is_file() else None
                raise ConfigError(
                    f"{places.of('model.pretrained') if places else name}: {spec} is outside of "
                    f"{home.path}, so the pack cannot take it along",
                    remedy="copy it into the competition's folder and name it from there",
                )
            copy_file(given, target.path / given.resolve().relative_to(home.path.resolve()))
    return notes


def _marks(home: Home, competition: Competition) -> tuple[str, ...]:
    """Tables, and the first and last image of train and of test."""
    tables = competition.tables
    found = [tables.train, *([tables.test] if tables.test is not None else [])]
    samples = samples_file.read(home.samples)
    for split in ("train", "test"):
        files = [str(file) for file in samples.part(split).frame["file"]]
        found += [files[0], files[-1]] if files else []
    return tuple(dict.fromkeys(found))


def copy_file(source: Path, target: Path) -> None:
    """Copy a file into a folder that may not be there yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
