from __future__ import annotations

import pytest

from foldwise.home import Home
from foldwise.stages.init import init
from foldwise.stages.proposing.said import Said
from foldwise.stages.report import report
from foldwise.stages.reporting.assumptions_view import guesses_view, question_view
from foldwise.stages.reporting.material import gather
from tests.stages.proposing.raw_folder import QUIET, make_raw
from tests.stages.small_competition import make_problem


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    folder = tmp_path_factory.mktemp("assumed")
    raw = make_raw(folder / "raw", train={"label": ["cat", "dog"] * 12, "dme": [1] * 24},
                   asked={"label": ["cat"] * 8}, readme="Metric: accuracy.")  # fmt: skip
    return init(folder / "mine", data=raw, said=Said(pretrained="forbidden"), display=QUIET)


def test_values_stand_with_the_reason_of_init_until_they_are_changed(home):
    facts = {fact.name: fact for fact in question_view(gather(home))}
    assert facts["metric"] == ("metric", "accuracy", "the text says 'accuracy'")
    assert facts["pretrained weights"].reason == "as you said"
    text = home.competition.read_text()
    home.competition.write_text(text.replace("metric: accuracy", "metric: macro_f1"))
    facts = {fact.name: fact for fact in question_view(gather(home))}
    assert facts["metric"][1:] == ("macro_f1", "changed by hand; init took accuracy")
    home.competition.write_text(text)


def test_what_else_was_seen_and_measured_is_shown(home):
    found = guesses_view(gather(home))
    topics = {note["topic"] for note in found["notes"]}
    assert {"only in train", "machine", "recipe", "image size"} <= topics
    assert not {"metric", "label", "symmetry"} & topics
    assert {"hflip", "vflip"} <= {row["name"] for row in found["symmetries"]}
    page = report(home, display=QUIET).read_text()
    for words in ("What flips and turns cost", "the text says &#39;accuracy&#39;", "hflip"):
        assert words in page, words


def test_a_competition_that_init_did_not_write_has_no_reasons(tmp_path):
    material = gather(make_problem(tmp_path).home)
    assert guesses_view(material) is None
    assert {fact.reason for fact in question_view(material)} == {""}
