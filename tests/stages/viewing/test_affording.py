"""Which views there is time for."""

import pytest

from foldwise.errors import BudgetError
from foldwise.stages.viewing.affording import Cost, affordable
from foldwise.stages.viewing.candidates import Candidates
from foldwise.views import views_of

VIEWS = views_of(["identity", "hflip", "scale_2", "vflip", "rot180"])
CANDIDATES = Candidates(VIEWS, own=VIEWS[:2], left_out={"rot90": "it does harm"}, doubts={})
COST = Cost({"identity": 10, "hflip": 10, "scale_2": 40, "vflip": 10, "rot180": 0.0}, start=5)


def kept(left: float) -> list[str]:
    return [view.name for view in affordable(CANDIDATES, COST, left).views]


def test_those_that_others_are_compared_with_come_first_then_what_fits():
    assert kept(75) == [view.name for view in VIEWS]
    assert kept(74) == ["identity", "hflip", "scale_2", "rot180"]
    assert kept(40) == ["identity", "hflip", "vflip", "rot180"]
    assert kept(25) == ["identity", "hflip", "rot180"]
    left_out = affordable(CANDIDATES, COST, 40).left_out
    assert left_out["scale_2"] == "there is no time for it within the limit"
    assert left_out["rot90"] == "it does harm"


def test_no_time_for_any_is_an_error():
    with pytest.raises(BudgetError, match="take about 25 s"):
        kept(24)
