"""What a file means, what is refused, and what the refusal says."""

from __future__ import annotations

import datetime
import random
import time
from pathlib import Path
from typing import Any

import pytest

from foldwise.config.describing import sections_below
from foldwise.config.loading import branches, from_options, from_values, load, origins
from foldwise.config.recipe import Recipe
from foldwise.config.writing import dump
from foldwise.errors import ConfigError

from .tree import TrainTree, Tree

GOOD = """\
# A recipe.
title: my recipe
model: {name: resnet18, pretrained: "package:weights"}
input:
  size: 128
loss: {name: focal, gamma: 1.5}
augment:
  - hflip
  - {name: crop, scale: [0.5, 1]}
train:
  epochs: 5
  learning_rate: 1e-3
  optimizer: sgd
  until: 07:00
folds: [0, 1]
"""


def file_with(folder: Path, text: str, name: str = "b.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, *overrides: str, **options: Any) -> list[str]:
    """The problems' text, with the folder left out."""
    with pytest.raises(ConfigError) as caught:
        load(file_with(folder, text), Tree, overrides=overrides, **options)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_file_is_read_with_the_types_of_its_fields(tmp_path: Path) -> None:
    tree = load(file_with(tmp_path, GOOD), Tree)
    assert tree.train.learning_rate == 1e-3
    assert tree.train.until == "07:00"
    assert tree.folds == (0, 1)
    assert tree.augment == ("hflip", {"name": "crop", "scale": [0.5, 1]})
    assert tree.input.mean == (0.5, 0.5, 0.5)


def test_numbers_become_text_as_written_where_only_text_is_meant(tmp_path: Path) -> None:
    text = "model: {name: 007}\nclasses: [0, 1.50, true, no, 1e3]\nprior: {0: 0.5, 1: 0.5}\n"
    tree = load(file_with(tmp_path, text), Tree)
    assert tree.model.name == "007"
    assert tree.classes == ("0", "1.50", "true", "no", "1e3")
    assert tree.prior == {"0": 0.5, "1": 0.5}


def test_a_time_with_zone_is_read(tmp_path: Path) -> None:
    text = "model: {name: a}\ndeadline: 2026-03-31T23:59:00+00:00\n"
    wanted = datetime.datetime(2026, 3, 31, 23, 59, tzinfo=datetime.UTC)
    assert load(file_with(tmp_path, text), Tree).deadline == wanted


def test_the_message_has_file_line_dotted_key_and_nearest_name(tmp_path: Path) -> None:
    assert problems(tmp_path, "model: {name: a}\ntrain:\n  epocs: 3\n") == [
        "b.yaml:3: train.epocs: unknown key; did you mean train.epochs?"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 3", "b.yaml:2: epochs: unknown key; did you mean train.epochs?"),
        ("start_lr: 3", "b.yaml:2: start_lr: unknown key; did you mean blends.NAME.start_lr?"),
        (
            "train.epochs: 3",
            "b.yaml:2: train.epochs: unknown key; a dot opens no section in a file, ",
        ),
        ("train: {epochs: ten}", "b.yaml:2: train.epochs: found 'ten', wanted an integer >= 1"),
        ("train: {epochs: 0}", "b.yaml:2: train.epochs: found 0, wanted an integer >= 1"),
        ("train: {epochs: 2.0}", "b.yaml:2: train.epochs: found 2.0, wanted an integer >= 1"),
        ("train: {epochs: true}", "b.yaml:2: train.epochs: found true, wanted an integer >= 1"),
        ("train: {epochs: }", "b.yaml:2: train.epochs: found nothing, wanted an integer >= 1"),
        (
            "train: {epochs: '3'}",
            "b.yaml:2: train.epochs: found '3', wanted an integer >= 1; take off the quotes",
        ),
        (
            'train: {learning_rate: "0,1"}',
            "b.yaml:2: train.learning_rate: found '0,1', wanted a number > 0; "
            "write the decimal comma as a point",
        ),
        (
            "train: {deterministic: no}",
            "b.yaml:2: train.deterministic: found 'no', wanted true or false; "
            "YAML 1.2 reads no as text, write false",
        ),
        ("train: {ema: 2}", "b.yaml:2: train.ema: found 2, wanted a number > 0 and < 1, or null"),
        ("train: 3", "b.yaml:2: train: found 3, wanted keys (epochs, batch_size, learning_rate,"),
        (
            "input: {fit: strech}",
            "b.yaml:2: input.fit: found 'strech', wanted one of stretch, pad; "
            "did you mean stretch?",
        ),
        ("input: {mean: [1, 2]}", "b.yaml:2: input.mean.2: missing; wanted a number"),
        (
            "loss: {gamma: 2}",
            "b.yaml:2: loss: a part needs a name, as in {name: focal, gamma: 1.5}",
        ),
        ("augment: [hflip,\n [crop]]", "b.yaml:3: augment.1: found a list of 1, wanted a name, or"),
        ("folds: [0, x]", "b.yaml:2: folds.1: found 'x', wanted an integer"),
        ("folds: most", "b.yaml:2: folds: found 'most', wanted all; or a list, each an integer"),
        (
            "train: {stages: [{epochs: 1}, {start_lr: 1}]}",
            "b.yaml:2: train.stages.1.epochs: missing; wanted an integer >= 1",
        ),
        (
            "train: {stages: [{epochs: 1, trainable: {lst: 2}}]}",
            "b.yaml:2: train.stages.0.trainable.lst: unknown key; wanted one of head, all; or keys",
        ),
        (
            "train:\n  ema: 0.9\n  average_last: 2",
            "b.yaml:2: train: ema and average_last are two ways to average; choose one",
        ),
        (
            "blends: {b: {epochs: 1, epoch: 2}}",
            "b.yaml:2: blends.b.epoch: unknown key; did you mean blends.b.epochs?",
        ),
        (
            "deadline: 2026-03-31T23:59:00",
            "b.yaml:2: deadline: found '2026-03-31T23:59:00', wanted a date",
        ),
        ("classes: [a, [b]]", "b.yaml:2: classes.1: found a list of 1, wanted text"),
        ("title: null", "b.yaml:2: title: found nothing, wanted text"),
    ],
)
def test_each_wrong_value_says_where_found_and_wanted(
    tmp_path: Path, text: str, message: str
) -> None:
    found = problems(tmp_path, f"model: {{name: a}}\n{text}\n")
    assert len(found) == 1
    assert found[0].startswith(message), found


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "classes: 3\ntitel: x\nmodel: {nam: a}\ntrain:\n  epochs: x\n  epochs: 4\n"
    found = problems(tmp_path, text)
    assert [problem.partition(": ")[0] for problem in found] == [
        f"b.yaml:{line}" for line in (1, 2, 3, 3, 5, 6)
    ]


