import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from foldwise.data.folds import FoldProblem, FoldResult, make_folds
from foldwise.errors import ConfigError, DataError


def _ids(num, prefix="s"):
    return np.array([f"{prefix}{i:06d}" for i in range(num)], dtype=object)


def _share_error(folds, classes):
    one_hot = classes if classes.ndim == 2 else np.eye(classes.max() + 1)[classes]
    shares = [one_hot[folds == fold].mean(0) for fold in np.unique(folds)]
    return np.abs(shares - one_hot.mean(0)).max()


def _unevenness(folds, classes):
    """Squared distance of what each fold holds of each class from an equal part, summed."""
    parts = pd.crosstab(folds, classes, normalize="columns").to_numpy()
    return ((parts - 1 / len(parts)) ** 2).sum()


def _sklearn_folds(splitter, *arrays):
    folds = np.full(len(arrays[0]), -1)
    for fold, (_, valid) in enumerate(splitter.split(*arrays)):
        folds[valid] = fold
    return folds


def _grouped(seed, num=2000, num_groups=150, num_classes=6, purity=0.7):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(num_classes, 3.0))
    groups = rng.choice(num_groups, num, p=rng.dirichlet(np.full(num_groups, 2.0)))
    own = rng.choice(num_classes, num_groups, p=shares)[groups]
    strata = np.where(rng.random(num) < purity, own, rng.choice(num_classes, num, p=shares))
    return groups, np.unique(strata, return_inverse=True)[1]


def _cut_groups(folds, groups):
    return [g for g in np.unique(groups) if len(set(folds[groups == g])) > 1]


def _as_dict(ids, result: FoldResult):
    return dict(zip(ids.tolist(), result.folds.tolist(), strict=True))


