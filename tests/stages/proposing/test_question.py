from __future__ import annotations

import pytest

from foldwise.errors import ConfigError, DataError
from foldwise.metrics import METRICS
from foldwise.platforms.kaggle import Listing
from foldwise.stages.proposing.platform import source_of
from foldwise.stages.proposing.question import find_question
from foldwise.stages.proposing.readme import Readme, metrics_named

WORDS = {"label": ["cat", "dog", "emu"] * 10}
BINARY = {"label": ["0", "1"] * 15}
DIGITS = {"label": list("01234") * 6}
GRADES = {"grade": list("01234") * 6}
NUMBERS = {"age": [f"{n / 7:.3f}" for n in range(60)]}
FLAGS = {"a": ["1", "0", "1"] * 10, "b": ["1", "1", "0"] * 10}
ONE_HOT = {"a": ["1", "0", "0"] * 10, "b": ["0", "1", "1"] * 10}


def question(targets, asked=None, text="", *, task=None, metric=None, ask=None, platform=None):
    asked = asked if asked is not None else dict.fromkeys(targets, ("0",))
    readme = Readme(text, (), metrics_named(text, METRICS), None, None, None)
    return find_question(
        targets, asked, readme, task=task, metric=metric, ask=ask, platform=platform
    )


def kaggle_says(words):
    return source_of(Listing("slug", "", words, None, None))


@pytest.mark.parametrize(
    ("targets", "asked", "text", "task", "metric", "gives"),
    [
        (WORDS, None, "", "multiclass", "accuracy", "answers"),
        (WORDS, dict.fromkeys(("cat", "dog", "emu"), ("0.3",)), "", "multiclass", "log_loss",
         "scores"),
        (BINARY, {"label": ("0.5",)}, "", "multiclass", "roc_auc", "scores"),
        (BINARY, {"label": ("0",)}, "evaluated by auc", "multiclass", "roc_auc", "scores"),
        (BINARY, {"label": ("0",)}, "metric: accuracy", "multiclass", "accuracy", "answers"),
        (ONE_HOT, {"a": ("0.5",), "b": ("0.5",)}, "", "multiclass", "log_loss", "scores"),
        (ONE_HOT, None, "", "multiclass", "accuracy", "answers"),
        (GRADES, None, "", "ordinal", "qwk", "answers"),
        (DIGITS, None, "metric: quadratic weighted kappa", "ordinal", "qwk", "answers"),
        (DIGITS, None, "metric: accuracy", "multiclass", "accuracy", "answers"),
        (NUMBERS, None, "", "regression", "rmse", "answers"),
        (NUMBERS, None, "metric: mae", "regression", "mae", "answers"),
        (FLAGS, {"a": ("0.5",), "b": ("0.5",)}, "", "multilabel", "mean_average_precision",
         "scores"),
        (FLAGS, None, "", "multilabel", "macro_f1", "answers"),
        ({"tags": ["a b", "b", "a", "c b"] * 9}, None, "", "multilabel", "macro_f1", "answers"),
    ],
)  # fmt: skip
def test_task_and_metric(targets, asked, text, task, metric, gives):
    found = question(targets, asked, text)
    assert (found.task.name, found.metric, found.guess.gives) == (task, metric, gives)


def test_a_flag_comes_before_the_text():
    found = question(WORDS, text="metric: macro f1", metric="balanced_accuracy")
    assert (found.metric, found.undecided) == ("balanced_accuracy", ())


def test_the_platform_comes_before_the_text_and_after_a_flag():
    platform = kaggle_says("Quadratic Weighted Kappa")
    found = question(DIGITS, text="metric: accuracy", platform=platform)
    assert (found.task.name, found.metric, found.more_metrics) == ("ordinal", "qwk", ())
    assert found.notes[1].reason == "Kaggle says 'Quadratic Weighted Kappa'"
    assert found.undecided == ()
    found = question(DIGITS, text="metric: qwk", platform=platform, metric="accuracy")
    assert (found.metric, found.undecided) == ("accuracy", ())


