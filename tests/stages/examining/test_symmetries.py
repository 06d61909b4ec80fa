"""Which augmentations turn or mirror so far that the image may be of another class."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.home import Home
from foldwise.publish import publish_json

from .clinic import examine, make_clinic, rules


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A competition in which every flip and turn does harm."""
    found = make_clinic(tmp_path_factory.mktemp("clinic") / "c", ready=False)
    measured(found, **dict.fromkeys(("hflip", "vflip", "rot90", "rot180", "rot270"), False))
    return found


def measured(home: Home, **harmless: bool) -> None:
    """What `init` keeps of the symmetries that it measured."""
    verdicts = {
        name: {"is_harmless": is_harmless, "why": "costs 9%", "swaps": ["left → right (40%)"]}
        for name, is_harmless in harmless.items()
    }
    publish_json(home.assumptions, {"symmetries": {"on": "pixels", "verdicts": verdicts}})


@pytest.mark.parametrize(
    ("augment", "views"),
    [
        ("rot90", {"rot90", "rot180", "rot270"}),
        ("hflip", {"hflip"}),
        ("trivial_augment", {"rot90", "rot270"}),
        ("{name: trivial_augment, without: [rotate]}", set()),
        ("rand_augment", set()),
        ("{name: rand_augment, magnitude: 30}", set()),
        ("aug_mix", set()),
        ("rotate", set()),
        ("{name: rotate, degrees: 45}", set()),
        ("{name: rotate, degrees: 60}", {"rot90", "rot270"}),
        ("{name: rotate, degrees: 180}", {"rot90", "rot180", "rot270"}),
        ("erase", set()),
        ("{name: rotate, degrees: many}", set()),
    ],
)
def test_a_turn_that_comes_near_a_harmful_one_is_named(
    home: Home, augment: str, views: set[str]
) -> None:
    found = examine(home, f"augment=[{augment}]")
    assert rules(found) == ({"harmful-symmetry"} if views else set())
    assert {
        view for finding in found for view in views if f"find {view} harmless" in str(finding)
    } == (views)
    assert len(found) == len(views)


def test_how_to_have_an_augmentation_without_its_turns_is_said(home: Home) -> None:
    (first, _) = examine(home, "augment=[trivial_augment]")
    assert "{name: trivial_augment, without: [rotate]}" in first.remedy
    (first, _) = examine(home, "augment=[{name: rotate, degrees: 90}]")
    assert "degrees to 45 or less" in first.remedy


def test_a_view_counts_as_seen_where_a_turn_reaches_it(tmp_path: Path) -> None:
    clean = make_clinic(tmp_path / "c", ready=False)
    turning, short = "{name: rotate, degrees: 90}", "{name: rotate, degrees: 60}"
    assert examine(clean, "views=[identity, rot90]", f"augment=[{turning}]") == []
    found = examine(clean, "views=[identity, rot90]", f"augment=[{short}]")
    assert rules(found) == {"view-unlike-training"}


def test_turned_views_add_up_and_small_changes_are_no_symmetry(tmp_path: Path) -> None:
    clean = make_clinic(tmp_path / "c", ready=False)
    flips, views = "augment=[hflip, vflip]", "views=[identity, rot180, scales, 'hflip*rotate']"
    assert examine(clean, flips, views) == []
    (found,) = examine(clean, "augment=[hflip]", "views=[identity, 'rotate*rot180']")
    assert "views.1: rot180: a network trained from scratch" in str(found)


def test_what_was_not_measured_is_judged_by_what_was(tmp_path: Path) -> None:
    clean = make_clinic(tmp_path / "c", ready=False)
    both = ("augment=[hflip, rot90]", "views=[identity, transpose]")
    measured(clean, hflip=True, vflip=True, rot180=True, rot90=True)
    assert examine(clean, *both) == []
    measured(clean, hflip=True, vflip=True, rot180=True, rot90=False)
    found = examine(clean, *both)
    texts = [each.message for each in found]
    assert texts[0].startswith("augment.1: rot90: init did not find rot90 harmless (costs 9%; left")
    assert "find rot90 harmless, which transpose may be made of" in texts[1]


def test_views_that_contradict_each_other_or_leave_out_the_image_are_named(tmp_path: Path) -> None:
    clean = make_clinic(tmp_path / "c", ready=False)
    (found,) = examine(clean, "views=[identity, ten_crop, twelve_crop]", "augment=[hflip]")
    assert found.rule == "views"
    assert found.level == "error"
    assert "centre_0.875 would count 1 times and as centre_0.875 2 times" in found.message
    (found,) = examine(clean, "views=[ten_crop]", "augment=[hflip]")
    assert (found.level, found.remedy) == ("warning", "add identity")
