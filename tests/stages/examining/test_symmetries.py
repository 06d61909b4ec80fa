"""Which augmentations turn or mirror so far that the image may be of another class."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.publish import publish_json
from foldwise.rundir import Home

from .clinic import examine, make_clinic, rules


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A competition in which every flip and turn does harm."""
    found = make_clinic(tmp_path_factory.mktemp("clinic") / "c", ready=False)
    harm = {"harmless": False, "reason": "left-turn becomes right-turn"}
    names = ("hflip", "vflip", "rot90", "rot180", "rot270")
    publish_json(found.stamp("symmetries"), dict.fromkeys(names, harm))
    return found


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
    assert {view for finding in found for view in views if f"that {view} does" in str(finding)} == (
        views
    )
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
