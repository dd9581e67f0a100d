import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, pdist

from uomh.errors import UomhError
from uomh.metrics import kernels, kid, kid_estimate, mmd, mmd_estimate


def unbiased(kernel, x, y):
    """The estimate on whole tables."""
    xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
    n, m = len(x), len(y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * xy.mean()


def cubic(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def points(n, m, D, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, D)), 1.1 * rng.normal(size=(m, D)) + 0.2


@pytest.mark.parametrize(("n", "m"), [(2, 2), (40, 25), (130, 90)])
def test_kid_is_the_unbiased_estimate_in_blocks_of_any_number(n, m, monkeypatch):
    monkeypatch.setattr(kernels, "BLOCK", 32)
    x, y = points(n, m, 7)
    assert kid(x, y) == pytest.approx(unbiased(cubic, x, y), rel=1e-11)
    assert kid(torch.from_numpy(x), y.reshape(m, 7, 1)) == kid(x, y)
    assert kid(y, x) == pytest.approx(kid(x, y), rel=1e-11)


def test_kid_over_subsets_is_a_mean_over_draws():
    x, y = points(60, 50, 4)
    whole = kid(x[:50], y, subsets=1, subset_size=50)
    assert whole == pytest.approx(unbiased(cubic, x[:50], y), rel=1e-11)
    several = kid(x, y, subsets=20, subset_size=30)
    assert several == kid(x, y, subsets=20, subset_size=30)
    assert several != kid(x, y, subsets=20, subset_size=30, seed=1)
    assert abs(several - kid(x, y)) < 0.1


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_mmd_is_the_unbiased_estimate_with_the_median_distance(shift, monkeypatch):
    monkeypatch.setattr(kernels, "BLOCK", 32)
    x, y = points(80, 70, 5)
    for s in (0.5, None):
        width = np.median(pdist(np.concatenate([x, y]))) if s is None else s
        expected = unbiased(lambda a, b, w=width: np.exp(-(cdist(a, b) ** 2) / (2 * w**2)), x, y)
        assert mmd(x + shift, y + shift, bandwidth=s) == pytest.approx(expected, rel=1e-4)


def test_both_are_near_zero_for_fresh_samples_of_one_source_and_not_for_others():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 4)), rng.normal(size=(300, 4))
    for estimate, far in ((kid_estimate, 1.0), (mmd_estimate, 1.0)):
        same, other = estimate(x, y), estimate(x, y + far)
        assert same.low < 0 < same.high
        assert other.low > 0


def test_a_reference_that_is_fixed_leaves_less_doubt():
    x, y = points(100, 100, 3)
    whole, half = kid_estimate(x, y + 1), kid_estimate(x, y + 1, fixed_real=True)
    assert whole.value == half.value == kid(x, y + 1)
    assert half.high - half.low < whole.high - whole.low
    assert set(half.influences) == {"generated"}


@pytest.mark.parametrize("measure", [kid, kid_estimate, mmd, mmd_estimate])
@pytest.mark.parametrize(
    ("real", "generated", "sentence"),
    [
        (np.zeros((1, 2)), np.zeros((9, 2)), "needs at least . real points, and there is 1"),
        (np.zeros((9, 2)), np.zeros((9, 3)), "real has points of 2 coordinates and generated of 3"),
        (np.zeros((9, 2)), np.full((9, 2), np.nan), "generated has a NaN"),
        (np.zeros((0, 2)), np.zeros((9, 2)), "real must hold one point"),
    ],
)
def test_bad_features_are_refused_in_one_sentence(measure, real, generated, sentence):
    with pytest.raises(UomhError, match=sentence):
        measure(real, generated)


def test_bad_settings_are_refused_in_one_sentence():
    x, y = points(20, 20, 2)
    with pytest.raises(UomhError, match="subsets of 1000 points cannot be drawn from 20 real"):
        kid(x, y, subsets=10)
    with pytest.raises(UomhError, match="bandwidth must be positive"):
        mmd(x, y, bandwidth=-1.0)
    with pytest.raises(UomhError, match="the median distance between points is 0"):
        mmd(np.zeros((9, 2)), np.zeros((9, 2)))
