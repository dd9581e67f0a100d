import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.tree import DecisionTreeClassifier

from uomh.errors import UomhError
from uomh.metrics import aupr, auroc, decision_stump, fpr_at_95, paired_difference


def scores(kind, n=300, m=200):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=n) + 1, 2 * rng.normal(size=m)
    if kind == "ties":
        x, y = np.round(x), np.round(y)
    if kind == "infinite":
        y[:20] = -np.inf
    if kind == "apart":
        x = x + 100
    return x, y


KINDS = ["smooth", "ties", "infinite", "apart"]


@pytest.mark.parametrize("kind", KINDS)
def test_areas_and_rates_equal_scikit_learn(kind):
    x, y = scores(kind)
    labels = np.r_[np.ones(len(x)), np.zeros(len(y))]
    both = np.r_[x, y]
    finite = np.where(np.isinf(both), -1e9, both)  # scikit-learn takes no infinite scores
    assert auroc(x, y).value == pytest.approx(roc_auc_score(labels, finite), abs=1e-14)
    assert aupr(x, y) == pytest.approx(average_precision_score(labels, finite), abs=1e-14)
    falls, hits, _ = roc_curve(labels, finite, drop_intermediate=False)
    assert fpr_at_95(x, y).value == pytest.approx(falls[hits >= 0.95].min(), abs=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_the_stump_is_the_papers(kind):
    x, y = (np.float32(s).astype(float) for s in scores(kind))  # the tree sees float32
    if kind == "infinite":
        y[np.isinf(y)] = -1e9
    train, test = (x[::2], y[::2]), (x[1::2], y[1::2])
    tree = DecisionTreeClassifier(max_depth=1)
    tree.fit(np.concatenate(train)[:, None], np.r_[np.ones(len(train[0])), np.zeros(len(train[1]))])
    stump = decision_stump(train[0], test[0], train[1], test[1])
    assert stump.threshold == pytest.approx(tree.tree_.threshold[0], rel=1e-6)
    n, m = len(test[0]), len(test[1])
    right = (test[0] > stump.threshold).sum() + n / m * (test[1] <= stump.threshold).sum()
    assert stump.accuracy.value == pytest.approx(right / (2 * n), abs=1e-14)
    assert stump.accuracy.low <= stump.accuracy.value <= stump.accuracy.high


@pytest.mark.parametrize("n", [3, 7, 49, 98, 103])
def test_rates_of_a_perfect_score_are_one_and_no_more(n):
    inside, outside = np.random.default_rng(n).normal(size=(2, n))
    stump = decision_stump(inside + 30, inside + 30, outside, outside)
    assert stump.accuracy.value == stump.accuracy.high == 1
    assert aupr(inside + 30, outside) == 1


def test_a_stump_that_foreign_data_score_above_is_below_one_half():
    inside, outside = np.arange(50.0), np.arange(50.0) + 100
    stump = decision_stump(inside, inside, outside, outside)
    assert stump.accuracy.value == 0
    equal = decision_stump([1.0], [1.0], [1.0], [1.0])
    assert equal.accuracy.value == 0.5
    unlikely = decision_stump([0.0], [0.0], [-np.inf], [-np.inf])
    assert unlikely.accuracy.value == 1


def test_a_perfect_score_has_an_interval():
    area = auroc(np.arange(40.0) + 100, np.arange(30.0))
    assert area.value == area.high == 1
    assert 0.8 < area.low < 1


def test_two_scores_of_the_same_points_are_compared_on_them():
    x, y = scores("smooth")
    gap = paired_difference(auroc(x, y), auroc(x + 0.01, y))
    assert gap.low < gap.value < gap.high < 0


@pytest.mark.parametrize("measure", [auroc, aupr, fpr_at_95])
@pytest.mark.parametrize(
    ("inside", "outside", "sentence"),
    [
        ([], [1.0, 2.0], "inside must be one score a point"),
        ([1.0] * 30, [np.nan, 1.0], "outside has a NaN score, of point 0"),
        ([[1.0, 2.0]], [1.0, 2.0], "inside must be one score a point"),
        (["a", "b"], [1.0, 2.0], "inside must be an array of real numbers"),
    ],
)
def test_bad_scores_are_refused_in_one_sentence(measure, inside, outside, sentence):
    with pytest.raises(UomhError, match=sentence):
        measure(inside, outside)
