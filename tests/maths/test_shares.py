import numpy as np
import pytest
from scipy.stats import norm

from uomh.errors import UomhError
from uomh.metrics import between_manifolds, c_t, memorisation, share_beyond


def mixture(rng, n, between=0.0):
    """Points of two far Gaussians; a share of them halfway between."""
    points = rng.normal(size=(n, 3)) * 0.1
    points[:, 0] += 10 * rng.integers(0, 2, n)
    points[rng.random(n) < between, 0] = 5
    return points


def test_a_share_is_of_scores_above_nearly_all_of_the_reference():
    reference = np.arange(1, 101.0)  # 99 of them are at most 99
    assert share_beyond([99.0, 99.5, 100.0, 5.0], reference).value == 0.5
    assert share_beyond(reference, reference).value == 0.01
    assert share_beyond(reference, reference, 0.9).value == 0.1
    assert share_beyond([-np.inf, np.inf], reference).value == 0.5


@pytest.mark.parametrize("between", [0.0, 0.1, 0.6])
def test_the_share_between_the_manifolds_of_a_mixture_is_the_true_one(between):
    rng = np.random.default_rng(1)
    train, held_out = mixture(rng, 1500), mixture(rng, 1500)
    found = between_manifolds(mixture(rng, 1000, between), train, held_out)
    true = between + (1 - between) * 0.01
    assert found.share.low <= true <= found.share.high
    assert found.held_out.value == pytest.approx(0.01, abs=1e-3)
    assert found.excess.value == found.share.value - found.held_out.value
    assert (found.distances > found.limit).mean() == found.share.value
    if between:
        assert found.excess.low > 0.5 * between


def test_fresh_data_are_not_memorised_and_copies_are():
    rng = np.random.default_rng(0)
    train, held_out, fresh = (mixture(rng, n) for n in (800, 400, 600))
    real = memorisation(fresh, train, held_out)
    assert not real.memorises
    assert real.expected == pytest.approx(2 / 3)
    assert abs(real.nearest_z) < 3
    assert abs(real.c_t) < 3
    copies = train[rng.integers(0, 800, 600)] + 1e-3 * rng.normal(size=(600, 3))
    found = memorisation(copies, train, held_out)
    assert found.memorises
    assert found.nearest > 0.99
    assert found.c_t < -10
    assert found.authenticity.high < 0.1 < real.authenticity.low
    samples, rows = found.closest(5)
    assert np.linalg.norm(copies[samples] - train[rows], axis=1).max() < 1e-2
    assert memorisation(train, train, held_out).memorises
    half = np.concatenate([copies[:150], fresh[:450]])
    assert memorisation(half, train, held_out).memorises


def test_samples_of_little_variety_are_near_and_not_memorised():
    rng = np.random.default_rng(0)
    train, held_out = rng.normal(size=(2, 1000, 8))
    narrow = memorisation(0.3 * rng.normal(size=(1000, 8)), train, held_out)
    assert narrow.c_t < -3
    assert not narrow.memorises


def test_points_that_both_sets_have_tell_nothing():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(50, 2))
    found = memorisation(shared, shared, shared)
    assert not found.memorises
    assert found.nearest == found.expected == 0.5


def test_c_t_is_the_mann_whitney_score():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(size=40)
    wins = (x[:, None] > y).sum()
    assert c_t(x, y) == pytest.approx((wins - 1200) / np.sqrt(60 * 40 * 101 / 12))
    scores = [c_t(rng.normal(size=60), rng.normal(size=40)) for _ in range(300)]
    assert np.std(scores) == pytest.approx(1, abs=0.15)
    rounded = [c_t(rng.integers(0, 3, 60), rng.integers(0, 3, 40)) for _ in range(300)]
    assert np.std(rounded) == pytest.approx(1, abs=0.15)
    assert c_t(np.zeros(5), np.zeros(9)) == 0


@pytest.mark.parametrize("kind", ["copies", "far", "fresh", "few"])
def test_intervals_of_memorisation_keep_to_what_can_be(kind):
    rng = np.random.default_rng(0)
    train, held_out = rng.normal(size=(60, 3)), rng.normal(size=(20, 3))
    samples = {
        "copies": train[:30] + 1e-3 * rng.normal(size=(30, 3)),
        "far": rng.normal(size=(40, 3)) * 1e-6 + held_out[0],
        "fresh": rng.normal(size=(40, 3)),
        "few": train[:1] + 1e-9,
    }[kind]
    found = memorisation(samples, train, held_out)
    m, h = len(samples), len(held_out)
    extreme = (m * h / 2) / np.sqrt(m * h * (m + h + 1) / 12)
    assert -extreme <= found.c_t_estimate.low <= found.c_t <= found.c_t_estimate.high <= extreme
    excess = found.nearest - found.expected
    assert -found.expected <= found.excess.low <= excess <= found.excess.high <= 1 - found.expected
    assert 0 <= found.authenticity.low <= found.authenticity.high <= 1
    if kind == "fresh":
        assert found.excess.low < 0 < found.excess.high
        assert found.c_t_estimate.low < 0 < found.c_t_estimate.high
    elif m > 1:
        assert not found.c_t_estimate.low < 0 < found.c_t_estimate.high


def test_the_true_share_of_a_shifted_score():
    rng = np.random.default_rng(0)
    found = share_beyond(rng.normal(size=4000) + 1, rng.normal(size=4000))
    assert found.low <= norm.sf(norm.ppf(0.99) - 1) <= found.high


@pytest.mark.parametrize(
    ("measure", "sentence"),
    [
        (lambda: share_beyond([1.0], np.arange(99.0)), "99 reference scores have none beyond 99%"),
        (lambda: share_beyond([1.0], np.arange(900.0), 1.5), "level must lie between 0 and 1"),
        (lambda: share_beyond([np.nan], np.arange(900.0)), "scores has a NaN score"),
        (
            lambda: between_manifolds(np.zeros((9, 2)), np.zeros((9, 3)), np.zeros((200, 3))),
            "samples has points of 2 coordinates and train of 3",
        ),
        (
            lambda: between_manifolds(np.zeros((9, 2)), np.zeros((9, 2)), np.zeros((9, 2))),
            "9 reference scores have none beyond 99% of them; give at least 101",
        ),
        (
            lambda: memorisation(np.zeros((9, 2)), np.zeros((1, 2)), np.zeros((9, 2))),
            "authenticity needs at least 2 training points, and there is 1; give more",
        ),
        (
            lambda: memorisation(np.full((9, 2), np.nan), np.zeros((9, 2)), np.zeros((9, 2))),
            "samples has a NaN",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(measure, sentence):
    with pytest.raises(UomhError, match=sentence):
        measure()
