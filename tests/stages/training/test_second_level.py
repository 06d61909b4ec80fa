"""Second-level units: scored as scikit-learn would, fitted without the held-out fold."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError, DataError, RunError
from foldwise.json_files import read_json
from foldwise.publish import publish_json
from foldwise.samples import Samples
from foldwise.stages.display import Display
from foldwise.stages.examining.binding import bind_second_level
from foldwise.stages.features import feed
from foldwise.stages.featuring import files
from foldwise.stages.picking.families import make_up
from foldwise.stages.predict import predict
from foldwise.stages.scoring.how_got import how_got
from foldwise.tasks.problem import open_problem
from tests.stages.fed_units import (
    fed_units,
    fitted,
    made_up,
    make_source,
    rescore,
    set_weights,
    weights_of,
    work,
)
from tests.stages.small_competition import make_problem


def with_columns(problem):
    """The problem with columns in its tables: `dose` says the first score, `only` is in train."""
    frame = problem.samples.frame.copy()
    is_train = (frame["split"] == "train").to_numpy()
    dose = np.full(len(frame), 5.0)
    dose[is_train] = problem.one_hot[:, 0] * 10
    frame["cell:dose"] = [f"{value:.3f}" for value in dose]
    frame["cell:site"] = ["north" if n % 2 else "south" for n in range(len(frame))]
    frame["cell:only"] = np.where(is_train, "1", "")
    samples_file.write(problem.home.samples, Samples(frame))
    return open_problem(problem.home)


def within_5(rows):
    return np.clip(rows, -5.0, 5.0)


def valid_of(unit):
    ids = unit.problem.train.ids[unit.valid_rows]
    return predictions_file.read(unit.folder.valid).align(ids, name="valid")


@pytest.mark.parametrize(
    ("task", "head", "better_than"),
    [
        ("multiclass", "logistic", 0.8),
        ("multiclass", {"name": "svc", "C": 2.0}, 0.8),
        ("multiclass", {"name": "boosting", "min_samples_leaf": 5}, 0.7),
        ("multilabel", "svc", 0.85),
        ("multilabel", "knn", 0.85),
        ("ordinal", "svr", 0.75),
        ("ordinal", "logistic", 0.6),
        ("regression", "ridge", -6.0),
    ],
)
def test_every_task_is_scored_far_better_than_chance(tmp_path, task, head, better_than):
    problem = make_problem(tmp_path, task, num_folds=2, thumbs=False)
    make_source(problem)
    units = fitted(problem, {"head": head})
    assert predict(problem.home, "second", problem=problem).folds == (0, 1)
    oof = predictions_file.read(problem.home.run("second").oof)
    scores = oof.align(problem.train.ids, name="oof").scores
    value = problem.score(problem.metric, scores, problem.default_decision())
    assert (value if problem.metric.higher_is_better else -value) > better_than
    assert units[0].folder.weights.stat().st_size < 1_000_000


def test_folds_and_test_rows_are_scored_as_scikit_learn_scores_them(tmp_path):
    problem = make_problem(tmp_path, "regression", thumbs=False)
    for source, unit in zip(
        make_source(problem), fitted(problem, {"head": {"name": "svr", "C": 3.0}}), strict=True
    ):
        seen = files.read(source)
        rows, target = unit.train_rows, problem.target
        mean, spread = target[rows].mean(), target[rows].std()
        machine = make_pipeline(StandardScaler(), FunctionTransformer(within_5), SVR(C=3.0))
        machine.fit(seen.train[rows].astype(float), (target[rows] - mean) / spread)
        wanted = machine.predict(seen.train[unit.valid_rows].astype(float)) * spread + mean
        # Rows are rounded to float32 once, which libsvm's stopping rule feels.
        np.testing.assert_allclose(valid_of(unit).scores[:, 0], wanted, atol=1e-2)
        test = predictions_file.read(unit.folder.test).align(problem.test.ids, name="test")
        wanted = machine.predict(seen.test.astype(float)) * spread + mean
        np.testing.assert_allclose(test.scores[:, 0], wanted, atol=1e-2)


def test_several_runs_are_put_side_by_side_with_columns_in_numbers(tmp_path):
    problem = with_columns(make_problem(tmp_path, "regression", thumbs=False))
    first, second = make_source(problem), make_source(problem, "other", seeds=(0,))
    recipe = {
        "features": ["net", "other"],
        "head": {"name": "ridge", "penalty": 0.1},
        "columns": ["dose", {"name": "site", "kind": "category"}],
    }
    unit = fitted(problem, recipe)[0]
    dose = np.array([float(cell) for cell in problem.train.cells("dose")])
    site = np.array([[cell == name for name in ("north", "south")] for cell in
                     problem.train.cells("site")], dtype=float)  # fmt: skip
    parts = [files.read(source[0]).train for source in (first, second)]
    whole = np.concatenate([*parts, dose[:, None], site], axis=1).astype(float)
    machine = make_pipeline(StandardScaler(), Ridge(alpha=0.1 * len(unit.train_rows)))
    machine.fit(whole[unit.train_rows], problem.target[unit.train_rows])
    wanted = machine.predict(whole[unit.valid_rows])
    np.testing.assert_allclose(valid_of(unit).scores[:, 0], wanted, atol=1e-4)


def test_what_is_fitted_knows_nothing_of_the_held_out_fold(tmp_path):
    problem = make_problem(tmp_path, thumbs=False)
    sources = make_source(problem)
    unit = fitted(problem, {"head": "svc"})[0]
    before = weights_of(unit)
    seen = made_up(sources[0])
    held = unit.valid_rows
    seen.train[held] = 1e3 * np.random.default_rng(0).normal(size=seen.train[held].shape)
    files.write(sources[0], seen)
    labels = problem.samples.frame
    column = labels["cell:label"].to_numpy(dtype=object).copy()
    column[held] = "ape"
    samples_file.write(problem.home.samples, Samples(labels.assign(**{"cell:label": column})))
    changed = fed_units(open_problem(problem.home), {"head": "svc"})[0]
    for source in make_source(changed.problem)[:1]:
        files.write(source, seen)
    assert not changed.is_done()
    work(changed)
    assert weights_of(changed) == before


def test_a_unit_reads_the_network_of_its_own_fold_and_seed(tmp_path):
    problem = make_problem(tmp_path, thumbs=False)
    make_source(problem, seeds=(0, 1))
    recipe = {"head": {"name": "logistic", "penalty": 0.1}}
    units = fitted(problem, recipe, seeds=(0, 1))
    assert [(u.sources[0].fold, u.sources[0].seed) for u in units] == [
        (u.fold, u.seed) for u in units
    ]
    assert len({weights_of(unit) for unit in units}) == len(units)
    # Every fold's space is turned another way: a head that mixed them would be at chance.
    hits = [
        (valid_of(unit).scores.argmax(axis=1) == problem.target[unit.valid_rows]).mean()
        for unit in units
    ]
    assert min(hits) > 0.75


def test_fitted_again_it_is_the_same_to_the_last_bit(tmp_path):
    problem = make_problem(tmp_path, thumbs=False)
    make_source(problem)
    recipe = {"head": {"name": "boosting", "max_features": 0.5, "max_iter": 9}}
    unit = fitted(problem, recipe)[0]
    bits = [path.read_bytes() for path in (unit.folder.weights, unit.folder.valid)]
    unit.folder.record.unlink()  # As a kill before the end leaves it.
    work(unit)
    assert [path.read_bytes() for path in (unit.folder.weights, unit.folder.valid)] == bits
    assert work(unit) == "already done"


def test_other_weights_of_the_network_or_cells_make_a_unit_stale(tmp_path):
    problem = with_columns(make_problem(tmp_path, thumbs=False))
    sources = make_source(problem)
    unit = fitted(problem, {"head": "logistic", "columns": ["dose"]})[0]
    assert unit.again().is_scored()
    set_weights(sources[0], "trained again")
    assert not unit.again().is_done()
    set_weights(sources[0], "trained")
    assert unit.again().is_done()
    frame = problem.samples.frame.copy()
    frame.loc[frame["split"] == "test", "cell:dose"] = "0"
    samples_file.write(problem.home.samples, Samples(frame))
    other = fed_units(open_problem(problem.home), {"head": "logistic", "columns": ["dose"]})[0]
    assert other.is_done()
    assert not other.is_scored()
    before = predictions_file.read(unit.folder.test).scores
    rescore(other)
    assert other.again().is_scored()
    rescored = unit.folder.test.read_bytes()
    assert np.abs(predictions_file.read(unit.folder.test).scores - before).max() > 1e-3
    other.folder.record.unlink()
    work(other)
    assert unit.folder.test.read_bytes() == rescored


def test_weights_for_rare_classes_and_their_correction(tmp_path):
    problem = make_problem(tmp_path, metric="log_loss", thumbs=False)
    make_source(problem)
    recipe = {"head": {"name": "logistic", "penalty": 0.01}}
    plain = fitted(problem, recipe, name="plain")[0]
    balanced = fitted(problem, {**recipe, "imbalance": "weights"}, name="balanced")[0]
    assert weights_of(plain) != weights_of(balanced)
    # log_loss reads probabilities, so the balance is taken out of them again.
    shares = [valid_of(unit).scores.mean(axis=0) for unit in (plain, balanced)]
    np.testing.assert_allclose(*shares, atol=0.05)


def test_the_raw_outputs_are_those_of_the_formulation(tmp_path):
    problem = make_problem(tmp_path, "ordinal", thumbs=False)
    make_source(problem)
    record = fitted(problem, {"head": "svr"})[0].run.read_record()
    assert record["second_level"] == {
        "formulation": "regression",
        "sources": {"net": {"network": "small_cnn", "freeze": "none", "stop": "fixed"}},
    }
    unit = fitted(problem, {"head": "svc", "formulation": "borders"}, name="steps")[0]
    assert valid_of(unit).raw_columns == ("above 0", "above 1", "above 2", "above 3")
    assert ((valid_of(unit).raw > 0) & (valid_of(unit).raw < 1)).all()


def test_an_epoch_chosen_on_the_held_out_fold_makes_the_score_optimistic(tmp_path):
    problem = make_problem(tmp_path, thumbs=False)
    make_source(problem, train={"stop": "validation"})
    make_source(problem, "calm")
    decision = problem.default_decision()
    for source, got, words in (
        ("net", "optimistic", "the epoch of net, whose features it reads, was chosen on the held"),
        ("calm", "cross-fitted", "features of the network that left the fold out (calm)"),
    ):
        recipe = {"features": source, "head": "logistic"}
        run = fed_units(problem, recipe, name=f"on-{source}")[0].run
        how = how_got(run, run.read_record(), decision)
        assert how["got"] == got
        assert words in how["sentence"]
        families = make_up(problem.home, problem.task, run).families
        assert families == {"small_cnn, softmax": 1.0}


@pytest.mark.parametrize(
    ("task", "recipe", "message"),
    [
        ("multiclass", {"head": "svm"}, r"(?s)head 'svm' is unknown.*knn, logistic"),
        (
            "multiclass",
            {"head": "svr"},
            r"head svr cannot answer softmax or sigmoid of task multiclass",
        ),
        (
            "multiclass",
            {"head": "logistic", "formulation": "affinity"},
            r"(?s)affinity has a head that trains with its network.*can: softmax, sigmoid",
        ),
        (
            "ordinal",
            {"head": "svr", "formulation": "borders"},
            r"head svr cannot answer borders of task ordinal",
        ),
        (
            "multiclass",
            {"head": "svc", "columns": ["doses"]},
            "doses: train has no values in it; did you mean dose",
        ),
        ("multiclass", {"head": "svc", "columns": ["only"]}, "only: test has no values in it"),
        ("multiclass", {"head": "svc", "columns": ["label"]}, "label: is the label"),
        ("regression", {"head": "svr", "imbalance": "weights"}, "needs one class per sample"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_what_would_do(tmp_path, task, recipe, message):
    problem = with_columns(make_problem(tmp_path, task, thumbs=False))
    found = bind_second_level(problem, Recipe.model_validate({"features": "net", **recipe}))
    assert len(found) == 1
    error = ConfigError(*found[0].problems, remedy=found[0].remedy)
    with pytest.raises(ConfigError, match=message):
        raise error
    assert found[0].remedy


def test_a_balance_that_would_stay_in_the_scores_is_refused_by_the_way_the_head_answers(tmp_path):
    problem = make_problem(tmp_path, metric="log_loss", thumbs=False)
    recipe = {"features": "net", "head": "logistic", "imbalance": "weights"}
    assert bind_second_level(problem, Recipe.model_validate(recipe)) == []
    recipe["formulation"] = "sigmoid"
    (found,) = bind_second_level(problem, Recipe.model_validate(recipe))
    assert (found.key, found.remedy) == ("imbalance", "use formulation: softmax, or take it out")


def test_units_whose_networks_are_missing_or_of_other_folds_are_refused(tmp_path):
    problem = make_problem(tmp_path, thumbs=False)
    sources = make_source(problem)
    units = fed_units(problem, {"head": "logistic"}, seeds=(0, 1))
    sources[0].folder.record.unlink()
    stale = read_json(sources[1].folder.record)
    stale["inputs"]["train"] = "of other rows"
    publish_json(sources[1].folder.record, stale)
    ready, refused = feed(units[:2] + units[3:4], display=Display(quiet=True))
    assert ready == []
    assert "net/fold0-seed0 is not trained" in refused["second/fold0-seed0"]
    assert "trained on other folds or rows" in refused["second/fold1-seed0"]
    assert "train net with fold 0 and seed 1" in refused["second/fold0-seed1"]


def test_a_number_that_is_none_and_features_that_are_gone_are_named(tmp_path):
    problem = with_columns(make_problem(tmp_path, thumbs=False))
    sources = make_source(problem)
    recipe = {"head": "svc", "columns": [{"name": "site", "kind": "number"}]}
    with pytest.raises(DataError, match=r"train\.csv:3: column 'site': found 'north'"):
        work(fed_units(problem, recipe)[0])
    files.features_path(sources[0]).unlink()
    with pytest.raises(RunError, match="run `foldwise features net`"):
        work(fed_units(problem, {"head": "svc"}, name="other")[0])


def test_probabilities_of_classes_sum_to_one_and_labels_stand_alone(tmp_path):
    for task, activate in (("multiclass", softmax), ("multilabel", expit)):
        problem = make_problem(tmp_path / task, task, thumbs=False)
        make_source(problem)
        scores = valid_of(fitted(problem, {"head": "knn"})[0]).scores
        assert ((scores > 0) & (scores < 1)).all()
        assert np.allclose(scores.sum(axis=1), 1.0) == (activate is softmax)
