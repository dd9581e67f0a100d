import numpy as np
import pytest
import torch
from scipy import linalg

from uomh.errors import UomhError
from uomh.metrics import (
    Moments,
    fid_infinity,
    frechet_distance,
    frechet_estimate,
    frechet_from_moments,
    paired_difference,
)
from uomh.metrics import frechet as module


def features(kind, seed):
    """Two sets of features of each kind that a covariance can be of."""
    rng = np.random.default_rng(seed)
    n, m, D, rank = {
        "full rank": (700, 600, 40, 40),
        "large": (1500, 1400, 300, 300),
        "rank deficient": (900, 800, 300, 12),
        "fewer points than dimensions": (100, 100, 2048, 2048),
        "as many points as dimensions": (40, 40, 40, 40),
    }[kind]
    scale = np.arange(1, D + 1) ** -0.5
    if rank == D:
        return rng.normal(size=(n, D)) * scale, 0.3 + 1.2 * rng.normal(size=(m, D)) * scale[::-1]
    # Each on a subspace of its own, for which roots of squares lose half of the digits.
    a, b = (rng.normal(size=(size, rank)) @ rng.normal(size=(rank, D)) for size in (n, m))
    return a, b + 1


KINDS = [
    *("full rank", "large", "rank deficient", "fewer points than dimensions"),
    "as many points as dimensions",
]


def exact(a, b):
    """The distance by the singular values of the product of the centred points themselves."""
    A = (a - a.mean(0)) / np.sqrt(len(a) - 1)
    B = (b - b.mean(0)) / np.sqrt(len(b) - 1)
    norm = linalg.svdvals(A @ B.T).sum()
    traces = (A**2).sum() + (B**2).sum()
    return np.square(a.mean(0) - b.mean(0)).sum() + traces - 2 * norm, traces


@pytest.mark.parametrize("kind", KINDS)
def test_the_distance_is_the_exact_nuclear_norm_on_every_kind_of_covariance(kind):
    a, b = features(kind, 0)
    expected, traces = exact(a, b)
    assert abs(frechet_distance(a, b) - expected) <= 1e-10 * traces
    assert abs(frechet_distance(b, a) - expected) <= 1e-10 * traces


@pytest.mark.parametrize("kind", KINDS)
def test_the_distance_of_a_set_to_itself_is_zero(kind):
    a, _ = features(kind, 1)
    assert frechet_distance(a, a) == 0
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-20)
    # A shift is seen however small it is beside the spread.
    assert frechet_distance(a, a + 1e-5) == pytest.approx(1e-10 * a.shape[1], rel=1e-3)


def test_small_singular_values_keep_their_digits_where_that_can_be_seen():
    rng = np.random.default_rng(0)
    U, V = (linalg.qr(rng.normal(size=(300, 300)))[0] for _ in range(2))
    s = np.logspace(0, -9, 300)
    M = torch.from_numpy(U * s @ V)
    quick, error = module._nuclear_norm(M, np.inf)
    assert 1e-13 < abs(quick - s.sum()) < error
    assert module._nuclear_norm(M, 1e-12)[0] == pytest.approx(s.sum(), abs=1e-13)
    assert module._nuclear_norm(M[:, :280].T, 0.0)[0] == pytest.approx(
        linalg.svdvals(M[:, :280]).sum(), abs=1e-13
    )


def test_two_gaussians_in_closed_form():
    # For commuting covariances the distance is |m1 - m2|^2 + |S1^(1/2) - S2^(1/2)|^2.
    rng = np.random.default_rng(0)
    turn = linalg.qr(rng.normal(size=(5, 5)))[0]
    s, t, shift = np.array([1, 2, 0.5, 3, 0]), np.array([2, 2, 1, 0, 1]), rng.normal(size=5)
    white = rng.normal(size=(50, 5))
    white -= white.mean(0)
    white = white @ linalg.inv(linalg.sqrtm(np.cov(white, rowvar=False)))  # exactly white
    a, b = white * s @ turn, white * t @ turn + shift
    expected = np.square(shift).sum() + np.square(s - t).sum()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("D", [3, 60])
def test_moments_do_not_depend_on_how_points_come(D):
    a = np.random.default_rng(0).normal(size=(1300, D)) * 3 + 100
    whole = Moments.of(a)
    stream = Moments()
    for batch in np.array_split(a, 37):
        stream.update(torch.from_numpy(batch))
    merged = Moments.of(a[:5]).merge(Moments.of(a[5:900])).merge(Moments.of(a[900:]))
    for moments in (whole, stream, merged):
        assert moments.n == 1300
        np.testing.assert_allclose(moments.mean, a.mean(0), rtol=1e-13)
        np.testing.assert_allclose(moments.covariance, np.cov(a, rowvar=False), atol=1e-11)
        assert len(moments.factor) <= D
    assert frechet_from_moments(whole, merged) == pytest.approx(0, abs=1e-20)


