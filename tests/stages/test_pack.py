import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import numpy as np
import pytest

import foldwise
from foldwise.config.writing import write_yaml
from foldwise.errors import ConfigError, DataError, RunError
from foldwise.home import Home
from foldwise.rundir import RunDir
from foldwise.stages.pack import pack_training
from foldwise.stages.packing import install
from foldwise.stages.packing.contents import wanted_recipes
from foldwise.stages.packing.install import code_print
from foldwise.stages.packing.notebooks import training_notebook
from foldwise.stages.packing.platforms import NOTEBOOK_PLATFORMS
from foldwise.stages.packing.wheels import write_wheels
from foldwise.stages.recipes import load_recipe, planned_recipes
from foldwise.stages.sessions.opening import open_home, restore
from foldwise.stages.sync import sync
from foldwise.stages.train import record_run, units_of
from foldwise.stages.training.kin import find_kin
from foldwise.stages.training.prints import recipe_print
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home
from tests.stages.extra_homes import NET, make_teacher, make_units, score, with_external
from tests.stages.mounted_notebooks import QUIET
from tests.stages.small_competition import make_problem
from tests.stages.small_units import ready, with_train


@pytest.mark.parametrize("name", NOTEBOOK_PLATFORMS)
def test_notebooks_are_valid_and_their_code_is_python(name):
    notebook = training_notebook("night", NOTEBOOK_PLATFORMS[name], limit="9h", every="10m")
    nbformat.validate(nbformat.from_dict(notebook))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        compile(cell, name, "exec")
    assert sum(cell.count("\n") + 1 for cell in cells) < 40
    assert 'LIMIT = "9h"' in cells[0]


def test_a_pack_holds_the_same_units(tmp_path):
    home = ready(tmp_path)
    changed = {"recipes": {"a": {"train": {"lr": 0.01}}}, "folds": {"count": 3}, "seeds": [0, 3]}
    write_yaml(home.plan, {**changed, "blends": {"mix": {}}}, overwrite=True)
    (home.code / "deep").mkdir(parents=True)
    (home.code / "deep" / "mine.py").write_text("x = 1\n")
    folder = pack_training(home, on="kaggle", as_name="night", limit="9h", display=QUIET)
    facts = json.loads((folder / "pack.json").read_text())
    assert facts["code"] == code_print(Path(foldwise.__file__).parent)
    assert "train.csv" in facts["marks"]
    packed = Home(folder / "competition")
    recipes = planned_recipes(packed)
    assert {n: recipe_print(recipe) for n, recipe in recipes.items()} == {
        n: recipe_print(recipe) for n, recipe in planned_recipes(home).items()
    }
    (packed.path / "data").symlink_to(home.path.parent / "raw")
    theirs, ours = (
        units_of(open_problem(place), recipes["a"], RunDir(place.runs / "a"), seeds=(0, 3))
        for place in (packed, home)
    )
    assert [unit.inputs for unit in theirs] == [unit.inputs for unit in ours]
    assert (packed.code / "deep" / "mine.py").exists()
    assert "9h" in (folder / "train.ipynb").read_text()


def test_packing_again_replaces_the_pack_and_a_run_goes_by_its_own_recipe(tmp_path):
    home = ready(tmp_path)
    recipe = load_recipe(home, "a", overrides=["train.lr=0.02"])
    units = units_of(open_problem(home), recipe, RunDir(home.runs / "faster"))
    record_run(units[0], (0,))
    folder = pack_training(home, on="colab", as_name="p", display=QUIET)
    (folder / "dataset-metadata.json").write_text('{"id": "me/p"}')
    folder = pack_training(home, ["faster"], on="colab", as_name="p", display=QUIET)
    packed = Home(folder / "competition")
    assert [path.stem for path in packed.recipes.iterdir()] == ["faster"]
    assert recipe_print(planned_recipes(packed)["faster"]) == recipe_print(recipe)
    assert [path.name for path in home.packs.iterdir()] == ["p"]
    assert "me/p" in (folder / "dataset-metadata.json").read_text()


def test_weights_go_along_or_are_refused(tmp_path):
    home = ready(tmp_path / "a")
    (home.path / "weights").mkdir()
    (home.path / "weights" / "w.safetensors").write_bytes(b"w")
    model = {"name": "small_cnn", "pretrained": "weights/w.safetensors"}
    write_yaml(home.recipe("b"), {**SMALL, "model": model})
    folder = pack_training(home, ["b"], on="kaggle", display=QUIET)
    assert (folder / "competition" / "weights" / "w.safetensors").read_bytes() == b"w"
    outside = {**model, "pretrained": str(tmp_path / "w.safetensors")}
    write_yaml(home.recipe("c"), {**SMALL, "model": outside})
    with pytest.raises(ConfigError, match=r"c\.yaml.*outside"):
        pack_training(home, ["c"], on="kaggle", display=QUIET)


def test_what_cannot_be_packed_is_refused(tmp_path):
    home = make_home(tmp_path)
    with pytest.raises(DataError, match="not there yet"):
        pack_training(home, on="kaggle", display=QUIET)
    with pytest.raises(ConfigError, match="no platform known"):
        pack_training(home, on="moon", display=QUIET)
    with pytest.raises(ConfigError, match="no duration"):
        pack_training(home, on="kaggle", limit="soon", display=QUIET)
    with pytest.raises(RunError, match="there is no run"):
        pack_training(home, ["b"], on="kaggle", display=QUIET)
    with pytest.raises(RunError, match="cannot be called"):
        pack_training(home, on="kaggle", as_name="../x", display=QUIET)