def test_a_platform_that_names_no_metric_leaves_it_to_the_text():
    found = question(DIGITS, text="metric: qwk", platform=kaggle_says(""))
    assert (found.metric, found.notes[1].reason) == ("qwk", "the text says 'qwk'")
    assert found.undecided == ()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("Laplace Log Likelihood", "which foldwise does not have by name"),
        ("Root Mean Squared Error", "which cannot score multiclass"),
    ],
)
def test_a_metric_of_the_platform_that_will_not_do_is_said_and_the_next_source_heard(words, why):
    doubt = f"Kaggle says {words!r}, {why}"
    found = question(WORDS, text="metric: macro f1", platform=kaggle_says(words))
    assert found.metric == "macro_f1"
    assert found.notes[1].reason == f"the text says 'macro f1'; {doubt}"
    assert found.undecided == (f"metric macro_f1: {doubt}",)
    found = question(WORDS, platform=kaggle_says(words))
    assert (found.metric, found.undecided) == ("accuracy", (f"metric accuracy: {doubt}",))
    asked = []
    question(
        WORDS, platform=kaggle_says(words), ask=lambda text, given: asked.append(text) or given
    )
    assert doubt in asked[0]


def test_a_name_with_more_words_than_the_metrics_is_to_be_checked():
    found = question(WORDS, {**dict.fromkeys(("cat", "dog", "emu"), ("0.3",))},
                     platform=kaggle_says("Weighted Log Loss"))  # fmt: skip
    assert found.metric == "log_loss"
    assert found.undecided == (
        "metric log_loss: Kaggle says 'Weighted Log Loss', which may be more than that",
    )


@pytest.mark.parametrize(
    ("words", "metric"),
    [
        ("Area Under Receiver Operating Characteristic Curve", "roc_auc"),
        ("Categorization Accuracy", "accuracy"),
        ("Log Loss", "log_loss"),
        ("Mean Absolute Error", "mae"),
        ("Multi Class Log Loss", "log_loss"),
        ("Quadratic Weighted Kappa", "qwk"),
        ("Root Mean Squared Error", "rmse"),
    ],
)
def test_names_of_the_platform_are_understood_as_a_whole(words, metric):
    source = kaggle_says(words)
    assert (list(source.metrics), source.is_vague) == ([metric], False)


@pytest.mark.parametrize("task", ["ordinal", "regression", "multiclass"])
def test_a_task_by_flag_is_taken_whatever_the_names_say(task):
    found = question(DIGITS, task=task, metric="accuracy" if task == "multiclass" else "mae")
    assert (found.task.name, found.undecided) == (task, ())


def test_of_several_metrics_the_one_that_fits_the_submission_leads():
    text = "metrics: macro f1 and log loss"
    asked = dict.fromkeys(("cat", "dog", "emu"), ("0.3",))
    found = question(WORDS, asked, text)
    assert (found.metric, found.more_metrics) == ("log_loss", ("macro_f1",))
    found = question(WORDS, None, text)
    assert (found.metric, found.more_metrics) == ("macro_f1", ("log_loss",))


def test_what_nobody_settles_is_undecided_with_the_safe_choice():
    found = question(DIGITS)
    assert found.task.name == "multiclass"
    assert len(found.undecided) == 2
    assert "ordinal" in found.undecided[0]
    assert "metric accuracy" in found.undecided[1]


def test_a_person_is_asked_where_there_is_one():
    asked = []

    def ask(text, default):
        asked.append((text, default))
        return "ordinal" if text.startswith("task") else "mae"

    found = question(DIGITS, ask=ask)
    assert (found.task.name, found.metric, found.undecided) == ("ordinal", "mae", ())
    assert [default for _, default in asked] == ["multiclass", "qwk"]


def test_nobody_is_asked_what_the_text_says():
    def ask(text, default):
        raise AssertionError(text)

    assert question(GRADES, text="metric: qwk", ask=ask).task.name == "ordinal"


def test_an_answer_that_there_is_not_is_an_error():
    with pytest.raises(ConfigError, match="detection"):
        question(DIGITS, ask=lambda text, default: "detection")
    with pytest.raises(ConfigError, match="cannot score"):
        question(GRADES, text="", ask=lambda text, default: "roc_auc")


def test_flags_that_name_nothing_are_errors():
    with pytest.raises(ConfigError, match="there is no task"):
        question(WORDS, task="detection")
    with pytest.raises(ConfigError, match="there is no metric"):
        question(WORDS, metric="accurracy")
    with pytest.raises(ConfigError, match="cannot score task multiclass"):
        question(WORDS, task="multiclass", metric="rmse")


def test_no_task_is_an_error():
    with pytest.raises(DataError, match="no task recognises"):
        question({"mask": [f"1 {n} 5 7" for n in range(40)]}, {"mask": ("",)})


def test_columns_of_which_no_row_is_whole_are_no_task():
    with pytest.raises(DataError, match="no task recognises itself"):
        question({"a": ["1", ""] * 6, "b": ["", "1"] * 6})
