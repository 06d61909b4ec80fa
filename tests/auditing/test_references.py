import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from foldwise.auditing.references import REFERENCES, majority, nearest_thumbnail
from foldwise.data.folds import FoldProblem, make_folds
from tests.auditing.packs import read_pack, read_thumb


def _problem(num=90, num_test=20, num_classes=3, seed=0):
    """Thumbnails of three patterns under much noise, each row's class known."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 256, (num_classes, 20, 20))
    classes = rng.integers(0, num_classes, num + num_test)
    noise = rng.normal(0, 130, (num + num_test, 20, 20))
    thumbs = np.clip(patterns[classes] + noise, 0, 255).astype(np.uint8)
    folds = rng.permutation(np.arange(num) % 3)
    return thumbs[:num], np.eye(num_classes)[classes[:num]], folds, thumbs[num:]


@pytest.mark.parametrize("name", REFERENCES)
def test_no_row_is_scored_with_targets_of_its_own_fold(name):
    thumbs, target, folds, test = _problem()
    before = REFERENCES[name](thumbs, target, folds, test)
    changed = target.copy()
    changed[folds == 1] = 7.0
    after = REFERENCES[name](thumbs, changed, folds, test)
    np.testing.assert_array_equal(before.oof[folds == 1], after.oof[folds == 1])
    assert (before.oof[folds == 0] != after.oof[folds == 0]).any()
    assert (before.test != after.test).any()


@pytest.mark.parametrize("name", REFERENCES)
def test_gap_rows_are_left_out_of_training(name):
    thumbs, target, folds, test = _problem()
    gap_rows = np.zeros((3, len(folds)), dtype=bool)
    gap_rows[0] = folds == 1
    changed = target.copy()
    changed[folds == 1] = 7.0
    before = REFERENCES[name](thumbs, target, folds, test, gap_rows)
    after = REFERENCES[name](thumbs, changed, folds, test, gap_rows)
    np.testing.assert_array_equal(before.oof[folds == 0], after.oof[folds == 0])


@pytest.mark.parametrize("name", REFERENCES)
def test_class_scores_are_probabilities_and_values_stay_in_range(name):
    thumbs, target, folds, test = _problem()
    scores = REFERENCES[name](thumbs, target, folds, test)
    np.testing.assert_allclose(scores.oof.sum(1), 1)
    np.testing.assert_allclose(scores.test.sum(1), 1)
    values = np.random.default_rng(0).normal(size=(len(folds), 1))
    scores = REFERENCES[name](thumbs, values, folds, test)
    for part in (scores.oof, scores.test):
        assert values.min() - 1e-9 <= part.min() <= part.max() <= values.max() + 1e-9


def test_majority_matches_scikit_learn():
    thumbs, target, folds, test = _problem()
    ours = majority(thumbs, target, folds, test)
    for fold in range(3):
        dummy = DummyClassifier(strategy="prior").fit(
            np.zeros((sum(folds != fold), 1)), target[folds != fold].argmax(1)
        )
        oracle = dummy.predict_proba(np.zeros((sum(folds == fold), 1)))
        np.testing.assert_allclose(ours.oof[folds == fold], oracle)
    np.testing.assert_allclose(ours.test, np.tile(target.mean(0), (len(test), 1)))


@pytest.mark.parametrize("num_neighbours", [1, 5])
def test_nearest_thumbnail_matches_scikit_learn(num_neighbours):
    thumbs, target, folds, test = _problem()

    def vectors(images):
        flat = images.reshape(len(images), -1).astype(float)
        return (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)

    def weigh(distance):
        squared = distance**2
        return 1 / (squared + 0.1 * squared.max(axis=1, keepdims=True))

    oracle = KNeighborsClassifier(num_neighbours, weights=weigh, algorithm="brute")
    oracle.fit(vectors(thumbs), target.argmax(1))
    ours = nearest_thumbnail(thumbs, target, folds, test, num_neighbours=num_neighbours)
    np.testing.assert_allclose(ours.test, oracle.predict_proba(vectors(test)), atol=1e-4)
    held = folds == 2
    oracle.fit(vectors(thumbs[~held]), target[~held].argmax(1))
    np.testing.assert_allclose(
        ours.oof[held], oracle.predict_proba(vectors(thumbs[held])), atol=1e-4
    )


def test_brightness_contrast_and_size_of_the_thumbnails_do_not_matter():
    thumbs, target, folds, test = _problem()
    plain = nearest_thumbnail(thumbs // 2, target, folds, test // 2)
    darker = nearest_thumbnail(thumbs // 2, target, folds, test // 2 + 60)
    larger = nearest_thumbnail(
        (thumbs // 2).repeat(2, axis=1).repeat(2, axis=2), target, folds, test // 2
    )
    coloured = nearest_thumbnail(
        thumbs // 2, target, folds, np.repeat((test // 2)[..., None], 3, axis=-1)
    )
    for other in (darker, larger, coloured):
        np.testing.assert_allclose(plain.test, other.test, atol=1e-4)


def test_flat_images_and_fewer_rows_than_neighbours_give_scores():
    thumbs = np.full((4, 32, 32, 3), 9, dtype=np.uint8)
    target = np.array([[0.0], [1.0], [2.0], [3.0]])
    scores = nearest_thumbnail(thumbs, target, np.array([0, 0, 1, 1]), thumbs[:1])
    assert scores.oof[:, 0].tolist() == pytest.approx([2.5, 2.5, 0.5, 0.5])
    assert scores.test[0, 0] == pytest.approx(1.5)


def test_of_too_many_rows_the_same_sample_is_compared_with_each_time():
    thumbs, target, folds, test = _problem()
    few = nearest_thumbnail(thumbs, target, folds, test, max_rows=12)
    again = nearest_thumbnail(thumbs, target, folds, test, max_rows=12)
    np.testing.assert_array_equal(few.oof, again.oof)
    assert (few.oof != nearest_thumbnail(thumbs, target, folds, test).oof).any()


@pytest.mark.real
def test_folds_by_track_take_the_leak_out_of_sign_tracks():
    table, paths = read_pack("sign-tracks")
    thumbs = np.stack([read_thumb(path) for path in paths])
    train = (table["split"] == "train").to_numpy()
    rows = table[train]
    classes = rows["target"].astype(int).to_numpy()
    ids = rows["id"].to_numpy(dtype=object)

    def accuracy(scheme, groups):
        folds = make_folds(FoldProblem(ids, 5, scheme, strata=classes, groups=groups)).folds
        scores = nearest_thumbnail(
            thumbs[train], np.eye(16)[classes], folds, thumbs[~train], num_neighbours=1
        )
        return (scores.oof.argmax(1) == classes).mean()

    assert accuracy("stratified", None) == pytest.approx(0.88, abs=0.02)
    by_track = accuracy("stratified_group", rows["track"].to_numpy(dtype=object))
    assert by_track == pytest.approx(0.53, abs=0.03)
