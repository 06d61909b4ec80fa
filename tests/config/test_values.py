"""Values of competition, recipe and plan that have the right type and no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.config.network import InputConfig, ModelConfig, PresenceConfig, TileConfig
from foldwise.config.plan import Plan
from foldwise.config.recipe import Recipe
from foldwise.config.section import Section
from foldwise.errors import ConfigError

BASES: dict[type[Section], str] = {
    Plan: "recipes:\n  a: {}\n",
    Recipe: "model: {name: small_cnn}\n",
    Competition: "name: c\ndata: d\ntables: {train: t.csv}\ncolumns: {id: id, target: [y]}\n"
    "images: {kind: path, column: p}\ntask: multiclass\nclasses: [a, b]\nmetric: accuracy\n",
}


def loaded(folder: Path, kind: type[Section], text: str) -> Any:
    path = folder / "c.yaml"
    path.write_text(text + BASES[kind])
    return load(path, kind)


@pytest.mark.parametrize(
    ("kind", "text", "wrong"),
    [
        (Plan, "folds: {column: nosuch}", "c.yaml:1: folds: column goes with scheme: column only"),
        (Plan, "folds: {scheme: column}", "c.yaml:1: folds: scheme: column needs column"),
        (Plan, "folds: {gap: 2}", "c.yaml:1: folds: gap goes with scheme: time_blocks only"),
        (Plan, "parallel: -3", "c.yaml:1: parallel: found -3, wanted an integer >= 1"),
        (Plan, "parallel: 0", "c.yaml:1: parallel: found 0, wanted an integer >= 1"),
        (Plan, "seeds: [0, 0]", "c.yaml:1: seeds: 0 stands there twice; name each once"),
        (Plan, "seeds: [-1]", "c.yaml:1: seeds.0: found -1, wanted an integer >= 0"),
        (Plan, "blends: {../x: {}}", "c.yaml:1: blends.../x: '../x' is no name; use up to 100"),
        (Plan, "blends:\n  a b: {}", "c.yaml:2: blends.a b: 'a b' is no name"),
        (Recipe, "train: {limit: soon}", "c.yaml:1: train.limit: 'soon' is no duration; write it"),
        (Recipe, "folds: [1, 1]", "c.yaml:1: folds: 1 stands there twice"),
        (Recipe, "folds: [-1]", "c.yaml:1: folds.0: found -1, wanted an integer >= 0"),
        (Competition, "limits: {inference: soon}", "c.yaml:1: limits.inference: 'soon' is no dur"),
        (Competition, "test_prior: {a: 0, b: 0}", "c.yaml:1: test_prior: found no share above 0"),
        (Competition, "test_prior: {a: -1, b: 2}", "c.yaml:1: test_prior.a: found -1, wanted a n"),
    ],
)
def test_a_value_without_sense_is_refused_by_file_line_and_key(
    tmp_path: Path, kind: type[Section], text: str, wrong: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, kind, text + "\n")
    (found,) = caught.value.problems
    assert found.replace(f"{tmp_path}/", "").startswith(wrong), found


def test_values_with_sense_are_taken(tmp_path: Path) -> None:
    plan = loaded(
        tmp_path,
        Plan,
        "folds: {scheme: column, column: fold}\nparallel: 2\nseeds: [0, 7]\n"
        "blends: {b-fast.2+é: {}}\n",
    )
    assert (plan.parallel, plan.seeds, plan.folds.column) == (2, (0, 7), "fold")
    assert loaded(tmp_path, Plan, "folds: {scheme: time_blocks, gap: 2}\n").folds.gap == 2
    assert loaded(tmp_path, Recipe, "train: {limit: 1h30m}\n").train.limit == "1h30m"
    found = loaded(tmp_path, Competition, "test_prior: {a: 0, b: 2.5}\n")
    assert found.test_prior == {"a": 0, "b": 2.5}


def test_a_presence_head_needs_a_decoder_to_stand_beside() -> None:
    with pytest.raises(ValueError, match="presence stands beside a decoder; set decoder"):
        ModelConfig(name="resnet18", presence=PresenceConfig())
    given = {"name": "resnet18", "decoder": "fpn", "presence": {"weight": 0.5}}
    assert ModelConfig.model_validate(given).presence == PresenceConfig(weight=0.5)


def test_tiles_are_of_images_of_their_own_size_which_are_read_from_originals() -> None:
    native = {"fit": "native", "tile": {"size": 512}}
    assert InputConfig.model_validate(native).tile == TileConfig(size=512, overlap=0.25)
    with pytest.raises(ValueError, match="tile cuts images of their own size, and fit: stretch"):
        InputConfig.model_validate({"tile": {"size": 512}})
    with pytest.raises(ValueError, match="store: raw would keep copies"):
        InputConfig.model_validate({**native, "store": "raw"})
