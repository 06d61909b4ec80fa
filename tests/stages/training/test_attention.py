"""Attention maps of a unit: which held-out images are chosen, and that the report shows them."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from foldwise.stages.reporting.attention_view import attention_view, overlaid
from foldwise.stages.training.attention import choose_shown, read_attention
from foldwise.stages.training.unit import Unit
from tests.builders import SMALL
from tests.stages.small_units import ready, units, work

BRANCHED = {
    **SMALL,
    "model": {"name": "small_resnet", "branch": {"name": "attention"}},
    "train": {**SMALL["train"], "epochs": 1},
}


def problem_of(unit: Unit) -> str:
    """Why no maps of a unit are shown."""
    view = attention_view(unit.problem, unit.run, unit.run.read_record())
    assert view is not None
    assert view.looked == ()
    return view.problem


def test_the_surest_the_most_mistaken_and_one_of_each_class_are_chosen():
    rng = np.random.default_rng(0)
    perfect = np.eye(4)[np.arange(40) % 4]
    scores = perfect * 0.8 + rng.uniform(0, 0.1, (40, 4))
    scores[7] = [1, 0, 0, 0]
    chosen = choose_shown(scores, perfect)
    distance = np.abs(scores - perfect).sum(axis=1)
    reasons = list(chosen.values())
    assert reasons.count("among the surest") == 3
    assert chosen[7] == "among the most mistaken"
    assert chosen[int(distance.argmin())] == "among the surest"
    of_classes = [row for row, why in chosen.items() if "class" in why]
    assert sorted(row % 4 for row in of_classes) == [0, 1, 2, 3]


@pytest.mark.parametrize("num", [1, 2, 3])
def test_of_few_rows_each_is_chosen_at_most_once(num: int):
    assert 1 <= len(choose_shown(np.zeros((num, 1)), np.zeros((num, 1)))) <= num


def test_a_unit_with_a_branch_keeps_its_maps_and_the_report_lays_them_over(tmp_path):
    home = ready(tmp_path, BRANCHED)
    unit = units(home)[0]
    work(unit)
    found = read_attention(unit.folder.attention)
    assert set(found.ids) <= set(unit.problem.train.ids[unit.valid_rows])
    assert len(found.ids) == len(found.reasons) == len(found.maps)
    assert 0 <= found.maps.min() <= found.maps.max() <= 1
    view = attention_view(unit.problem, unit.run, unit.run.read_record())
    assert view is not None
    assert (view.problem, view.unit) == ("", "fold0-seed0")
    assert [looked.id for looked in view.looked] == list(found.ids)
    assert view.looked[0].picture.width == 2 * view.looked[0].picture.height
    good = unit.folder.attention.read_bytes()
    about = {"ids": '["gone"]', "reasons": '["among the surest"]'}
    save_file({"maps": found.maps[:1]}, unit.folder.attention, metadata=about)
    assert "among the train rows" in problem_of(unit)
    unit.folder.attention.write_bytes(good[: len(good) // 2])
    assert "cannot be shown" in problem_of(unit)


def test_a_unit_without_a_branch_keeps_none(tmp_path):
    unit = units(ready(tmp_path))[0]
    work(unit)
    assert not unit.folder.attention.exists()
    assert attention_view(unit.problem, unit.run, unit.run.read_record()) is None


def test_the_colour_lies_where_the_map_is_high():
    image = np.full((8, 8, 3), 100, np.uint8)
    attention = np.zeros((2, 2))
    attention[0, 1] = 1.0
    left, right = np.split(overlaid(image, attention).astype(int), 2, axis=1)
    assert (left == 100).all()
    redness = right[:, :, 0] - right[:, :, 2]
    assert redness[0, 7] > 150
    assert redness[7, 0] == 0


def test_a_flat_map_is_not_stretched_to_look_like_attention():
    image = np.full((8, 8, 3), 100, np.uint8)
    noise = 0.4997 + np.random.default_rng(0).uniform(0, 1e-4, (5, 5))
    assert (overlaid(image, noise) == 100).all()
