"""Heads on features: each evaluated from its arrays as scikit-learn evaluates its own."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from foldwise.errors import ConfigError
from foldwise.models.second_level import HEADS
from foldwise.models.second_level.margins import calibrate
from foldwise.models.second_level.support_vectors import support_vector_outputs
from foldwise.parts import bind

from .cases import other_rows, train_rows

EVERY = [(name, kind) for name, head in HEADS.items() for kind in head.kinds]
FITS = {name: head.fit for name, head in HEADS.items()}


def outputs(name, train, rows, **options):
    head = HEADS[name]
    return head.outputs(bind(FITS, {"name": name, **options}, what="head")(train), rows)


def error_of(kind, found, target):
    if kind == "softmax":
        return np.mean(found.argmax(axis=1) != target)
    if kind == "sigmoid":
        return np.mean((found > 0) != (target > 0.5))
    return np.sqrt(np.mean((found - target) ** 2)) / target.std()


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_a_head_learns_and_its_arrays_hold_no_objects(name, kind):
    train, new = train_rows(kind, num=200), train_rows(kind, num=200, seed=1)
    arrays = HEADS[name].fit(train)
    found = HEADS[name].outputs(arrays, new.rows)
    assert found.shape == (200, 3)
    assert np.isfinite(found).all()
    assert error_of(kind, found, new.target) < 0.5 * error_of(
        kind, found[np.random.default_rng(0).permutation(200)], new.target
    )
    assert all(array.dtype.kind in "fiu" for array in arrays.values())


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_outputs_without_rows_get_a_small_chance_that_is_no_zero(name, kind):
    if kind == "linear":
        return
    train = train_rows(kind)
    target = np.where(train.target == 2, 0, train.target)
    if kind == "sigmoid":
        target = train.target.copy()
        target[:, 2] = 0.0
    found = outputs(name, replace(train, target=target), other_rows())
    probs = softmax(found, axis=1) if kind == "softmax" else expit(found)
    assert probs[:, 2].min() > 0.0
    assert probs[:, 2].max() < 0.05


@pytest.mark.parametrize("name", HEADS)
def test_rows_that_weigh_more_count_more(name):
    kind = HEADS[name].kinds[0]
    train = train_rows(kind, num=80)
    wrong = train.target.copy()
    wrong[60:] = wrong[60:][::-1]
    light = replace(train, target=wrong, weight=np.where(np.arange(80) < 60, 1.33, 0.01))
    new = train_rows(kind, num=200, seed=1)
    errors = [
        np.abs(outputs(name, some, new.rows) - outputs(name, train, new.rows)).mean()
        for some in (light, replace(light, weight=None))
    ]
    assert errors[0] < errors[1]


@pytest.mark.parametrize(
    "options", [{}, {"kernel": "linear"}, {"C": 10.0, "epsilon": 0.01, "gamma": 0.3}]
)
def test_svr_matches_scikit_learn(options):
    train = train_rows("linear")
    found = outputs("svr", train, other_rows(), **options)
    target = train.target.astype(np.float64)
    mean, spread = target.mean(axis=0), target.std(axis=0)
    for column in range(3):
        wanted = SVR(**options).fit(train.rows, (target[:, column] - mean[column]) / spread[column])
        theirs = wanted.predict(other_rows()) * spread[column] + mean[column]
        np.testing.assert_allclose(found[:, column], theirs, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"kernel": "linear", "C": 0.1}])
def test_svc_margins_match_scikit_learn_one_against_the_rest(options):
    train = train_rows("softmax")
    arrays = HEADS["svc"].fit(train, **options)
    margins = support_vector_outputs(
        {name: a for name, a in arrays.items() if name not in ("slope", "offset")}, other_rows()
    )
    for label in range(3):
        machine = SVC(**options).fit(train.rows, train.target == label)
        np.testing.assert_allclose(
            margins[:, label], machine.decision_function(other_rows()), atol=1e-6
        )
    wanted = margins * arrays["slope"] + arrays["offset"]
    np.testing.assert_array_equal(support_vector_outputs(arrays, other_rows()), wanted)


def test_calibration_finds_the_slope_that_made_the_labels():
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(20_000, 1))
    target = (rng.uniform(size=margins.shape) < expit(2.5 * margins - 0.5)).astype(float)
    slope, offset = calibrate(margins, target, np.ones(20_000), "sigmoid")
    np.testing.assert_allclose([slope[0], offset[0]], [2.5, -0.5], atol=0.1)


def test_margins_are_calibrated_on_rows_that_the_machine_has_not_seen():
    rng = np.random.default_rng(0)
    train = replace(
        train_rows("softmax", num=120, num_outputs=2),
        rows=rng.normal(size=(120, 6)),
        target=rng.integers(0, 2, 120),
    )
    found = outputs("svc", train, train.rows, C=1000.0, gamma=1.0)
    # Labels are noise: in-sample margins are perfect, yet nothing is to be had on new rows.
    assert softmax(found, axis=1).max() < 0.75


@pytest.mark.parametrize("weigh", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_knn_matches_scikit_learn(metric, weigh):
    options = {"neighbours": 5, "metric": metric, "weigh": weigh}
    theirs = {"n_neighbors": 5, "metric": metric, "weights": weigh, "algorithm": "brute"}
    train = train_rows("linear")
    found = outputs("knn", train, other_rows(), **options)
    wanted = KNeighborsRegressor(**theirs).fit(train.rows, train.target).predict(other_rows())
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    train = train_rows("softmax")
    probs = softmax(outputs("knn", train, other_rows(), prior=1e-9, **options), axis=1)
    machine = KNeighborsClassifier(**theirs).fit(train.rows, train.target)
    np.testing.assert_allclose(probs, machine.predict_proba(other_rows()), atol=1e-6)


def test_the_prior_of_knn_is_that_of_further_neighbours():
    train = train_rows("softmax", num=4, num_outputs=2)
    train = replace(train, target=np.array([0, 0, 0, 1]))
    found = outputs("knn", train, train.rows, neighbours=1, prior=1.0)
    np.testing.assert_allclose(softmax(found, axis=1)[0], [(1 + 0.75) / 2, 0.25 / 2])


@pytest.mark.parametrize("num_outputs", [2, 3])
def test_boosted_classes_match_scikit_learn(num_outputs):
    train = train_rows("softmax", num=120, num_outputs=num_outputs)
    found = outputs("boosting", train, other_rows(), max_iter=12, min_samples_leaf=5)
    machine = HistGradientBoostingClassifier(
        max_iter=12, min_samples_leaf=5, early_stopping=False, random_state=0
    ).fit(train.rows, train.target)
    np.testing.assert_allclose(
        softmax(found, axis=1), machine.predict_proba(other_rows()), rtol=0, atol=1e-12
    )


def test_boosted_values_match_scikit_learn_to_the_last_bit():
    train = train_rows("linear", num=120)
    found = outputs("boosting", train, other_rows(), max_iter=12, min_samples_leaf=5)
    for column in range(3):
        machine = HistGradientBoostingRegressor(
            max_iter=12, min_samples_leaf=5, early_stopping=False, random_state=0
        ).fit(train.rows, train.target[:, column])
        np.testing.assert_array_equal(found[:, column], machine.predict(other_rows()))


def test_ridge_and_logistic_with_a_given_penalty_match_scikit_learn():
    train = train_rows("linear")
    theirs = Ridge(alpha=0.1 * 60).fit(train.rows, train.target)
    found = outputs("ridge", train, other_rows(), penalty=0.1)
    np.testing.assert_allclose(found, theirs.predict(other_rows()), atol=1e-5)
    train = train_rows("softmax")
    theirs = LogisticRegression(C=1 / (0.1 * 60), tol=1e-10).fit(train.rows, train.target)
    found = softmax(outputs("logistic", train, other_rows(), penalty=0.1), axis=1)
    np.testing.assert_allclose(found, theirs.predict_proba(other_rows()), atol=1e-4)


def test_unknown_heads_and_options_list_what_there_is():
    with pytest.raises(ConfigError, match=r"(?s)head 'svm' is unknown.*boosting, knn, logistic"):
        bind(FITS, "svm", what="head")
    with pytest.raises(ConfigError, match=r"unknown option 'gama'; did you mean 'gamma'"):
        bind(FITS, {"name": "svr", "gama": 1.0}, what="head")
    with pytest.raises(ConfigError, match="greater than 0"):
        bind(FITS, {"name": "svc", "C": -1}, what="head")