def test_fifty_problems_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    found = problems(tmp_path, "".join(f"key{place}: 1\n" for place in range(300)))
    assert len(found) == 51
    assert found[-1] == "... and 251 more"  # Of 300 unknown keys and a missing one.


def test_a_file_of_wrong_keys_alone_is_refused_fast(tmp_path: Path) -> None:
    start = time.process_time()
    problems(tmp_path, "".join(f"key{place}: 1\n" for place in range(10_000)))
    assert time.process_time() - start < 10


def test_hints_are_given_only_where_they_would_do(tmp_path: Path) -> None:
    text = "model: {name: a}\ninput: {fit: '1'}\ntrain: {epochs: yes, batch_size: '1,5'}\n"
    assert problems(tmp_path, text) == [
        "b.yaml:2: input.fit: found '1', wanted one of stretch, pad",
        "b.yaml:3: train.epochs: found 'yes', wanted an integer >= 1",
        "b.yaml:3: train.batch_size: found '1,5', wanted an integer >= 1 and <= 4096",
    ]


def test_a_missing_section_is_named_for_an_empty_file(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == [
        "b.yaml:1: model: missing; wanted keys (name, pretrained, drop, options)"
    ]


def test_an_override_changes_one_key(tmp_path: Path) -> None:
    tree = load(
        file_with(tmp_path, GOOD),
        Tree,
        overrides=[
            "train.learning_rate=1e-4",
            "loss=null",
            "augment=[vflip, {name: crop, p: 0.5}]",
            "augment.1.p=0.25",
            "model.options.depth=3",
            "title='a: b # c'",
            "classes=[0, 1]",
            "train.epochs=6",
            "train.epochs=7",
        ],
    )
    assert tree.train.learning_rate == 1e-4
    assert tree.loss is None
    assert tree.augment == ("vflip", {"name": "crop", "p": 0.25})
    assert tree.model.options == {"depth": 3}
    assert tree.title == "a: b # c"
    assert tree.classes == ("0", "1")
    assert tree.train.epochs == 7


@pytest.mark.parametrize("override", ["loss=bce", "loss.name=bce", "loss={name: bce}"])
def test_an_override_of_a_parts_name_drops_the_old_parts_options(
    tmp_path: Path, override: str
) -> None:
    loss = load(file_with(tmp_path, GOOD), Tree, overrides=[override]).loss
    assert loss in ("bce", {"name": "bce"})


@pytest.mark.parametrize("override", ["loss.alpha=1", "loss={alpha: 1}"])
def test_an_override_of_a_parts_option_keeps_the_others(tmp_path: Path, override: str) -> None:
    tree = load(file_with(tmp_path, GOOD), Tree, overrides=[override])
    assert tree.loss == {"name": "focal", "gamma": 1.5, "alpha": 1}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epocs=1", "override train.epocs: unknown key; did you mean train.epochs?"),
        ("trian.epochs=1", "override trian.epochs: trian: unknown key; did you mean train.epochs?"),
        ("epochs=1", "override epochs: unknown key; did you mean train.epochs?"),
        ("train.epochs=x", "override train.epochs: found 'x', wanted an integer >= 1"),
        ("train.epochs=", "override train.epochs: no value; write null for none"),
        ("train.epochs", "override 'train.epochs': wanted key=value"),
        ("=1", "override '=1': wanted key=value"),
        ("a..b=1", "override 'a..b=1': wanted key=value"),
        ("train.epochs=[1", "override train.epochs: not valid YAML"),
        ("train.epochs=*a", "override train.epochs: alias *a is refused"),
        ("train.epochs=!!int 3", "override train.epochs: tag"),
        ("train.until=a: b", "override train.until: found 'a: b', wanted a value, [...] or {...}"),
        ("title=a # b", "override title: found 'a # b', wanted a value"),
        ("title=#fff", "override title: found '#fff', wanted a value"),
        ("train.epochs.x=1", "override train.epochs.x: train.epochs is 5 and has no keys"),
        ("folds.7=1", "override folds.7: folds is a list of 2, wanted a place from 0"),
        ("mix={gamma: 1}", "override mix: unknown key"),
        ("train.optimizer={lr: 1}", "override train.optimizer: a part needs a name"),
        ("folds=[0] # x", "override folds: found '[0] # x', wanted a value"),
        ("augment=[{p: 1}]", "override augment: augment.0: a part needs a name"),
    ],
)
def test_a_wrong_override_names_itself(tmp_path: Path, override: str, message: str) -> None:
    found = problems(tmp_path, GOOD, override)
    assert len(found) == 1
    assert found[0].startswith(message), found


