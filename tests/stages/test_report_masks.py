"""The report of runs of masks: what is shown is what was decided, and no more is read for it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.data.sources import ImageRef
from foldwise.errors import DataError
from foldwise.maps.maps import Maps
from foldwise.publish import publish_json
from foldwise.stages.blend import blend
from foldwise.stages.evaluate import evaluate
from foldwise.stages.report import report
from foldwise.stages.reporting import mask_pictures as drawing
from foldwise.stages.reporting.fed import fed_batch
from foldwise.stages.reporting.mask_reader import MaskReader
from foldwise.stages.reporting.mask_sheets import sheets_view
from foldwise.stages.reporting.material import Material, gather
from foldwise.stages.reporting.originals import original
from foldwise.stages.reporting.pictures import Picture
from foldwise.stages.scoring.deciding import read_decided
from foldwise.tasks.problem import Problem, open_problem
from tests.stages.scoring.mask_competition import make_masks, write_maps_run, write_presence_run
from tests.stages.small_competition import QUIET
from tests.stages.small_masks import SMALL_MASKS, masks_ready

_HOSTILE = ["<script>alert(1)</script>", "\u202eevil\u202c \"' onerror=alert(2)"]


def _evaluated(problem: Problem, *, noise: float = 45.0) -> Material:
    write_maps_run(problem, "a", noise=noise)
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    return gather(problem.home)


def _opened(picture: Picture) -> np.ndarray:
    data = base64.b64decode(picture.uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _page(material: Material) -> str:
    return report(material.home, display=QUIET).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Images of dots and bars, and maps in which some are missed."""
    folder = tmp_path_factory.mktemp("report")
    home = masks_ready(folder, submission={"decision": "fitted"})
    return _evaluated(open_problem(home))


def test_each_part_is_there_and_every_picture_can_be_opened(shown: Material) -> None:
    text = _page(shown)
    for words in (
        *("What the mean hides", "Parts found by size", "Is the class there at all?"),
        *("Worst masks by class", "How scores of", "smallest part, px", "Test against train"),
    ):
        assert words in text, words
    assert "could not be read" not in text
    assert "Could not be read" not in text
    pictures = re.findall(r"data:image/\w+;base64,([^\"]+)", text)
    assert len(pictures) > 10
    for picture in pictures:
        Image.open(io.BytesIO(base64.b64decode(picture))).load()


def test_the_same_material_gives_the_same_bytes(shown: Material) -> None:
    first, second = (
        [line for line in _page(shown).splitlines() if "Report written" not in line]
        for _ in range(2)
    )
    assert first == second


