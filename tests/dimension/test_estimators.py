import inspect
import pickle

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from uomh.dimension.corrint import CorrInt, pair_counts
from uomh.dimension.gride import Gride
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.mle import MLE
from uomh.dimension.thinning import UNKNOWN, list_length
from uomh.dimension.tle import TLE
from uomh.dimension.twonn import TwoNN
from uomh.errors import UomhError
from uomh.neighbours import Neighbours, nearest_neighbours
from uomh.registry import entries, load

EXTERNAL = ("danco", "fishers", "mind")
OURS = [name for name in entries("estimators") if name not in EXTERNAL]


def make(name, **settings):
    """The estimator with those of the settings that it has."""
    cls = load("estimators", name)
    known = inspect.signature(cls).parameters
    return cls(**{key: value for key, value in settings.items() if key in known})


def sphere(n, d, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, d + 1))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([make(name, splits=2) for name in OURS])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow  # half a minute, nearly all of it DANCo's simulations
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([make(name) for name in EXTERNAL])
def test_scikit_learn_checks_of_adapters(estimator, check):
    check(estimator)


def test_all_are_listed():
    assert set(OURS) == {
        "mle", "twonn", "gride", "corrint", "geomle", "mom", "tle", "lpca", "ess", "knn",
        "shortest_path", "capca", "qe", "tls", "bracket",
    }  # fmt: skip
    assert all(entry.summary for entry in entries("estimators").values())


