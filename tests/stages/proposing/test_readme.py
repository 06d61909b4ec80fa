from __future__ import annotations

import pytest

from foldwise.metrics import METRICS
from foldwise.stages.proposing.readme import metrics_named, read_readme


def read(folder, text, name="README.md"):
    (folder / name).write_text(text)
    return read_readme(folder)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_found_by_each_of_its_words(name):
    for word in METRICS[name].words:
        assert list(metrics_named(f"metric: {word}.", METRICS)) == [name], word


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics: macro f1 and log loss.", ["macro_f1", "log_loss"]),
        ("scored by balanced accuracy", ["balanced_accuracy"]),
        ("a baseline has accuracy 0.9. metric: quadratic weighted kappa", ["qwk"]),
        ("published accuracies are about 0.5", []),
        ("auction of maes", []),
        ("our net reaches an accuracy of 0.8", ["accuracy"]),
    ],
)
def test_the_metric_is_what_answers_are_judged_by(text, expected):
    assert list(metrics_named(text, METRICS)) == expected


@pytest.mark.parametrize(
    ("text", "balanced"),
    [
        ("Train is long-tailed, test is nearly balanced.", True),
        ("The test set is balanced.", True),
        ("The training set is balanced.", False),
        ("The test set is not balanced.", False),
        ("the metric is balanced accuracy on the test set", False),
    ],
)
def test_a_balanced_test_set_is_heard(tmp_path, text, balanced):
    assert (read(tmp_path, text).test_balanced is not None) == balanced


def test_other_texts_are_read_and_other_files_left(tmp_path):
    (tmp_path / "train.csv").write_text("rmse\n")
    (tmp_path / "notes.md").write_text("metric: rmse")
    readme = read(tmp_path, "Submissions are evaluated by **macro F1**.", "overview.txt")
    assert readme.files == ("overview.txt",)
    assert list(readme.metrics) == ["macro_f1"]