def test_no_more_maps_are_read_than_samples_are_shown(
    shown: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = Maps.read

    def counted(maps: Maps, row: int) -> np.ndarray:
        read.append(int(maps.numbers[row]))
        return real(maps, row)

    monkeypatch.setattr(Maps, "read", counted)
    sheets = sheets_view(shown, shown.runs[0])
    assert sheets is not None
    cases = [*sheets["well"]]
    for each in sheets["classes"]:
        cases += [*each["drawn"], *each["false"]]
    names = {case["id"] for case in cases}
    assert len(names) < 32
    assert len(set(read)) == len(names)


def test_answers_shown_are_by_the_decision_without_their_fold(shown: Material) -> None:
    problem = shown.problem
    assert problem is not None
    held = read_decided(problem, shown.runs[0].folder)
    assert held.by_fold
    names = [str(name) for name in problem.train.ids[[1, 5, 30]]]
    reader = MaskReader(problem, shown.runs[0], names)
    for row, name in zip((1, 5, 30), names, strict=True):
        one = reader.sample(name)
        assert one.answer.tobytes() == held.answers[np.array([row])].tobytes()
        assert one.truth.tobytes() == problem.target[np.array([row])].tobytes()
        raw = problem.home.path.parent / "raw" / f"{name}.png"
        np.testing.assert_array_equal(one.pixels, np.asarray(Image.open(raw)))


def test_errors_have_their_colours_and_what_is_not_there_has_none(shown: Material) -> None:
    sheets = sheets_view(shown, shown.runs[0])
    assert sheets is not None
    assert shown.problem is not None
    checked = 0
    for place, each in enumerate(sheets["classes"]):
        cases = [*each["drawn"], *each["false"]]
        reader = MaskReader(shown.problem, shown.runs[0], [case["id"] for case in cases])
        for case in cases:
            if case["whole"] is not None:
                continue  # A part alone is drawn.
            kinds = reader.sample(case["id"]).kinds(place)
            plain, pixels = (_opened(case[name]).astype(int) for name in ("plain", "marked"))
            drawn = np.linalg.norm(pixels - plain, axis=2) > 60
            for kind in (drawing.RIGHT, drawing.FALSE, drawing.MISSED):
                off = np.linalg.norm(pixels - drawing.COLOURS[kind].astype(int), axis=2)
                # JPEG makes a stray pixel; each of the image is shown by many.
                num = int((drawn & (off < 45)).sum())
                assert (num > 8) == (kinds == kind).any(), (case["id"], kind, num)
                checked += 1
    assert checked > 10


def test_stale_scores_have_no_pictures(shown: Material) -> None:
    assert sheets_view(shown, replace(shown.runs[0], is_stale=True)) is None


def test_a_blend_and_a_gated_run_have_their_parts(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home")
    for seed, name in enumerate("ab"):
        write_maps_run(problem, name, noise=45.0 + 15 * seed, seed=seed, false_alarms=True)
    write_presence_run(problem, "g")
    for name in "abg":
        evaluate(problem.home, name, problem=problem, display=QUIET)
    blend(problem.home, "mix", members=["a", "b"], gate="g", problem=problem, display=QUIET)
    text = _page(gather(problem.home))
    assert "Could not be read" not in text
    assert text.count("What the mean hides") == 3
    assert text.count("numbers of pairs at the dots") == 5
    assert "Pairs of image and class by the gate: another run" in text
    assert "Each without the fold that it is of. It is a probability" in text
    assert "Pictures are made for the runs that are open" in text
    assert "Which classes are in an image" in text
    assert "says whether a class is in an image; its decision says whether that is used" in text
    assert "each by its own decision" in text


def test_samples_without_a_prediction_are_told(shown: Material) -> None:
    assert shown.problem is not None
    with pytest.raises(DataError, match="tell of s999, and it has no prediction"):
        MaskReader(shown.problem, shown.runs[0], ["s999"])


def test_exclusive_classes_show_frames_and_a_confusion(tmp_path: Path) -> None:
    home = masks_ready(tmp_path, exclusive=True, metric="mean_iou")
    material = _evaluated(open_problem(home), noise=60.0)
    text = _page(material)
    for words in ("Worst images", "Percent of the pixels of the true class", "wrong pixels"):
        assert words in text, words
    sheets = sheets_view(material, material.runs[0])
    assert sheets is not None
    assert [name for _, name in sheets["class_legend"]] == ["rest", "dot", "bar"]
    frame = sheets["frames"][0]
    (truth,) = [picture for name, picture in frame["panels"] if name == "truth"]
    pixels = _opened(truth)
    assert pixels[0, 0].tolist() == [0, 0, 0]  # A corner of all of them is not counted.
    assert pixels[-1, -1].tolist() != [0, 0, 0]


def test_images_that_are_gone_are_told_and_masks_are_drawn_on_grey(tmp_path: Path) -> None:
    """And names that would run or turn the line around do neither."""
    problem = make_masks(tmp_path / "home", classes=_HOSTILE)
    text = _page(_evaluated(problem, noise=60.0))
    assert "could not be read, and masks are drawn on grey" in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert not re.search(r"<[^>]*\sonerror=", re.sub(r'"[^"]*"', '""', text))
    before = re.findall('(<bdi>|\u2068|")\u202eevil', text)
    assert len(before) == text.count("\u202eevil") > 10


def test_pictures_are_few_however_many_classes_there_are(tmp_path: Path) -> None:
    problem = make_masks(tmp_path / "home")
    material = _evaluated(problem, noise=60.0)
    scores = material.runs[0].scores
    assert scores is not None
    (case,) = [c for c in scores["masks"]["cases"] if c["class"] == "hole"]
    many = [{**case, "class": "hole"}] * 200
    publish_json(
        material.runs[0].folder.scores,
        {**scores, "masks": {**scores["masks"], "cases": many}},
    )
    again = gather(problem.home)
    sheets = sheets_view(again, again.runs[0])
    assert sheets is not None
    cases = [len(each["drawn"]) + len(each["false"]) for each in sheets["classes"]]
    assert 0 < sum(cases) <= 36


def test_the_batch_that_was_fed_shows_its_masks(shown: Material) -> None:
    assert shown.problem is not None
    plain = {**SMALL_MASKS, "augment": []}
    recipe = from_values(plain, Recipe, source="test").model_dump(mode="json")
    fed = fed_batch(shown.problem, {"recipe": recipe, "seeds": [0]})
    assert fed.problem == ""
    assert set(fed.labels) == {"dot", "bar", "dot, bar", "none"}
    for picture, label in zip(fed.pictures, fed.labels, strict=True):
        red, green, _ = np.moveaxis(_opened(picture).astype(int), 2, 0)
        if label == "dot":  # Red of (210, 60, 60), under half of (230, 25, 75).
            assert green[red > 180].mean() == pytest.approx(42, abs=8)
        if label == "none":
            assert red.max() < 120


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_originals_of_any_mode_are_shown_in_colour(tmp_path: Path, mode: str) -> None:
    image = Image.new("L", (5, 4), 77).convert(mode)
    image.save(tmp_path / "a.png")
    pixels = original(ImageRef(tmp_path / "a.png"), (4, 5))
    assert pixels.shape == (4, 5, 3)
    assert (pixels == 77).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_originals_in_arrays_show_their_first_channels(tmp_path: Path, channels: int) -> None:
    rows = np.arange(2 * 4 * 5 * channels, dtype=np.uint8).reshape(2, 4, 5, channels)
    np.save(tmp_path / "a.npy", rows)
    pixels = original(ImageRef(tmp_path / "a.npy", None, 1), (4, 5))
    expected = rows[1, :, :, :3] if channels >= 3 else rows[1, :, :, :1].repeat(3, axis=2)
    np.testing.assert_array_equal(pixels, expected)


def test_an_original_of_another_size_than_its_masks_is_refused(tmp_path: Path) -> None:
    Image.new("L", (5, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="4 x 5 pixels, and its masks have 5 x 4"):
        original(ImageRef(tmp_path / "a.png"), (5, 4))
