import numpy as np
import pytest

from uomh.dimension.harmonic import Harmonic
from uomh.dimension.mle import harmonic_dimension
from uomh.dimension.thinning import UNKNOWN, list_length, split_variance, thinned
from uomh.errors import UomhError
from uomh.neighbours import Neighbours, nearest_neighbours


def sphere(n, d, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, d + 1))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def intervals(found, ks, seed=0, splits=100):
    statistic = Harmonic(ks, seed)
    statistic.splits = splits
    return {k: (e.low, e.high) for k, e in statistic.estimates(found, None).items()}


def interval(found, k, splits=100):
    return intervals(found, (k,), splits=splits)[k]


def test_thinned_lists_are_those_of_a_search_within_the_subset():
    points = sphere(300, 3)
    keep = np.random.default_rng(1).random(300) < 0.5
    found = thinned(nearest_neighbours(points, 40), keep, 5)
    again = nearest_neighbours(points[keep], 5)
    # All points have 5 of 40 neighbours in the subset but with probability 2^-26 each.
    np.testing.assert_array_equal(found.rows, np.flatnonzero(keep))
    np.testing.assert_array_equal(found.indices, np.flatnonzero(keep)[again.indices])
    # The same float64 differences, measured by two searches.
    np.testing.assert_allclose(found.distances, again.distances, rtol=1e-12)


def test_rows_that_were_dropped_as_copies_do_not_matter():
    points = sphere(200, 2)
    doubled = np.concatenate([points[:50], points])
    at_k = {}
    for name, x in (("plain", points), ("doubled", doubled)):
        at_k[name] = interval(nearest_neighbours(x, list_length(5, 200)), 5)
    assert at_k["plain"] == pytest.approx(at_k["doubled"], rel=1e-9)


def test_copies_are_no_neighbours():
    points = sphere(200, 2)
    found = nearest_neighbours(np.concatenate([points, points]), 80, duplicates="keep")
    everything = np.ones(400, dtype=bool)
    assert (found.distances[:, 0] == 0).all()
    assert (thinned(found, everything, 5).distances > 0).all()
    low, high = interval(found, 10)
    assert 0 < low < high < 10


def test_short_points_are_left_out_and_short_lists_are_errors():
    found = nearest_neighbours(sphere(300, 2), 12)
    half = np.arange(300) % 2 == 0
    part = thinned(found, half, 4)
    assert 0.9 * 150 <= len(part) < 150  # of 12 fair coins at least 4 are heads in 93%
    assert half[part.indices].all()
    with pytest.raises(UomhError, match="search 32"):
        split_variance(lambda part: part.distances[0], found, 8, seed=0, splits=1)
    assert interval(found, 8) == UNKNOWN
    with pytest.raises(UomhError, match="too short"):
        thinned(found, np.arange(300) < 5, 8)


def test_hubs_that_all_points_share_may_fall_into_one_half():
    """In a 20-ball the lists are mostly of the points near its centre: no split may fail for it."""
    for seed in range(5):
        x = sphere(300, 19, seed) * np.random.default_rng(seed).random((300, 1)) ** (1 / 20)
        low, high = interval(nearest_neighbours(x, list_length(20, 300)), 20, splits=300)
        assert 0 < low < high < 20


def test_variance_of_a_mean_is_the_textbook_one():
    """For independent values the split variance is var/n: the mean of splits is unbiased."""
    n, draws = 100, 200
    rng = np.random.default_rng(0)
    rows = np.arange(n)
    others = (rows[:, None] + np.arange(1, 12)) % n
    found = [
        split_variance(
            lambda part: np.mean(values[part.rows]),  # noqa: B023
            Neighbours(np.ones((n, 11)), others, rows),
            1,
            seed=i,
            splits=10,
        )
        for i in range(draws)
        for values in [rng.standard_normal(n)]
    ]
    # Of one draw the relative standard deviation is about sqrt(2/10 + 2/100) = 0.47.
    assert np.mean(found) * n == pytest.approx(1, abs=4 * 0.47 / np.sqrt(draws))


@pytest.mark.parametrize(("n", "d", "k"), [(300, 1, 10), (300, 4, 3), (300, 10, 10)])
def test_coverage(n, d, k):
    """At 95% of 120 draws within 4 standard errors (0.02), and one point for model error."""
    found = [nearest_neighbours(sphere(n, d, seed), list_length(k, n)) for seed in range(120)]
    inverse = np.mean([1 / harmonic_dimension(f.distances, k) for f in found])
    bounds = np.array([interval(f, k, splits=30) for f in found])
    covered = np.mean((bounds[:, 0] <= 1 / inverse) & (1 / inverse <= bounds[:, 1]))
    assert 0.86 <= covered <= 1


def test_intervals_share_splits_and_are_reproducible():
    found = nearest_neighbours(sphere(400, 3), list_length(20, 400))
    many = intervals(found, (3, 10, 20), seed=5)
    assert many == intervals(found, (3, 10, 20), seed=5)
    assert many != intervals(found, (3, 10, 20), seed=6)
    for k, (low, high) in many.items():
        assert low < harmonic_dimension(found.distances, k) < high


def test_too_few_points_for_halves_is_unknown():
    found = nearest_neighbours(sphere(20, 2), 19)
    assert interval(found, 10) == UNKNOWN
    assert interval(found, 5) != UNKNOWN
