"""The gallery: every recipe is listed, binds on its pack and has nothing the doctor calls wrong."""

from __future__ import annotations

import pytest
from gallery import RECIPES, Entry, copy_recipes, read_entries

from foldwise.config.loading import load
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.engine.assemble import Assembly
from foldwise.home import Home
from foldwise.models.packages import PACKAGES
from foldwise.stages.doctor import doctor
from foldwise.stages.examining.binding import bind_parts
from foldwise.stages.init import init
from foldwise.stages.prepare import prepare
from foldwise.stages.proposing.said import Said
from foldwise.stages.recipes import load_recipe
from foldwise.stages.split import split
from foldwise.tasks.problem import open_problem
from tests.ablation.stand_ins import PACKS
from tests.stages.proposing.raw_folder import QUIET

ENTRIES = [entry for entry in read_entries() if not entry.members]
# Neither weights nor a GPU is where the tests run.
HERE = ("model.pretrained=false", "train.precision=auto")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """A competition of each pack's stand-in, with the gallery's recipes."""
    found = {}
    for pack, make in PACKS.items():
        folder = tmp_path_factory.mktemp(pack)
        make(folder / "raw")
        metric = "macro_f1" if pack == "animals-tail" else None
        said = Said(pretrained="forbidden", metric=metric)
        home = init(folder / "home", data=folder / "raw", said=said, display=QUIET)
        copy_recipes(home.recipes)
        prepare(home, display=QUIET)
        split(home, display=QUIET)
        found[pack] = home
    return found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_recipe_binds_and_passes_the_doctor_on_its_pack(
    homes: dict[str, Home], entry: Entry
) -> None:
    home = homes[entry.pack]
    assert doctor_errors(home, entry) == []
    recipe = load_recipe(home, entry.name, overrides=HERE)
    assert bind_parts(Assembly(open_problem(home), recipe)) == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_what_a_measured_run_has_less_of_is_a_key_of_the_recipe(entry: Entry) -> None:
    full, measured = (load(entry.file, Recipe, overrides=keys) for keys in ((), entry.overrides))
    assert measured.train.epochs <= full.train.epochs
    assert bool(entry.overrides) == (full != measured)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_packaged_weights_are_of_the_recipes_network(entry: Entry) -> None:
    model = load(entry.file, Recipe).model
    source = str(model.pretrained)
    if source.startswith("package:"):
        assert PACKAGES[source.removeprefix("package:")].network == model.name


def test_every_file_is_listed_and_told_of() -> None:
    names = {path.stem for path in RECIPES.glob("*.yaml")}
    assert names == {entry.name for entry in ENTRIES}
    told = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if f"[{name}]({name}.yaml)" not in told] == []


def test_blends_are_of_recipes_that_are_measured_before_them() -> None:
    seen: list[str] = []
    for entry in read_entries():
        assert set(entry.members) <= set(seen), entry.name
        seen += [entry.name] if entry.is_measured else []


def test_the_plans_name_recipes_of_the_gallery() -> None:
    for path in (RECIPES / "plans").glob("*.yaml"):
        plan = load(path, Plan)
        assert set(plan.recipes) <= {entry.name for entry in ENTRIES}


def doctor_errors(home: Home, entry: Entry) -> list[str]:
    found = doctor(home, entry.name, overrides=HERE, trial=False, display=QUIET)
    return [finding.rule for finding in found if finding.level == "error"]
