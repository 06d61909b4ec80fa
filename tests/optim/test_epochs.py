"""Which side the images of each epoch have."""

from __future__ import annotations

import pytest

from foldwise.optim.epochs import epochs_of
from foldwise.optim.presets import warmup_cosine
from foldwise.optim.schedule import Stage, shorten

STAGES = (Stage(4, "all", 0.1, 0.1, size=96), Stage(2, "head_norms", 0.1, 0.0, augment=False))


def test_a_stage_has_its_own_side_or_the_full_one():
    found = epochs_of(STAGES, (), 128)
    assert [epoch.size for epoch in found] == [96, 96, 96, 96, 128, 128]
    assert [epoch.augment for epoch in found] == [True] * 4 + [False] * 2
    assert [epoch.progress for epoch in found] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


@pytest.mark.parametrize("num", range(2, 13))
@pytest.mark.parametrize("sizes", [(64,), (64, 96), (64, 96, 112, 128)])
def test_sides_take_near_equal_parts_in_their_order_and_the_last_ends_it(num, sizes):
    stages = warmup_cosine(epochs=num, warmup=1, lr=0.1, min_lr=0.0)
    found = [epoch.size for epoch in epochs_of(stages, sizes, 160)]
    assert found == sorted(found)
    assert found[-1] == sizes[-1]
    counts = [found.count(size) for size in sizes]
    assert max(counts) - min(counts) <= 1


def test_a_shortened_schedule_keeps_the_sides_of_its_stages():
    assert [epoch.size for epoch in epochs_of(shorten(STAGES, 3), (), 128)] == [96, 96, 128]
    assert epochs_of((), (64, 96), 128) == ()