def test_points_that_were_given_are_left_as_they_were():
    a = torch.randn(50, 4, dtype=torch.float64)
    before = a.clone()
    moments = Moments.of(a)
    assert moments.n == 50
    _ = moments.factor
    assert torch.equal(a, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.int64])
def test_numbers_of_any_type_are_taken_in_float64(dtype):
    rng = np.random.default_rng(0)
    a, b = (
        rng.integers(0, 9, (80, 2, 3)).astype(dtype),
        rng.integers(2, 9, (70, 2, 3)).astype(dtype),
    )
    rows = [x.reshape(len(x), -1).astype(np.float64) for x in (a, b)]
    assert frechet_distance(a, b) == frechet_distance(*rows)
    assert frechet_distance(torch.from_numpy(a), b) == frechet_distance(*rows)


def test_extrapolation_removes_the_bias_of_few_points():
    rng = np.random.default_rng(0)
    D, n = 16, 2000
    true = 1.0
    values = []
    for _ in range(10):
        a, b = rng.normal(size=(n, D)), rng.normal(size=(n, D)) + 1 / np.sqrt(D)
        values.append((frechet_distance(a[:250], b[:250]), fid_infinity(a[:250], b[:250])))
    biased, extrapolated = np.mean(values, axis=0)
    assert biased - true > 0.25
    assert abs(extrapolated - true) < 0.15
    assert fid_infinity(a, b, fixed_real=True) < frechet_distance(a, b)
    assert fid_infinity(a, b, seed=1) == fid_infinity(a, b, seed=1)


def test_two_models_against_the_same_data_differ_with_less_doubt_than_each_has():
    rng = np.random.default_rng(0)
    real, noise = rng.normal(size=(400, 6)) * 2, rng.normal(size=(400, 6))
    first, second = frechet_estimate(real, noise), frechet_estimate(real, noise + 0.05)
    gap = paired_difference(first, second)
    assert gap.value == first.value - second.value
    assert gap.high - gap.low < 0.2 * (first.high - first.low)
    alone = frechet_estimate(real, noise, fixed_real=True)
    assert alone.high - alone.low < first.high - first.low
    assert float(first) == first.value == frechet_distance(real, noise)
    fewer = paired_difference(first, frechet_estimate(real[:200], noise[:300]))
    assert not fewer.paired


def test_a_constant_set_has_an_interval():
    estimate = frechet_estimate(np.zeros((10, 3)), np.ones((10, 3)))
    assert (estimate.value, estimate.low, estimate.high) == (3.0, 3.0, 3.0)
    same = frechet_estimate(np.eye(8), np.eye(8))
    assert same.value == 0
    assert same.low <= 0 <= same.high


@pytest.mark.parametrize("measure", [frechet_distance, frechet_estimate, fid_infinity])
@pytest.mark.parametrize(
    ("real", "generated", "sentence"),
    [
        (np.zeros((1, 3)), np.zeros((9, 3)), "needs at least . real points, and there is 1"),
        (np.zeros((9, 3)), np.zeros((9, 4)), "real has points of 3 coordinates and generated of 4"),
        (np.zeros((9, 3)), np.full((9, 3), np.nan), "generated has a NaN, infinite or too large"),
        (np.zeros((0, 3)), np.zeros((9, 3)), "real must hold one point of real numbers per row"),
        (np.zeros(9), np.zeros((9, 3)), "real must hold one point of real numbers per row"),
        ("abc", np.zeros((9, 3)), "real must be an array of real numbers"),
    ],
)
def test_bad_features_are_refused_in_one_sentence(measure, real, generated, sentence):
    with pytest.raises(UomhError, match=sentence):
        measure(real, generated)


def test_moments_of_different_sizes_are_refused():
    moments = Moments.of(np.zeros((3, 2)))
    for wrong in (
        lambda: moments.update(np.zeros((3, 5))),
        lambda: moments.merge(Moments.of(np.zeros((3, 5)))),
        lambda: frechet_from_moments(moments, Moments.of(np.zeros((3, 5)))),
        lambda: frechet_from_moments(moments, Moments()),
    ):
        with pytest.raises(UomhError):
            wrong()