@pytest.mark.parametrize("name", OURS)
def test_finds_the_dimension_of_a_small_cube(name):
    """A 4-cube turned into 20 dimensions; 15% leaves room for the boundary's bias at 600 points."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((20, 20)))[0][:4]
    found = make(name, splits=2).fit(rng.random((600, 4)) @ turn)
    assert found.dimension_ == pytest.approx(4, rel=0.15)
    assert found.dimension_pw_.shape == (600,)
    low, high = found.interval_
    assert low <= found.dimension_ <= high


@pytest.mark.parametrize("name", OURS)
def test_precomputed_neighbours_and_scale_change_nothing(name):
    points = sphere(300, 3)
    estimator = make(name, splits=3)
    found = estimator.fit(points)
    neighbours = nearest_neighbours(points, 299)
    again = make(name, splits=3).fit(points, neighbours=neighbours)
    larger = make(name, splits=3).fit(4096 * points)  # a power of two: no rounding
    for other in (again, larger):
        # Longer lists leave out fewer points that run short, and GeoMLE's subsets may differ in it.
        assert other.dimension_ == pytest.approx(found.dimension_, rel=1e-2)
    assert larger.dimension_ == pytest.approx(found.dimension_, rel=1e-9)
    if not estimator.uses_points:
        assert make(name).fit(None, neighbours=neighbours).dimension_ == again.dimension_


@pytest.mark.parametrize("name", OURS)
def test_copies_change_nothing(name):
    points = sphere(200, 2)
    doubled = np.concatenate([points, points[:30]])
    estimator = make(name, k=12, splits=2)
    plain = estimator.fit(points).dimension_pw_
    found = make(name, k=12, splits=2).fit(doubled)
    other = found.dimension_pw_
    assert found.dimension_ == pytest.approx(estimator.dimension_, rel=1e-9)
    np.testing.assert_allclose(other[:200], plain, rtol=1e-6)
    np.testing.assert_array_equal(other[200:], other[:30])


@pytest.mark.parametrize("name", OURS)
def test_a_kept_copy_of_a_point_is_not_its_neighbour_and_one_of_another_is(name):
    points = np.concatenate([sphere(200, 2), sphere(200, 2)[:30]])
    kept = nearest_neighbours(points, 100, duplicates="keep")
    others = [np.flatnonzero(row > 0)[:99] for row in kept.distances]
    by_hand = Neighbours(
        np.stack([row[columns] for row, columns in zip(kept.distances, others, strict=True)]),
        np.stack([row[columns] for row, columns in zip(kept.indices, others, strict=True)]),
        kept.rows,
    )
    found = make(name, k=12, splits=2).fit(points, neighbours=kept)
    expected = make(name, k=12, splits=2).fit(points, neighbours=by_hand)
    assert (found.dimension_, found.interval_) == (expected.dimension_, expected.interval_)
    np.testing.assert_array_equal(found.dimension_pw_, expected.dimension_pw_)


def test_kept_copies_of_all_points_change_the_estimate_by_what_the_formula_says():
    """Of 12 neighbours each distance comes twice: 11/10 of the estimate from the 6 distances."""
    points = sphere(200, 2)
    kept = nearest_neighbours(np.repeat(points, 2, axis=0), 13, duplicates="keep")
    doubled = MLE(12, splits=0).fit(None, neighbours=kept).dimension_
    assert doubled == pytest.approx(1.1 * MLE(6, splits=0).fit(points).dimension_, rel=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_k_is_clipped_with_a_warning(name):
    estimator = make(name, k=500, splits=2)
    if "k" not in inspect.signature(type(estimator)).parameters:
        pytest.skip("has no k")
    with pytest.warns(UserWarning, match="more than the points allow"):
        estimator.fit(sphere(60, 2))
    assert estimator.k_ < 60


@pytest.mark.parametrize("name", OURS)
def test_bad_data_are_one_sentence(name):
    with pytest.raises(UomhError, match="too few"):
        make(name).fit(np.ones((20, 3)))
    with pytest.raises(ValueError, match="NaN"):
        make(name).fit(np.full((20, 3), np.nan))
    grid = np.eye(30)  # all points equally far from one another
    if name not in ("lpca", "ess", "capca", "qe", "tls"):  # these look at directions: 4, or 30
        with pytest.raises(UomhError):
            make(name, k=5, splits=0).fit(grid)


@pytest.mark.parametrize("name", OURS)
def test_repeats_and_pickles(name):
    points = sphere(120, 2)
    first = make(name, k=10, splits=3).fit(points)
    second = pickle.loads(pickle.dumps(make(name, k=10, splits=3))).fit(points)
    assert first.dimension_ == second.dimension_
    assert first.interval_ == second.interval_


def test_splits_zero_leaves_the_interval_unknown():
    assert MLE(splits=0).fit(sphere(100, 2)).interval_ == UNKNOWN


def test_mle_and_verify_have_one_interval():
    points = sphere(300, 3)
    found = nearest_neighbours(points, list_length(10, 300))
    fitted = MLE(10, splits=Harmonic.splits, seed=3).fit(points)
    estimate = Harmonic((10,), seed=3).estimates(found, None)[10]
    # Two orders of summation: of float64, and of float32 in the halves.
    assert fitted.dimension_ == pytest.approx(estimate.dimension, rel=1e-12)
    assert fitted.interval_ == pytest.approx((estimate.low, estimate.high), rel=1e-8)


def test_narrow_precomputed_lists_give_no_interval():
    points = sphere(300, 3)
    found = nearest_neighbours(points, 10)
    assert MLE(10).fit(None, neighbours=found).interval_ == UNKNOWN
    with pytest.raises(UomhError, match="needs lists of 22"):
        make("knn", k=5).fit(None, neighbours=found)


@pytest.mark.parametrize(("name", "settings"), [
    ("mle", {"aggregate": "mean", "normaliser": "k-2"}), ("twonn", {"method": "linear"}),
    ("gride", {}), ("corrint", {}), ("mom", {}), ("knn", {}), ("ess", {"k": 30}),
    ("geomle", {"k": 20}), ("shortest_path", {"k": 8}),
])  # fmt: skip
def test_intervals_hold_for_the_estimators_own_mean(name, settings):
    """Of 40 draws at 95%, 4 standard errors (0.034) below, less 5 points for the few splits."""
    draws = [make(name, splits=10, **settings).fit(sphere(150, 3, seed)) for seed in range(40)]
    mean = np.exp(np.mean([np.log(draw.dimension_) for draw in draws]))
    covered = np.mean([draw.interval_[0] <= mean <= draw.interval_[1] for draw in draws])
    assert covered >= 0.76
    width = np.mean([np.log(draw.interval_[1] / draw.interval_[0]) for draw in draws])
    spread = np.std([np.log(draw.dimension_) for draw in draws])
    # Not by being too wide: 2 x 2.2 standard errors, within a factor of 2.
    assert width < 9 * spread


def test_pair_counts_across_blocks():
    points = sphere(1500, 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    counts = pair_counts(points, np.array([0.2, 0.7]))
    np.testing.assert_array_equal(counts[:, 0], (distances < 0.2).sum(axis=1) - 1)
    np.testing.assert_array_equal(counts[:, 1], (distances < 0.7).sum(axis=1) - 1)


def test_corrint_needs_its_points():
    found = nearest_neighbours(sphere(100, 2), 20)
    with pytest.raises(ValueError, match="array"):
        CorrInt().fit(None, neighbours=found)


def test_gride_scales():
    found = Gride(40, splits=0).fit(sphere(1000, 2))
    assert found.scales_.tolist() == [2, 4, 8, 16, 32]
    assert found.dimension_scales_[-1] == found.dimension_
    assert (np.diff(found.radius_scales_) > 0).all()
    two = TwoNN(discarded=0, splits=0).fit(sphere(1000, 2))
    # The zero of the score at (1, 2) is the closed form, to the root finder's tolerance.
    assert found.dimension_scales_[0] == pytest.approx(two.dimension_, rel=1e-9)


def test_twonn_keeps_at_least_two_ratios():
    with pytest.raises(UomhError, match="2 ratios"):
        TwoNN(discarded=0.99).fit(sphere(50, 2))


def test_tle_does_not_depend_on_units():
    points = sphere(200, 2)
    assert TLE(splits=0).fit(points / 1e6).dimension_ == pytest.approx(
        TLE(splits=0).fit(points).dimension_, rel=1e-6
    )
