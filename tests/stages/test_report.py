"""The report: one file that asks for nothing, runs no foreign script, and bears what is missing."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foldwise.config.loading import load
from foldwise.config.recipe import Recipe
from foldwise.home import Home
from foldwise.publish import publish_json, publish_text
from foldwise.rundir import RunDir
from foldwise.stages.audit import audit
from foldwise.stages.blend import blend
from foldwise.stages.evaluate import evaluate
from foldwise.stages.prepare import prepare
from foldwise.stages.report import report
from foldwise.stages.split import split
from foldwise.stages.submit import submit
from foldwise.tasks.problem import Problem, open_problem
from tests.builders import SMALL, make_home
from tests.stages.small_competition import QUIET, make_problem, noisy, write_run, write_scores

_VOID = {"meta", "img", "br", "link", "input", "hr"}
#: Names that would run, break out of an attribute, turn the line around, or open a comment.
_HOSTILE = (
    "<script>alert(1)</script>",
    "\"' onerror=alert(2) x='",
    "\u202eevil\u202c <!-- &amp; {{ 7*7 }}",
)
_SECTIONS = ("now", "scores", "blends", "ledger", "runs", "ground", "audit", "folds", "spread")


class _Page(HTMLParser):
    """Collects tags and refuses those that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] for _, attrs in self.tags if name in attrs]