PLAN = """\
recipes:
  a: {}
  b:
    train:
      epochs: 8
      weight_decay: 0.5
"""


def changes_in(folder: Path, text: str, *overrides: str) -> dict[str, Any]:
    (folder / "plan.yaml").write_text(text)
    return branches(folder / "plan.yaml", "recipes", overrides=overrides)


def test_another_files_changes_lie_between_file_and_overrides(tmp_path: Path) -> None:
    path = file_with(tmp_path, GOOD)
    changes = changes_in(tmp_path, PLAN)["b"]
    tree = load(path, Tree, changes=changes, overrides=["train.epochs=9"])
    assert (tree.train.epochs, tree.train.weight_decay) == (9, 0.5)
    assert load(path, Tree, changes=changes_in(tmp_path, PLAN)["a"]) == load(path, Tree)


def test_a_wrong_change_names_its_own_file_line_and_whole_path(tmp_path: Path) -> None:
    found = problems(
        tmp_path, GOOD, changes=changes_in(tmp_path, PLAN.replace("epochs: 8", "epoch: 8"))["b"]
    )
    assert found == ["plan.yaml:5: recipes.b.train.epoch: unknown key; did you mean train.epochs?"]
    found = problems(
        tmp_path, GOOD, changes=changes_in(tmp_path, PLAN, "recipes.b.train.epochs=soon")["b"]
    )
    assert found == ["override recipes.b.train.epochs: found 'soon', wanted an integer >= 1"]
    given = origins(file_with(tmp_path, GOOD), changes=changes_in(tmp_path, PLAN)["b"])
    assert given["train.weight_decay"] == f"{tmp_path}/plan.yaml:6"
    assert given["loss.name"] == f"{tmp_path}/b.yaml:6"