def test_teachers_are_packed_with_their_students(tmp_path):
    home = ready(tmp_path, plan={"blends": {"both": {"members": ["a", "b"]}}})
    for name, teacher in (("b", "a"), ("c", "both")):
        write_yaml(home.recipe(name), {**SMALL, "pseudo": {"run": teacher}})
    with pytest.raises(RunError, match="b is taught by a, not among those packed"):
        wanted_recipes(home, ["b"])
    assert list(wanted_recipes(home, ["b", "a"])) == ["b", "a"]
    with pytest.raises(RunError, match="c is taught by a blend, both, and a pack makes none"):
        wanted_recipes(home, ["c", "a", "b"])


def test_a_session_takes_over_students_before_it_has_any_image(tmp_path):
    home = make_problem(tmp_path).home
    for name, more in (("t", {}), ("heir", {"pseudo": {"run": "t"}})):
        write_yaml(home.recipe(name), {**NET, **more})
    pack = pack_training(home, ["t", "heir"], on="kaggle", display=QUIET)
    make_teacher(open_problem(home))
    for unit in make_units(open_problem(home), "heir", pseudo={"run": "t"}):
        score(unit, seed=unit.fold)
    sync(home.path, tmp_path / "store", display=QUIET)
    opened = open_home(pack, tmp_path, tmp_path / "machine")
    assert not opened.cache.exists()
    restore(opened, [tmp_path / "store"], QUIET)
    found = make_units(open_problem(opened), "heir", pseudo={"run": "t"})
    assert [unit.is_done() for unit in found] == [True] * 3


def test_external_data_stay_at_home(tmp_path):
    problem = with_external(tmp_path)
    home = problem.home
    for name, more in (("a", {}), ("t", {"pseudo": {"run": "a"}}), ("e", {"external": ["more"]})):
        write_yaml(home.recipe(name), {**NET, **more})
    with pytest.raises(RunError, match=r"e trains on external data \(more\), and a pack finds"):
        pack_training(home, ["e"], on="kaggle", display=QUIET)
    pack = pack_training(home, ["a", "t"], on="kaggle", display=QUIET)
    packed = open_problem(open_home(pack, tmp_path, tmp_path / "machine"))
    assert packed.external is None
    assert packed.samples.ids.tolist() == problem.samples.ids.tolist()
    assert np.array_equal(find_kin(packed).copies, find_kin(problem).copies[: len(packed.samples)])


def test_wheels_are_the_same_bytes_each_time(tmp_path):
    found = []
    for name in ("a", "b"):
        write_wheels(tmp_path / name)
        files = sorted((tmp_path / name).glob("*.whl"))
        found.append({f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files})
    assert found[0] == found[1]
    assert any(name.startswith("foldwise-") for name in found[0])
    assert not any(name.startswith(("torch", "numpy")) for name in found[0])


def test_a_foldwise_that_is_edited_in_place_is_never_replaced(tmp_path, monkeypatch):
    folder = pack_training(ready(tmp_path), on="kaggle", display=QUIET)
    facts = json.loads((folder / "pack.json").read_text())
    (folder / "pack.json").write_text(json.dumps({**facts, "code": "of another version"}))
    monkeypatch.setattr(install.subprocess, "run", None)  # Nothing may be started.
    monkeypatch.setattr(install, "_is_edited_here", lambda: True)
    with pytest.raises(SystemExit, match="edited in place"):
        install.install(folder, "wheels")


def test_a_foldwise_that_is_here_still_gets_what_it_lacks(tmp_path, monkeypatch):
    folder = pack_training(ready(tmp_path), on="kaggle", display=QUIET)
    assert "is here already" in install.install(folder, "wheels")
    asked = []
    monkeypatch.setattr(install, "lacking", lambda requires: ["tifffile>=2024"])
    monkeypatch.setattr(install, "_run", lambda command, choice: asked.append(command))
    install.install(folder, "wheels")
    (command,) = asked
    assert command[-1] == "tifffile>=2024"


@pytest.mark.slow
def test_the_pack_installs_itself_with_no_index(tmp_path):
    """Into an environment that sees the libraries here, but not this foldwise."""
    folder = pack_training(ready(tmp_path / "a", with_train()), on="kaggle", display=QUIET)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    # All but foldwise itself.
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "foldwise" not in path.name and not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"PIP_NO_INDEX": "1"}

    def said(*command: str | Path) -> str:
        done = subprocess.run(
            [python, *command], env=env, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "is installed" in said(folder / "install.py", "wheels")
    assert str(site) in said("-c", "import foldwise; print(foldwise.__file__)")
    assert said("-m", "foldwise", "--version").startswith("foldwise ")
    assert (tmp_path / "env" / "bin" / "foldwise").exists()
    assert "is here already" in said(folder / "install.py", "wheels")


def test_the_installer_knows_its_words(tmp_path):
    script = Path(foldwise.__file__).parent / "stages" / "packing" / "install.py"
    done = subprocess.run([sys.executable, script, "please"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "wheels|index" in done.stderr
