from __future__ import annotations

import re

from foldwise.stages.reporting.mask_charts import found_bars, reliability_chart, short

BINS = [[1, 3], [4, 15], [16, 63]]


def test_bars_are_as_high_as_the_share_found() -> None:
    text = str(found_bars(BINS, [1, 0, 6], [4, 0, 6], about="crack"))
    heights = [
        (float(height), look)
        for height, look in re.findall(r'height="([\d.]+)" class="(a|b area)"', text)
    ]
    (missed, _), (hit, _), (nothing, _), (whole, _) = heights
    assert [look for _, look in heights] == ["b area", "a"] * 2
    assert hit / (hit + missed) == 0.25
    assert (nothing, whole) == (0, hit + missed)
    assert "1/4" in text
    assert "6/6" in text
    assert "0/0" not in text


def test_counts_that_have_no_room_are_left_to_the_table() -> None:
    many = [[4**n, 4 ** (n + 1) - 1] for n in range(12)]
    text = str(found_bars(many, [1234] * 12, [56789] * 12, about="crack"))
    assert "1.2k/57k" not in text
    assert "1.2k/57k" in str(found_bars(BINS, [1234] * 3, [56789] * 3, about="crack"))


def test_dots_stand_at_the_mean_evidence_with_their_counts() -> None:
    bins = [
        {"low": 0.0, "high": 0.1, "mean": 0.02, "share": 0.1, "pairs": 900, "groups": 7},
        {"low": 0.1, "high": 0.2, "mean": 0.03, "share": 0.2, "pairs": 800, "groups": 7},
        {"low": 0.9, "high": 1.0, "mean": 0.95, "share": 1.0, "pairs": 12345, "groups": 3},
    ]
    text = str(reliability_chart(bins, x_label="evidence", about="about"))
    assert text.count("<circle") == 3
    assert ">900<" in text
    assert ">800<" not in text  # It would lie on the first.
    assert ">12k<" in text


def test_counts_are_short() -> None:
    assert [short(n) for n in (0, 999, 1000, 9949, 123456, 2_000_000)] == [
        *("0", "999", "1.0k", "9.9k", "123k", "2.0M")
    ]