def _read(home: Home) -> tuple[str, _Page]:
    text = report(home, display=QUIET).read_text(encoding="utf-8")
    return text, _Page(text)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A whole competition whose names, ids, notes and texts are hostile; images are real."""
    competition = {"name": f"c {_HOSTILE[0]}", "undecided": [f"metric: {_HOSTILE[1]}"]}
    home = make_home(
        tmp_path_factory.mktemp("hostile"),
        recipes={"a": SMALL},
        competition={**competition, "classes": list(_HOSTILE), "on_damaged": "skip"},
    )
    raw = home.path.parent / "raw"
    for name in ("train", "test", "sample_submission"):
        table = pd.read_csv(raw / f"{name}.csv", dtype=str)
        table["id"] += f"-{_HOSTILE[1]}"
        if "label" in table and name == "train":
            table["label"] = [_HOSTILE[int(label)] for label in table["label"]]
        table.to_csv(raw / f"{name}.csv", index=False)
    shutil.copy(raw / "images/000.png", raw / "images/004.png")
    (raw / "images/001.png").write_bytes(b"no image")
    prepare(home, display=QUIET)
    audit(home, display=QUIET)
    split(home, display=QUIET)
    problem = open_problem(home)
    recipe = load(home.recipe("a"), Recipe).model_dump(mode="json", exclude={"folds"})
    write_run(problem, "a", noise=0.5, **recipe)
    _write_units(RunDir(home.runs / "a"))
    write_run(problem, _HOSTILE[1], noise=0.9, seed=1)
    for name in ("a", _HOSTILE[1]):
        evaluate(home, name, problem=problem, display=QUIET)
    blend(home, "mix", members=["a", _HOSTILE[1]], problem=problem, display=QUIET)
    submit(home, "a", problem=problem, display=QUIET)
    return home


def _write_units(run: RunDir) -> None:
    """Two units done with curves and hostile notes, one that failed with a hostile log."""
    for fold in range(3):
        unit = run.unit(fold, 0)
        if fold == 2:
            publish_text(unit.log, f"Traceback\nValueError: {_HOSTILE[0]}\n")
            continue
        rows = "".join(
            f"{e},0.1,{2 / e},{2 / e + 0.1 * e},0.5,{1 / e},{1 / e}\n" for e in range(1, 6)
        )
        columns = (
            "epoch,lr,train_loss,valid_loss,valid_score,train_squared_error,valid_squared_error"
        )
        publish_text(unit.history, f"{columns}\n{rows}")
        publish_text(unit.timing, '{"phase": "train", "seconds": 61.5}\n')
        publish_json(unit.record, {"epochs": 5, "notes": [_HOSTILE[0]]})


@pytest.fixture(scope="module")
def page(hostile: Home) -> tuple[str, _Page]:
    return _read(hostile)


def test_has_every_section_in_order(page: tuple[str, _Page]) -> None:
    ids = [attrs["id"] for tag, attrs in page[1].tags if tag == "section"]
    assert ids == list(_SECTIONS)


def test_asks_for_nothing_from_anywhere(page: tuple[str, _Page]) -> None:
    text, found = page
    assert all(uri.startswith("data:image/") for uri in found.attributes("src"))
    assert all(link.startswith("#") for link in found.attributes("href"))
    assert not {"link", "iframe", "object", "embed", "form", "base"} & {t for t, _ in found.tags}
    assert not re.search(r"https?:|@import|url\(", text)


def test_links_lead_somewhere_and_ids_are_unique(page: tuple[str, _Page]) -> None:
    ids = page[1].attributes("id")
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in page[1].attributes("href")} <= set(ids)


def test_policy_allows_our_style_and_script_alone(page: tuple[str, _Page]) -> None:
    text, found = page
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_nothing_hostile_becomes_markup(page: tuple[str, _Page]) -> None:
    text, found = page
    names = {name for _, attrs in found.tags for name in attrs}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert sum(tag == "script" for tag, _ in found.tags) == 1
    assert "<script>alert" not in text
    # Data is never a template: it arrives as it is.
    assert "{{ 7*7 }}" in found.text
    for name in _HOSTILE:
        assert " ".join(name.split()) in found.text


def test_names_that_turn_the_line_around_are_isolated(page: tuple[str, _Page]) -> None:
    before = re.findall('(<bdi>|\u2068|")\u202eevil', page[0])
    assert len(before) == page[0].count("\u202eevil") > 20


def test_says_what_is_submitted_how_it_was_got_and_what_is_undecided(
    page: tuple[str, _Page],
) -> None:
    text = page[1].text
    assert "submission.csv is 0001-a" in text
    assert "cross-fitted" in text
    assert "Undecided." in text
    assert text.count("undecided") > 4  # On every score, not only in the banner.


def test_shows_pictures_damage_duplicates_units_and_the_batch_that_was_fed(
    page: tuple[str, _Page],
) -> None:
    text = page[1].text
    assert "Damaged images" in text
    assert "Duplicates with different labels" in text
    assert "1 unit not done" in text
    assert "overfitting" in text
    assert "First batch of epoch 1 (fold 0 held out, seed 0) at 16 × 16 px" in text
    assert len(page[1].attributes("src")) > 40


def test_every_term_of_the_loss_has_its_curves(page: tuple[str, _Page]) -> None:
    assert "training and held-out loss by epoch" in page[1].text
    assert "training and held-out squared error, a term of the loss by epoch" in page[1].text


def test_beside_a_blend_the_best_recipe_is_open_too(tmp_path: Path) -> None:
    problem = make_problem(tmp_path)
    for seed, name in enumerate(("a", "b")):
        write_run(problem, name, noise=0.5 + seed, seed=seed)
        evaluate(problem.home, name, problem=problem, display=QUIET)
    blend(problem.home, "mix", members=["a", "b"], problem=problem, display=QUIET)
    submit(problem.home, "mix", problem=problem, display=QUIET)
    _, found = _read(problem.home)
    runs = [attrs for tag, attrs in found.tags if tag == "details" and attrs.get("class") == "run"]
    assert ["open" in attrs for attrs in runs] == [True, True, False]


def test_same_material_gives_same_bytes_but_for_one_line(
    hostile: Home, page: tuple[str, _Page]
) -> None:
    again = report(hostile, display=QUIET).read_text(encoding="utf-8")
    ours, theirs = page[0].splitlines(), again.splitlines()
    assert len(ours) == len(theirs)
    differ = [a for a, b in zip(ours, theirs, strict=True) if a != b]
    assert all(line.startswith("<p>Report written ") for line in differ)


def test_zero_has_no_sign(page: tuple[str, _Page]) -> None:
    assert not re.search(r"[-\u2212]0(\.0+)?(?![\d.])", page[1].text)


def test_is_small(page: tuple[str, _Page]) -> None:
    assert len(page[0].encode()) < 500_000


def test_a_competition_that_has_only_just_begun_has_a_report(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    _, found = _read(home)
    assert "Nothing has been scored yet" in found.text
    assert "have not been audited yet" in found.text
    assert "no folds yet" in found.text


@pytest.mark.parametrize("task", ["multiclass", "ordinal", "multilabel", "regression"])
def test_every_task_with_one_fold_done_and_no_audit(tmp_path: Path, task: str) -> None:
    problem = make_problem(tmp_path, task, group_size=2)
    write_run(problem, "b", folds=(0,))
    evaluate(problem.home, "b", problem=problem, display=QUIET)
    _, found = _read(problem.home)
    assert "have not been audited yet" in found.text
    assert "1 of 3" in found.text
    assert "Test against train" in found.text


def test_damaged_files_are_told_not_fatal(tmp_path: Path) -> None:
    problem = make_problem(tmp_path)
    for name in ("good", "bad"):
        write_run(problem, name)
        evaluate(problem.home, name, problem=problem, display=QUIET)
    RunDir(problem.home.runs / "bad").scores.write_text("{", encoding="utf-8")
    RunDir(problem.home.runs / "good").oof.write_bytes(b"no table")
    problem.home.audit.write_text("[", encoding="utf-8")
    _, found = _read(problem.home)
    assert found.text.count("Could not be read:") == 3
    assert "scores are older than its predictions" in found.text


def test_a_submission_that_is_not_ours_is_called_out(tmp_path: Path) -> None:
    problem = make_problem(tmp_path)
    write_run(problem, "a")
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    problem.home.submission.write_text("id,label\n", encoding="utf-8")
    assert "was not written by foldwise" in _read(problem.home)[1].text


def test_many_classes_are_listed_by_their_confusions(tmp_path: Path) -> None:
    classes = [f"class {k}" for k in range(60)]
    problem = _many(tmp_path, classes)
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    text, found = _read(problem.home)
    assert "60 classes, too many for a matrix" in found.text
    assert not [attrs for _, attrs in found.tags if "matrix dense" in attrs.get("class", "")]
    assert len(text.encode()) < 500_000


def _many(folder: Path, classes: list[str]) -> Problem:
    """A run of many classes, two of which are often confused."""
    from foldwise import samples as samples_file

    problem = make_problem(folder, classes=classes, num_train=360)
    found = problem.samples
    labels = [classes[k % len(classes)] for k in range(360)] + [""] * len(problem.test)
    samples_file.write(
        problem.home.samples, type(found)(found.frame.assign(**{"cell:label": labels}))
    )
    problem = open_problem(problem.home)
    rng = np.random.default_rng(3)
    scores: Any = noisy(problem, problem.one_hot, 0.1, rng)
    scores[problem.target == 3] = scores[problem.target == 4][0]
    write_scores(
        problem,
        RunDir(problem.home.runs / "a"),
        problem.train.ids,
        scores,
        problem.folds,
        scores[: len(problem.test)],
    )
    return problem