def test_what_is_missing_is_missing_in_the_file_not_in_its_changes(tmp_path: Path) -> None:
    found = problems(tmp_path, "title: t\n", changes=changes_in(tmp_path, PLAN)["b"])
    assert found == ["b.yaml:1: model: missing; wanted keys (name, pretrained, drop, "
                     "options)"]  # fmt: skip


def test_options_of_the_command_line_are_read_as_yaml_and_checked() -> None:
    assert from_options({"optimizer": "{name: sgd, nesterov: true}"}, TrainTree).optimizer == {
        "name": "sgd",
        "nesterov": True,
    }
    assert from_options({"optimizer": "sgd"}, TrainTree).optimizer == "sgd"
    for text, wrong in [
        ("{name: ", "--optimizer: not valid YAML"),
        ("{nesterov: true}", "--optimizer: a part needs a name"),
        ("[sgd]", "--optimizer: found a list of 1, wanted a name, or {name: ..., option: ...}"),
        ("", "--optimizer: no value"),
    ]:
        with pytest.raises(ConfigError) as caught:
            from_options({"optimizer": text}, TrainTree)
        assert str(caught.value).startswith(wrong), str(caught.value)


def test_plain_values_are_checked_like_a_file() -> None:
    tree = from_values({"model": {"name": "a"}, "folds": [0]}, Tree, source="run.json")
    assert from_values(dump(tree), Tree, source="run.json") == tree
    with pytest.raises(ConfigError, match=r"^run\.json: model\.name: missing; wanted text"):
        from_values({"model": {}}, Tree, source="run.json")
    with pytest.raises(ConfigError, match=r"^run\.json: holds no plain values"):
        from_values({"model": {"name": object()}}, Tree, source="run.json")


def test_origins_tell_where_each_key_stands(tmp_path: Path) -> None:
    found = origins(file_with(tmp_path, GOOD), overrides=["loss.gamma=2"])
    assert found["loss.name"] == f"{tmp_path}/b.yaml:6"
    assert found["loss.gamma"] == "override loss.gamma"
    assert found["augment.1.scale.0"] == f"{tmp_path}/b.yaml:9"


def _typo(draw: random.Random, word: str) -> str:
    """One slip of the finger: a letter left out, doubled, swapped, or its neighbour struck."""
    letters, place = "abcdefghijklmnopqrstuvwxyz_", draw.randrange(len(word))
    return draw.choice(
        [
            word[:place] + word[place + 1 :],
            word[:place] + word[place] + word[place:],
            word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
            word[:place] + draw.choice(letters) + word[place + 1 :],
            word[:place] + draw.choice(letters) + word[place:],
        ]
    )


def _nested(keys: list[str]) -> str:
    """`{train: {epocs: 1}}` in flow, beside the model that has to be there."""
    text = "1"
    for key in reversed(keys):
        text = f"{{{key}: {text}}}"
    return text[1:-1]


def test_of_a_thousand_typos_none_is_accepted_and_nearly_all_are_understood(tmp_path: Path) -> None:
    draw, path = random.Random(0), tmp_path / "t.yaml"
    places = [
        (prefix, name, section)
        for prefix, section in sections_below(Recipe)
        for name in section.model_fields
        if ".N" not in prefix
    ]
    done = right = 0
    while done < 1000:
        prefix, name, section = draw.choice(places)
        typo = _typo(draw, name)
        if typo in section.model_fields or not typo:
            continue
        keys = [*prefix.split(".")[:-1], typo]
        path.write_text(_nested(keys) + "\n")
        with pytest.raises(ConfigError) as caught:
            load(path, Recipe)
        wanted = f"{'.'.join(keys)}: unknown key; did you mean {prefix}{name}?"
        right += any(problem.endswith(f":1: {wanted}") for problem in caught.value.problems)
        done += 1
    print(f"typos planned 1000, done {done}, accepted 0, right suggestion {right}")
    assert right >= 950
