"""Files that extend others: what wins, what is kept, and where the lines point."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.config.loading import load, origins
from foldwise.errors import ConfigError

from .tree import Tree


def write(folder: Path, **files: str) -> Path:
    """The files, named by their keys; the path of the first."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(files))}.yaml"


BASE = """\
model: {name: resnet18, drop: 0.5}
loss: {name: focal, gamma: 1.5}
augment: [hflip, vflip]
train:
  epochs: 5
  optimizer: {name: sgd, momentum: 0.9}
"""


def test_mappings_merge_and_lists_replace(tmp_path: Path) -> None:
    path = write(tmp_path, b="extends: a.yaml\naugment: [crop]\ntrain: {ema: 0.9}\n", a=BASE)
    tree = load(path, Tree)
    assert tree.augment == ("crop",)
    assert (tree.train.epochs, tree.train.ema) == (5, 0.9)
    assert tree.loss == {"name": "focal", "gamma": 1.5}


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("loss: {gamma: 2}", {"name": "focal", "gamma": 2}),
        ("loss: {name: focal, alpha: 1}", {"name": "focal", "gamma": 1.5, "alpha": 1}),
        ("loss: {name: bce, alpha: 1}", {"name": "bce", "alpha": 1}),
        ("loss: bce", "bce"),
        ("loss: null", None),
    ],
)
def test_a_part_is_replaced_whole_when_its_name_changes(
    tmp_path: Path, text: str, loss: object
) -> None:
    assert load(write(tmp_path, b=f"extends: a.yaml\n{text}\n", a=BASE), Tree).loss == loss


def test_a_deep_part_and_a_named_section_are_replaced_whole(tmp_path: Path) -> None:
    text = "extends: a.yaml\nmodel: {name: vit}\ntrain: {optimizer: {name: adam}}\n"
    tree = load(write(tmp_path, b=text, a=BASE), Tree)
    assert tree.model.drop == 0.0
    assert tree.train.optimizer == {"name": "adam"}


def test_chains_and_folders_are_followed_from_each_file(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write(tmp_path / "base", root=BASE, middle="extends: root.yaml\ntrain: {epochs: 6}\n")
    path = write(tmp_path, b="extends: base/middle.yaml\ntrain: {ema: 0.5}\n")
    tree = load(path, Tree)
    assert (tree.train.epochs, tree.train.ema, tree.model.name) == (6, 0.5, "resnet18")


def test_each_problem_points_to_the_file_where_the_key_stands(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        b="extends: a.yaml\ntrain:\n  batch_size: 0\nloss: {gamma: 2}\n",
        a="model:\n  name: x\ntrain:\n  epochs: 0\n",
    )
    with pytest.raises(ConfigError) as caught:
        load(path, Tree)
    assert [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems] == [
        "a.yaml:4: train.epochs: found 0, wanted an integer >= 1",
        "b.yaml:3: train.batch_size: found 0, wanted an integer >= 1 and <= 4096",
        "b.yaml:4: loss: a part needs a name, as in {name: focal, gamma: 1.5}",
    ]


def test_origins_name_both_files(tmp_path: Path) -> None:
    path = write(tmp_path, b="extends: a.yaml\ntrain: {ema: 0.5}\n", a=BASE)
    found = origins(path)
    assert found["train.epochs"] == f"{tmp_path}/a.yaml:5"
    assert found["train.ema"] == f"{tmp_path}/b.yaml:2"
    assert "extends" not in found


def test_a_circle_is_refused_and_named(tmp_path: Path) -> None:
    path = write(tmp_path, a="extends: b.yaml\n", b="extends: c.yaml\n", c="\nextends: b.yaml\n")
    with pytest.raises(ConfigError) as caught:
        load(path, Tree)
    assert [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems] == [
        "c.yaml:2: extends: files extend each other in a circle: b.yaml -> c.yaml -> b.yaml"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: bse.yaml", r"b\.yaml:1: extends: no file .*bse\.yaml; did you mean base\.yaml"),
        ("extends: gone/x.yaml", r"b\.yaml:1: extends: no file .*relative to this file"),
        ("extends: .", r"b\.yaml:1: extends: no file"),
        ("extends: b.yaml", r"b\.yaml:1: extends: files extend each other in a circle"),
        ("extends: [base.yaml]", r"b\.yaml:1: extends: wanted one file name"),
        ("extends: ", r"b\.yaml:1: extends: wanted one file name"),
        ("extends: 3", r"b\.yaml:1: extends: wanted one file name"),
        ('extends: "a\\0b"', r"b\.yaml:1: extends: found the character"),
    ],
)
def test_what_cannot_be_extended_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, b=text + "\n", base="model: {name: a}\n")
    with pytest.raises(ConfigError, match=message):
        load(path, Tree)


def test_a_broken_base_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, b="extends: a.yaml\n", a="model: [\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:2: not valid YAML"):
        load(path, Tree)
