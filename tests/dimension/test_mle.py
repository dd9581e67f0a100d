import numpy as np
import pytest

from uomh.dimension.mle import harmonic_dimension, inverse_dimension
from uomh.errors import UomhError


def exact_distances(n, k, d, seed=0):
    """Distances whose ratios follow the model exactly: a Poisson process of dimension d."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.exponential(size=(n, k)), axis=1) ** (1 / d)


@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize("k", [3, 10])
def test_inverse_is_unbiased_under_the_model(d, k):
    n = 200_000
    inverse = inverse_dimension(exact_distances(n, k, d), k)
    # The variance at a point is 1/(d^2 (k-1)); five standard errors of the mean.
    assert abs(inverse.mean() * d - 1) < 5 / np.sqrt(n * (k - 1))
    # Of a mean of k-1 exponentials the kurtosis is 3 + 6/(k-1), so the relative standard error of
    # the variance is at most sqrt(5/n).
    assert abs(inverse.var() * d * d * (k - 1) - 1) < 5 * np.sqrt(5 / n)


def test_equals_the_formula_written_out():
    distances = exact_distances(50, 12, 4)
    for k in (2, 5, 12):
        by_hand = [
            np.mean([np.log(row[k - 1] / row[j]) for j in range(k - 1)]) for row in distances
        ]
        # Two orders of summation of float64: rounding only.
        np.testing.assert_allclose(inverse_dimension(distances, k), by_hand, rtol=1e-12)


def test_normalisers_differ_by_their_ratio():
    distances = exact_distances(100, 10, 4)
    ratio = harmonic_dimension(distances, 10, "k-2") / harmonic_dimension(distances, 10)
    assert ratio == pytest.approx(8 / 9, rel=1e-12)


def test_copies_are_skipped():
    distances = exact_distances(20, 6, 3)
    with_copies = np.concatenate([np.zeros((20, 2)), distances], axis=1)
    with_copies[::2] = np.concatenate([distances, distances[:, -1:] + [1, 2]], axis=1)[::2]
    np.testing.assert_array_equal(
        inverse_dimension(with_copies, 6), inverse_dimension(distances, 6)
    )


@pytest.mark.parametrize(
    ("distances", "k", "message"),
    [
        (np.zeros((3, 5)), 3, "drop the duplicates"),
        (np.ones((3, 2)), 3, "the list has 2"),
        (np.array([[1.0, np.inf]]), 2, "not finite"),
        (np.array([[1.0, np.nan]]), 2, "not finite"),
        (np.array([[np.nan, np.nan]]), 2, "not finite"),
        (np.ones((3, 5)), 1, "k >= 2"),
        (np.ones((3, 5)), 4, "no finite dimension"),
    ],
)
def test_bad_distances_are_errors(distances, k, message):
    with pytest.raises(UomhError, match=message):
        harmonic_dimension(distances, k)


def test_normaliser_k_minus_2_needs_k_3():
    with pytest.raises(UomhError, match="k >= 3"):
        inverse_dimension(np.ones((3, 5)), 2, "k-2")
