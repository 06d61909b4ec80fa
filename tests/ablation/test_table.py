"""The tables: what is a verdict, what is a screen, and what is not said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import table
from gallery import Entry
from studies import BASE, SCREEN, VERDICT, Study, Trick
from work import Place

from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.stages.evaluate import evaluate
from tests.stages.small_competition import QUIET, make_problem, write_run
from tests.stages.test_compare import few_resamples, seeded_run

__all__ = ["few_resamples"]  # A fixture of every test here, too.

STUDY = Study(
    pack="pack",
    init=(),
    num_folds=3,
    num_first=1,
    base={},
    tricks=(
        Trick("good", BASE, {}),
        Trick("same", BASE, {}),
        Trick("early", BASE, {}),
        Trick("over_good", "good", {}),
        Trick("never", BASE, {}),
    ),
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data", tmp_path, kept=tmp_path / "kept")


def section(place: Place) -> str:
    return table.study_section(STUDY, table.new_figures(place, STUDY))


def done(place: Place, name: str, *counts: int | str, **facts: Any) -> None:
    for count in counts:
        publish_json(place.step(place.study(STUDY), name, str(count)), {"num_units": 1, **facts})


def rows(text: str) -> dict[str, list[str]]:
    lines = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): [cell.strip(" |") for cell in cells[1:]] for cells in lines[1:]}


def test_a_study_tells_verdicts_screens_and_what_was_not_run(place: Place) -> None:
    problem = make_problem(place.study(STUDY).path, thumbs=False)
    noises = {BASE: 1.0, "good": 0.3, "same": 1.0}
    for first, (name, noise) in enumerate(noises.items()):
        seeded_run(problem, name, [noise] * 8, first=first)
        done(place, name, 3, 4, cpu_s=20.0)
    for first, name in enumerate(("early", "over_good")):
        seeded_run(problem, name, [0.3] * 3, first=10 + first)
        done(place, name, 3, cpu_s=30.0)
    text = section(place)
    assert text.startswith("## pack\n\nBase: accuracy 0.")
    assert "mean of 8 seeds" in text
    found = rows(text)
    assert list(found) == ["good", "same", "early", "over_good over good"]
    assert (found["good"][0], found["good"][3:]) == ("8 × 3", ["better", "1.00×"])
    assert float(found["good"][1]) > 0
    assert found["same"][3] == "undecided"
    # Its difference is as large as that of `good`, but it was only screened.
    assert (found["early"][0], found["early"][3:]) == ("3 × 3", ["screened only", "1.50×"])
    assert found["over_good over good"][3:] == ["screened only", "1.50×"]
    assert "Not run yet: never." in text


def test_a_quick_screen_stands_apart_and_says_its_folds(place: Place) -> None:
    problem = make_problem(place.study(STUDY).path, thumbs=False)
    for first, name in enumerate((BASE, "good")):
        seeded_run(problem, name, [1.0] * 3, first=first)
        done(place, name, 3, cpu_s=20.0)
    seeded_run(problem, "early", [0.3] * 3, first=2, folds=[0])
    done(place, "early", "3-fold0", cpu_s=10.0)
    found = rows(section(place))
    assert found["good"][0] == "3 × 3"
    # The base was timed over as many units as `good`, not as few as `early`.
    assert found["good"][4] == "1.00×"
    assert (found["early"][0], found["early"][3:]) == ("3 × 1", ["screened only", ""])
    done(place, BASE, "3-fold0", cpu_s=8.0)
    assert rows(section(place))["early"][4] == "1.25×"


def test_a_study_that_was_not_begun_says_so(place: Place) -> None:
    text = section(place)
    assert text == "## pack\n\nNot run yet: good, same, early, over_good, never.\n"
    assert rows(text) == {}


def test_a_trick_waits_for_the_verdict_until_its_reference_has_the_seeds(place: Place) -> None:
    problem = make_problem(place.study(STUDY).path, thumbs=False)
    seeded_run(problem, BASE, [1.0] * 3)
    seeded_run(problem, "good", [0.3] * 8, first=1)
    done(place, BASE, 3)
    done(place, "good", 3, 4)
    assert rows(section(place))["good"][3] == "screened only"


def test_no_ratio_is_told_where_a_time_is_not_known(place: Place) -> None:
    problem = make_problem(place.study(STUDY).path, thumbs=False)
    for name in (BASE, "good"):
        seeded_run(problem, name, [1.0] * 3)
    done(place, BASE, 3)
    done(place, "good", 3, cpu_s=20.0)
    assert rows(section(place))["good"][4] == ""


def entry(name: str, **facts: Any) -> Entry:
    usual = {"overrides": (), "members": (), "method": "mean", "is_measured": True, "init": ()}
    return Entry(name=name, pack="pack", shows="a thing", num_folds=3, **{**usual, **facts})


def test_the_gallery_gives_a_figure_only_of_what_was_run(place: Place) -> None:
    ran, rest = entry("ran", overrides=("train.epochs=2",)), entry("rest")
    problem = make_problem(place.gallery(ran).path, thumbs=False)
    write_run(problem, "ran")
    evaluate(problem.home, "ran", display=QUIET)
    publish_json(place.step(problem.home, "ran", "1"), {"num_units": 3, "cpu_s": 300.0})
    found = rows(table.gallery_table([ran, rest], table.new_scores(place, [ran, rest])))
    score = read_json(problem.home.run("ran").scores)["score"]
    assert found["[ran](ran.yaml)"][2].startswith(f"accuracy {score:.3f} (")
    assert found["[ran](ran.yaml)"][3:] == [
        "cross-fitted, 3 folds, one seed",
        "5 min",
        "`foldwise train ran train.epochs=2`",
    ]
    assert found["[rest](rest.yaml)"][2] == "not run"


def test_a_table_replaces_only_what_is_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table: begin -->\nold\n<!-- table: end -->\nafter\n")
    for _ in range(2):
        table.replace_marked(page, "new\n")
    assert page.read_text() == (
        "before\n<!-- table: begin -->\n\nnew\n\n<!-- table: end -->\nafter\n"
    )


def test_every_page_has_its_marks() -> None:
    for page in (table.ABLATIONS, table.GALLERY):
        text = page.read_text(encoding="utf-8")
        assert text.index("<!-- table: begin -->") < text.index("<!-- table: end -->")
    assert len(SCREEN.seeds) < len(VERDICT.seeds)
