import numpy as np
import pytest
from scipy.spatial import cKDTree

from uomh.dimension.calibration import calibrated_band, expected_estimate
from uomh.dimension.mle import inverse_dimension
from uomh.errors import UomhError


def simulated(shape, d, n, k, repeats=40):
    """Mean inverse dimension of independent draws, and its standard error."""
    rng = np.random.default_rng([d, n, k])
    means = []
    for _ in range(repeats):
        if shape == "torus":
            points, box = rng.random((n, d)), 1.0
        else:
            points, box = rng.standard_normal((n, d)), None
            points *= rng.random((n, 1)) ** (1 / d) / np.linalg.norm(points, axis=1, keepdims=True)
        distances = cKDTree(points, boxsize=box).query(points, k + 1)[0][:, 1:]
        means.append(inverse_dimension(distances, k).mean())
    return np.mean(means), np.std(means) / np.sqrt(repeats)


@pytest.mark.parametrize("shape", ["torus", "ball"])
@pytest.mark.parametrize(("d", "n", "k"), [(1, 200, 20), (3, 300, 10), (8, 300, 10), (20, 200, 20)])
def test_table_is_the_mean_of_simulated_estimates(shape, d, n, k):
    mean, error = simulated(shape, d, n, k)
    # Four standard errors of the simulation (8 cases), and 1e-3 for the table's bins.
    assert abs(mean * expected_estimate(d, n, k, shape) - 1) < 4 * error / mean + 1e-3


def test_reference_point():
    """At 1,000 points and k = 10 dimension 8 reads 8.0 to 7.0, and dimension 12 11.9 to 9.9."""
    values = [expected_estimate(d, 1000, 10, s) for d in (8, 12) for s in ("torus", "ball")]
    np.testing.assert_allclose(values, [8.0, 7.0, 11.9, 9.9], atol=0.05)  # printed to 0.1


def test_torus_has_no_bias_while_balls_do_not_wrap():
    # k = 10 of 10^5 points in 3 dimensions lie within r << 1/2: exactly d, to the bins' error.
    assert expected_estimate(3, 100_000, 10, "torus") == pytest.approx(3, rel=1e-5)


@pytest.mark.parametrize("n", [50, 1000, 1_000_000])
@pytest.mark.parametrize("k", [2, 10, 40])
def test_band_holds_the_dimension_that_gave_the_estimate(n, k):
    for d in (1, 2.5, 10, 33, 300):
        for shape in ("torus", "ball"):
            low, high = calibrated_band(expected_estimate(d, n, k, shape), n, k)
            # Interpolation in d and its inverse are two curves through the same nodes.
            assert low <= d * (1 + 2e-3)
            assert high >= d * (1 - 2e-3)


def test_band_grows_with_the_estimate_and_narrows_with_n():
    bands = np.array([calibrated_band(e, 1000, 10) for e in np.linspace(0.5, 40, 80)])
    assert (np.diff(bands, axis=0) > 0).all()
    widths = [np.ptp(calibrated_band(10.0, n, 10)) for n in (200, 1000, 10_000, 100_000)]
    assert (np.diff(widths) < 0).all()


def test_beyond_the_table():
    assert calibrated_band(600.0, 500, 10) == (1024.0, np.inf)
    low, high = calibrated_band(0.5, 500, 10)
    assert low == pytest.approx(0.5, rel=1e-5)
    assert high < 0.52


def test_bad_arguments_are_errors():
    with pytest.raises(UomhError, match="positive"):
        calibrated_band(float("nan"), 100, 10)
    with pytest.raises(UomhError, match="k < n"):
        calibrated_band(5.0, 10, 10)
    with pytest.raises(UomhError, match="not to 0"):
        expected_estimate(0.5, 100, 10, "ball")
    with pytest.raises(UomhError, match="unknown shape"):
        expected_estimate(2, 100, 10, "sphere")
