"""What packs are called on a platform."""

from __future__ import annotations

import pytest

from foldwise.platforms.kaggle_datasets import TITLE_LENGTH
from foldwise.stages.packing.paper import dataset_title, slug_of_title

LONG = "RSNA Screening Mammography Breast Cancer Detection"  # As long as a title may be.


@pytest.mark.parametrize("competition", ["Retina grades", LONG[:42], LONG[:44], LONG, LONG * 2])
def test_packs_of_a_competition_have_datasets_of_their_own(competition: str) -> None:
    packs = ["answer", "night", "night-2", "n" * 60, "n" * 61, "n" * 100]
    titles = [dataset_title(competition, pack) for pack in packs]
    assert len({slug_of_title(title) for title in titles}) == len(packs)
    assert max(map(len, titles)) <= TITLE_LENGTH[1]
    assert [title.endswith(f" {pack}") for title, pack in zip(titles, packs, strict=True)][:3] == [
        True
    ] * 3


def test_competitions_whose_names_begin_alike_have_datasets_of_their_own() -> None:
    assert dataset_title(f"{LONG} 2022", "night") != dataset_title(f"{LONG} 2023", "night")


def test_a_title_that_is_short_enough_is_left_as_it_is() -> None:
    assert dataset_title("Retina grades", "night") == "Retina grades night"
    assert dataset_title(LONG[:44], "night") == f"{LONG[:44]} night"