@st.composite
def problems(draw):
    num = draw(st.integers(12, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    scheme = draw(
        st.sampled_from(
            ["stratified", "group", "stratified_group", "multilabel_stratified", "time_blocks"]
        )
    )
    num_groups = draw(st.integers(4, num))
    labels = rng.random((num, 4)) < rng.uniform(0, 0.6, 4)
    return FoldProblem(
        ids=_ids(num)[rng.permutation(num)],
        num_folds=draw(st.integers(2, 6)),
        scheme=scheme,
        strata=labels if scheme == "multilabel_stratified" else rng.integers(0, 3, num),
        groups=np.append(rng.integers(0, num_groups, num - 2), [num_groups, num_groups + 1]),
        order=rng.integers(0, 20, num).astype(float),
        seed=draw(st.integers(0, 5)),
    )


@given(problems())
@settings(deadline=None, max_examples=40)
def test_every_group_lies_wholly_in_one_fold_and_every_fold_is_in_range(problem):
    result = make_folds(problem)
    assert not _cut_groups(result.folds, problem.groups)
    assert 2 <= result.num_folds <= problem.num_folds
    assert set(result.folds) <= set(range(result.num_folds))
    assert result.shares["rows"].iloc[-1] == len(problem.ids)


@given(problems(), st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_the_order_of_the_rows_does_not_matter(problem, seed):
    rows = np.random.default_rng(seed).permutation(len(problem.ids))
    shuffled = FoldProblem(
        ids=problem.ids[rows],
        num_folds=problem.num_folds,
        scheme=problem.scheme,
        strata=problem.strata[rows],
        groups=problem.groups[rows],
        order=problem.order[rows],
        seed=problem.seed,
    )
    assert (make_folds(problem).folds[rows] == make_folds(shuffled).folds).all()


@given(problems(), st.floats(0.3, 0.9))
@settings(deadline=None, max_examples=40)
def test_old_rows_keep_their_fold_and_new_rows_join_their_group(problem, share):
    num_old = int(len(problem.ids) * share)
    arrays = {
        name: getattr(problem, name)[:num_old] for name in ("ids", "strata", "groups", "order")
    }
    common = {"num_folds": 2, "scheme": problem.scheme, "seed": problem.seed}
    if len(np.unique(arrays["groups"])) < 2:
        return
    before = make_folds(FoldProblem(**arrays, **common))
    after = make_folds(
        FoldProblem(
            ids=problem.ids,
            strata=problem.strata,
            groups=problem.groups,
            order=problem.order,
            existing=_as_dict(arrays["ids"], before),
            **common,
        )
    )
    assert (after.folds[:num_old] == before.folds).all()
    assert not _cut_groups(after.folds, problem.groups)
    assert not after.conflicts


def test_stratified_is_as_even_as_scikit_learn():
    strata = np.random.default_rng(0).choice(5, 3662, p=[0.49, 0.1, 0.27, 0.05, 0.09])
    ours = make_folds(FoldProblem(_ids(3662), 5, "stratified", strata=strata))
    oracle = StratifiedKFold(5, shuffle=True, random_state=0)
    theirs = _sklearn_folds(oracle, strata, strata)
    assert ours.worst_share_error == pytest.approx(_share_error(ours.folds, strata))
    assert ours.worst_share_error <= _share_error(theirs, strata) + 1e-9
    for label in range(5):
        assert np.ptp(np.bincount(ours.folds[strata == label], minlength=5)) <= 1
    assert np.ptp(np.bincount(ours.folds)) <= 1


def test_stratified_groups_are_as_even_as_scikit_learn_on_average():
    ours, theirs = [], []
    for seed in range(8):
        groups, strata = _grouped(seed, purity=[0, 0.5, 0.9, 1.0][seed % 4])
        problem = FoldProblem(_ids(2000), 5, "stratified_group", strata=strata, groups=groups)
        oracle = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        ours.append(_share_error(make_folds(problem).folds, strata))
        theirs.append(_share_error(_sklearn_folds(oracle, strata, strata, groups), strata))
    assert np.mean(ours) <= np.mean(theirs)


def test_group_folds_are_as_even_in_size_as_scikit_learn():
    groups, _ = _grouped(3)
    ours = make_folds(FoldProblem(_ids(2000), 5, "group", groups=groups)).folds
    theirs = _sklearn_folds(GroupKFold(5), groups, groups, groups)
    assert np.ptp(np.bincount(ours)) <= np.ptp(np.bincount(theirs))


@pytest.mark.parametrize("seed", range(4))
def test_multilabel_folds_are_as_even_as_iterative_stratification(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((3000, 12)) < rng.uniform(0.005, 0.4, 12)).astype(int)
    ours = make_folds(FoldProblem(_ids(3000), 5, "multilabel_stratified", strata=labels))
    oracle = MultilabelStratifiedKFold(5, shuffle=True, random_state=seed)
    theirs = _sklearn_folds(oracle, labels, labels)
    assert _share_error(ours.folds, labels) <= _share_error(theirs, labels) + 1e-4
    assert np.ptp(np.bincount(ours.folds)) <= max(np.ptp(np.bincount(theirs)), 5)


def test_multilabel_groups_stay_whole_and_balanced():
    groups, _ = _grouped(1)
    labels = np.random.default_rng(1).random((2000, 8)) < 0.15
    result = make_folds(
        FoldProblem(_ids(2000), 5, "multilabel_stratified", strata=labels, groups=groups)
    )
    assert not _cut_groups(result.folds, groups)
    assert result.worst_share_error < 0.02


def test_a_grown_table_keeps_old_folds_and_balance():
    groups, strata = _grouped(5)
    ids = _ids(2000)
    old = groups < 120  # Whole groups are new, as when a second hospital joins.
    before = make_folds(
        FoldProblem(ids[old], 5, "stratified_group", strata=strata[old], groups=groups[old])
    )
    after = make_folds(
        FoldProblem(
            ids,
            5,
            "stratified_group",
            strata=strata,
            groups=groups,
            existing=_as_dict(ids[old], before),
        )
    )
    assert (after.folds[old] == before.folds).all()
    draws = np.random.default_rng(0).integers(0, 5, (20, groups.max() + 1))[:, groups]
    by_chance = [_unevenness(np.where(old, after.folds, draw), strata) for draw in draws]
    assert _unevenness(after.folds, strata) < min(by_chance)


def test_new_rows_go_to_the_fold_that_lacks_their_class():
    existing = {"a0": 0, "a1": 0, "a2": 1, "b0": 1}
    ids = np.array([*existing, "new"], dtype=object)
    strata = np.array(["a", "a", "a", "b", "b"])
    result = make_folds(FoldProblem(ids, 2, "stratified", strata=strata, existing=existing))
    assert result.folds.tolist() == [0, 0, 1, 1, 0]


def test_a_row_that_joins_two_groups_is_reported_and_put_with_the_larger():
    ids = np.array(["a", "b", "c", "d", "e"], dtype=object)
    groups = np.array(["g", "g", "g", "g", "h"])
    existing = {"a": 0, "b": 1, "c": 1, "e": 0}
    result = make_folds(FoldProblem(ids, 2, "group", groups=groups, existing=existing))
    assert result.folds.tolist() == [0, 1, 1, 1, 0]
    (conflict,) = result.conflicts
    assert conflict.old_ids == {0: ("a",), 1: ("b", "c")}
    assert conflict.new_ids == ("d",)
    assert conflict.fold == 1
    assert "leak" in result.notes[0]


def test_no_more_folds_than_groups_of_the_rarest_class_and_it_is_said():
    strata = np.array([0] * 20 + [1] * 3)
    result = make_folds(
        FoldProblem(_ids(23), 5, "stratified", strata=strata, class_names=("cow", "cat"))
    )
    assert result.num_folds == 3
    assert "3 folds instead of 5" in result.notes[0]
    assert "cat" in result.notes[0]
    assert (np.bincount(result.folds[strata == 1]) == 1).all()


def test_a_class_in_one_group_is_named_and_costs_no_folds():
    strata = np.array([0] * 20 + [1])
    result = make_folds(FoldProblem(_ids(21), 5, "stratified", strata=strata))
    assert result.num_folds == 5
    assert "1: in one group only" in result.notes[0]


def test_a_class_that_some_folds_lack_is_named():
    groups = np.array(["x"] * 4 + ["y"] * 4 + ["z", "w", "v", "u"])
    strata = np.array([0, 1] * 4 + [0] * 4)
    result = make_folds(
        FoldProblem(_ids(12), 3, "group", strata=strata, groups=groups, class_names=("a", "b"))
    )
    assert "no rows in some folds of b (fold 2)" in result.notes[-1]


def test_the_number_of_folds_stays_when_rows_have_folds():
    existing = dict(zip(_ids(6).tolist(), [0, 1, 2] * 2, strict=True))
    result = make_folds(
        FoldProblem(_ids(60), 5, "stratified", strata=np.arange(60) % 3, existing=existing)
    )
    assert result.num_folds == 3
    assert "3 folds as before" in result.notes[0]


def test_the_seed_changes_the_folds_and_nothing_else_does():
    strata = np.arange(100) % 2
    first, again, other = (
        make_folds(FoldProblem(_ids(100), 5, "stratified", strata=strata, seed=seed)).folds
        for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_a_number_is_balanced_by_its_quantiles():
    values = np.random.default_rng(0).lognormal(size=1000)
    result = make_folds(FoldProblem(_ids(1000), 5, "stratified", values=values))
    means = [np.log(values[result.folds == fold]).mean() for fold in range(5)]
    assert np.ptp(means) < 0.1
    assert result.num_folds == 5
    assert list(result.shares.columns[:3]) == ["rows", "groups", "bin 0"]


def test_the_share_table_tells_rows_groups_and_shares():
    strata = np.array([0, 0, 0, 0, 1, 1])
    groups = np.array(["a", "b", "c", "c", "d", "e"])
    table = make_folds(
        FoldProblem(
            _ids(6), 2, "stratified_group", strata=strata, groups=groups, class_names=("cow", "cat")
        )
    ).shares
    assert table.index.tolist() == ["0", "1", "all"]
    assert table["rows"].tolist() == [3, 3, 6]
    assert table["groups"].iloc[-1] == 5
    assert table["groups"].iloc[:2].sum() == 5
    assert table["cat"].tolist() == pytest.approx([1 / 3] * 3)


def test_time_blocks_are_contiguous_and_gaps_are_left_out_of_training():
    order = np.random.default_rng(0).permutation(100).astype(float)
    result = make_folds(FoldProblem(_ids(100), 4, "time_blocks", order=order, gap=3))
    assert (np.diff(result.folds[np.argsort(order)]) >= 0).all()
    assert np.bincount(result.folds).tolist() == [25] * 4
    assert sorted(order[result.gap_rows[1]]) == [22, 23, 24, 50, 51, 52]
    assert sorted(order[result.gap_rows[0]]) == [25, 26, 27]


def test_a_gap_that_leaves_nothing_to_train_with_is_refused():
    with pytest.raises(ConfigError, match="leaves no rows to train fold 0, 1 with"):
        make_folds(FoldProblem(_ids(8), 2, "time_blocks", order=np.arange(8.0), gap=9))


def test_time_blocks_keep_groups_and_equal_moments_whole():
    order = np.repeat(np.arange(10.0), 3)
    by_moment = make_folds(FoldProblem(_ids(30), 4, "time_blocks", order=order))
    assert not _cut_groups(by_moment.folds, order)
    groups = np.tile([0, 1, 2, 3, 4], 6)
    by_group = make_folds(FoldProblem(_ids(30), 4, "time_blocks", order=order, groups=groups))
    assert not _cut_groups(by_group.folds, groups)
    assert by_group.num_folds == 4


def test_later_rows_join_the_block_nearest_in_time():
    ids, order = _ids(12), np.array([0, 1, 2, 3, 10, 11, 12, 13, 1.5, 9, 99, -5])
    first = make_folds(FoldProblem(ids[:8], 2, "time_blocks", order=order[:8]))
    grown = make_folds(
        FoldProblem(ids, 2, "time_blocks", order=order, existing=_as_dict(ids[:8], first))
    )
    assert grown.folds.tolist() == [0] * 4 + [1] * 4 + [0, 1, 1, 0]


def test_a_column_gives_the_folds_and_blank_rows_are_placed():
    column = np.array([1, 1, 2, 2, 3, np.nan], dtype=object)
    groups = np.array(["a", "a", "b", "b", "c", "b"])
    result = make_folds(FoldProblem(_ids(6), 3, "column", column=column, groups=groups))
    assert result.folds.tolist() == [0, 0, 1, 1, 2, 1]
    assert "became folds 0, 1" in result.notes[0]


def test_a_column_that_moves_old_rows_is_refused():
    with pytest.raises(DataError, match="1 old rows into other folds"):
        make_folds(
            FoldProblem(_ids(3), 2, "column", column=np.array([0, 1, 1]), existing={"s000002": 0})
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scheme": "stratified"}, "needs a target"),
        ({"scheme": "group"}, "needs a group column"),
        ({"scheme": "stratified_group"}, "needs a target, and a group column"),
        ({"scheme": "multilabel_stratified", "strata": np.arange(6)}, "needs 0/1 labels"),
        ({"scheme": "time_blocks"}, "needs an order column"),
        ({"scheme": "column"}, "needs a fold column"),
        ({"scheme": "stratified", "strata": np.arange(6), "gap": 2.0}, "folds.gap"),
        ({"scheme": "stratified", "strata": np.arange(6), "num_folds": 1}, "at least 2"),
    ],
)
def test_a_setting_that_cannot_be_honoured_is_an_error(changes, words):
    with pytest.raises(ConfigError, match=words):
        make_folds(FoldProblem(**{"ids": _ids(6), "num_folds": 3, **changes}))


def test_wrong_rows_are_all_told_at_once():
    ids = np.array(["a", "a", "b"], dtype=object)
    strata = np.array(["x", None, "y"], dtype=object)
    with pytest.raises(DataError) as error:
        make_folds(FoldProblem(ids, 2, "stratified", strata=strata, existing={"b": -1}))
    assert len(error.value.problems) == 3


def test_one_single_group_is_refused():
    with pytest.raises(DataError, match="all in 1 group"):
        make_folds(FoldProblem(_ids(5), 2, "group", groups=np.zeros(5)))


def test_many_folds_of_few_rows_leave_no_fold_empty():
    result = make_folds(FoldProblem(_ids(7), 10, "stratified", values=np.arange(7.0)))
    assert result.num_folds == 7
    assert pd.Series(result.folds).nunique() == 7
