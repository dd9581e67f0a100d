import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from uomh.errors import UomhError
from uomh.metrics import PRDC, prdc, prdc_estimates
from uomh.neighbours import balls, bounds


def published(real, generated, k, within=np.less_equal):
    """The definitions of both papers on tables of all distances."""
    a, b = (np.asarray(x).reshape(len(x), -1).astype(np.float64) for x in (real, generated))
    real_radius, generated_radius = (np.sort(cdist(x, x), axis=1)[:, k] for x in (a, b))
    table = cdist(a, b)
    inside = within(table, real_radius[:, None])
    return PRDC(
        inside.any(0).mean(),
        within(table, generated_radius).any(1).mean(),
        inside.sum(0).mean() / k,
        inside.any(1).mean(),
    )


def sets(n, m, D, rank=None, seed=0):
    rng = np.random.default_rng(seed)
    mix = np.eye(D) if rank is None else rng.normal(size=(rank, D))
    size = D if rank is None else rank
    return rng.normal(size=(n, size)) @ mix, 0.8 * rng.normal(size=(m, size)) @ mix + 0.2


@pytest.fixture
def _sketches(monkeypatch):
    """Small sets go the way of large ones."""
    monkeypatch.setattr(bounds, "PLANNED_FROM", 2 * bounds.SAMPLE)


@pytest.mark.usefixtures("_sketches")
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize(
    ("n", "m", "D", "rank"), [(50, 60, 1, None), (300, 200, 3, None), (1500, 1300, 200, 8)]
)
def test_equals_the_published_definition(n, m, D, rank, k):
    a, b = sets(n, m, D, rank)
    np.testing.assert_allclose(prdc(a, b, k), published(a, b, k), rtol=1e-13)
    np.testing.assert_allclose(prdc(b, a, k), published(b, a, k), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("kind", ["closed", "open"])
def test_ties_and_duplicates_count_by_the_published_definition(dtype, k, kind):
    a, b = (np.round(4 * x + 20).clip(0, 255).astype(dtype) for x in sets(400, 300, 2))
    a[:30], b[:10], b[10:20] = a[0], b[0], a[5]
    within = np.less_equal if kind == "closed" else np.less
    np.testing.assert_allclose(prdc(a, b, k, balls=kind), published(a, b, k, within), rtol=1e-13)
    np.testing.assert_allclose(prdc(a, a, k, balls=kind), published(a, a, k, within), rtol=1e-13)


@pytest.mark.parametrize("spread", [0.0, 1e-4])
def test_samples_that_are_all_in_the_middle(spread, monkeypatch):
    a = np.random.default_rng(0).normal(size=(1200, 60))
    b = np.zeros((1100, 60)) + spread * np.random.default_rng(1).normal(size=(1100, 60))
    measured = []
    whole = balls.squared_distances
    monkeypatch.setattr(
        balls, "squared_distances", lambda p, q, i, j: measured.append(len(i)) or whole(p, q, i, j)
    )
    found = prdc(a, b, 5)
    np.testing.assert_allclose(found, published(a, b, 5), rtol=1e-13)
    assert found.density > 100
    assert sum(measured) < 0.01 * len(a) * len(b)  # nearly all pairs are clear by their bounds


@pytest.mark.parametrize("scale", [1e-120, 1e-20, 1e120])
def test_units_do_not_matter(scale):
    a, b = sets(200, 150, 3)
    assert prdc(a * scale, b * scale, 3) == prdc(a, b, 3)


def test_real_and_generated_are_not_swapped():
    # Samples of half of the data: precise, and missing the rest.
    real = np.random.default_rng(0).uniform(size=(600, 2))
    found = prdc(real, real[real[:, 0] < 0.5] + 1e-3)
    assert found.precision > 0.95 > 0.7 > found.recall
    assert found.coverage < 0.7 < found.density


def test_images_tensors_and_arrays_are_alike():
    a, b = sets(90, 80, 12)
    images = torch.from_numpy(a).reshape(90, 3, 2, 2)
    assert prdc(images, b, 3) == prdc(a, b, 3)


def test_the_pass_over_pairs_holds_a_block(monkeypatch):
    a, b = sets(1500, 1400, 40, 6)
    monkeypatch.setattr(balls, "CACHE_BYTES", 0)
    np.testing.assert_allclose(prdc(a, b, 3), published(a, b, 3), rtol=1e-13)


def test_estimates_are_the_values_with_intervals_around_them():
    a, b = sets(200, 180, 3)
    estimates = prdc_estimates(a, b, 3)
    np.testing.assert_allclose([e.value for e in estimates], prdc(a, b, 3), rtol=1e-13)
    for estimate in estimates:
        assert 0 <= estimate.low <= estimate.value <= estimate.high
        assert estimate.low < estimate.high
    assert prdc_estimates(a, b, 3) == estimates
    everything = prdc_estimates(a, a, 3)
    assert everything.precision.high == 1
    assert 0.9 < everything.precision.low < 1


@pytest.mark.parametrize("measure", [prdc, prdc_estimates])
@pytest.mark.parametrize(
    ("real", "generated", "k", "sentence"),
    [
        (np.zeros((5, 2)), np.zeros((60, 2)), 5, "ball .* at least 6 real points, and there are 5"),
        (np.zeros((60, 2)), np.zeros((1, 2)), 1, "at least 2 generated points, and there is 1"),
        (np.zeros((60, 2)), np.zeros((60, 3)), 5, "real has points of 2 coordinates and generated"),
        (np.full((60, 2), np.inf), np.zeros((60, 2)), 5, "real has a NaN, infinite"),
        (np.zeros((60, 2)), np.zeros((0, 2)), 5, "generated must hold one point"),
        (np.zeros((60, 2)), np.zeros((60, 2)), 0, "k must be at least 1"),
        (np.zeros((60, 2)), np.zeros((60, 2)), 2.5, "k must be a whole number"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(measure, real, generated, k, sentence):
    with pytest.raises(UomhError, match=sentence):
        measure(real, generated, k)


def test_too_few_points_for_halves_are_said():
    a, b = sets(20, 20, 2)
    with pytest.raises(UomhError, match="intervals at k = 5 are from halves, which need 24 points"):
        prdc_estimates(a, b, 5)
    with pytest.raises(UomhError, match="unknown kind of ball 'half-open'"):
        prdc(a, b, 5, balls="half-open")


def test_a_density_of_nothing_is_not_known_to_be_zero():
    real, generated = np.random.default_rng(0).normal(size=(2, 80, 3))
    found = prdc_estimates(real, generated + 50, 3)
    assert (found.density.value, found.density.low) == (0, 0)
    assert found.density.high == found.precision.high
    assert 0.01 < found.density.high < 0.1
