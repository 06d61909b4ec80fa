from __future__ import annotations

import pytest

from foldwise.data.spec import CacheSpec
from foldwise.data.storage import plan_store
from foldwise.errors import BudgetError

SPEC = CacheSpec(258)
RAW = 1000 * 258**2 * 3


@pytest.mark.parametrize(
    ("free", "store", "size_px"),
    [
        (RAW / 0.79, "raw", 258),
        (RAW / 0.9, "raw", 224),
        (RAW * 0.6, "jpeg", 258),
        (RAW * 0.1, "none", 258),
        (0, "none", 258),
    ],
)
def test_what_gives_way_follows_the_rule(free: float, store: str, size_px: int) -> None:
    plan = plan_store(1000, SPEC, int(free), size=224, zoom=1.15)
    assert (plan.spec.store, plan.spec.size_px) == (store, size_px)
    assert plan.need_bytes <= 0.8 * free or store == "none"
    assert str(size_px) in plan.sentence or store == "none"
    assert "1000 images" in plan.sentence


def test_the_sentence_says_what_was_rejected() -> None:
    plan = plan_store(1000, SPEC, int(RAW * 0.6), size=224, zoom=1.15)
    assert "JPEG at 258 px (zoom 1.15) needs" in plan.sentence
    assert "not raw pixels at 258 px" in plan.sentence
    assert "nor raw pixels at 224 px (zoom 1)" in plan.sentence


def test_jpeg_is_no_choice_for_four_channels() -> None:
    plan = plan_store(1000, CacheSpec(258, channels=4), int(RAW * 0.6), size=224, zoom=1.15)
    assert plan.spec.store == "none"


def test_a_store_that_was_asked_for_and_does_not_fit_is_an_error() -> None:
    assert plan_store(10, SPEC, 10**9, size=224, zoom=1.15, store="jpeg").spec.store == "jpeg"
    with pytest.raises(BudgetError, match=r"raw pixels.*\n.*store: auto"):
        plan_store(1000, SPEC, int(RAW * 0.6), size=224, zoom=1.15, store="raw")


def test_images_of_variable_length_need_more() -> None:
    stretch = plan_store(1000, SPEC, 10**12, size=224, zoom=1.15)
    longer = plan_store(1000, CacheSpec(258, "shorter_side"), 10**12, size=224, zoom=1.15)
    assert longer.need_bytes > 1.4 * stretch.need_bytes


def test_what_is_promised_to_other_caches_is_not_given_twice() -> None:
    free = int(RAW / 0.79)
    first = plan_store(1000, SPEC, free, size=224, zoom=1.15)
    second = plan_store(1000, SPEC, free, size=224, zoom=1.15, promised_bytes=first.need_bytes)
    assert (first.spec.store, second.spec.store) == ("raw", "none")
    assert f"{first.need_bytes / 1e9:.2f} GB of it for other caches" in second.sentence
    half = plan_store(1000, SPEC, 2 * free, size=224, zoom=1.15, promised_bytes=first.need_bytes)
    assert half.spec.store == "raw"
