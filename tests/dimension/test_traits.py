import numpy as np
import pytest

from uomh.dimension.groups import measured_group
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.traits import TRAITS, torus_dimension, traits
from uomh.neighbours import nearest_neighbours

RNG = np.random.default_rng(0)
SPHERE = RNG.normal(size=(800, 4))
SPHERE /= np.linalg.norm(SPHERE, axis=1, keepdims=True)


def of(points, ks=(3, 10, 20), width=None):
    statistic = Harmonic(ks)
    width = width or statistic.list_length(len(points))
    found = nearest_neighbours(points, width, duplicates="keep")
    group = measured_group(statistic, "", found, points, 0, [1.0] * len(ks))
    return traits(group, found, points), group


def named(points):
    return dict(zip(TRAITS, of(points)[0], strict=True))


def test_they_do_not_change_as_a_set_is_turned_moved_and_scaled():
    turn = np.linalg.qr(RNG.normal(size=(30, 30)))[0][:4]
    # Coordinates near a point are looked at in float32, where a share of 1e-6 is noise.
    np.testing.assert_allclose(of(SPHERE)[0], of(7 * SPHERE @ turn + 3)[0], atol=0.02)


@pytest.mark.parametrize("moved", [SPHERE * 1e-25, SPHERE * 1e25, SPHERE + 1e6])
def test_they_are_the_same_at_any_scale_and_far_from_zero(moved):
    np.testing.assert_allclose(of(SPHERE)[0], of(moved)[0], atol=0.02)


def test_more_k_change_nothing_and_other_k_are_not_known():
    np.testing.assert_allclose(of(SPHERE, (3, 5, 10, 20))[0], of(SPHERE)[0], atol=1e-12)
    assert of(SPHERE, (3, 10))[0] is None


@pytest.mark.parametrize("n", [200, 399])
def test_small_groups_have_none(n):
    assert of(SPHERE[:n])[0] is None
    assert of(SPHERE[:400])[0] is not None


def test_lists_that_are_too_short_tell_nothing():
    assert of(SPHERE, width=70)[0] is None


def test_noise_and_rounding_leave_marks_where_they_are():
    wide = np.pad(SPHERE, ((0, 0), (0, 60)))
    clean, noisy = named(wide), named(wide + 0.02 * RNG.normal(size=wide.shape))
    grid = named(np.round(SPHERE * 40))
    for mark in ("thin directions", "lesser half, 15 neighbours", "lesser half, 40 neighbours"):
        assert noisy[mark] > clean[mark] + 1
    assert noisy["T at n/16, k = 10"] < clean["T at n/16, k = 10"] - 0.1
    assert clean["rounding"] == noisy["rounding"] == np.log(1e-3)
    assert grid["rounding"] > -3


def test_the_torus_dimension_is_the_lower_end_of_the_band():
    _, group = of(SPHERE)
    assert torus_dimension(group) == pytest.approx(group.k[10].calibrated[0])


@pytest.mark.parametrize(
    "points",
    [
        np.arange(500.0)[:, None],  # a line of equal steps: no spread of anything
        np.stack(np.meshgrid(np.arange(25.0), np.arange(25.0)), axis=-1).reshape(-1, 2),
        np.r_[SPHERE[:500], SPHERE[:5].repeat(4, axis=0) + 1e-9 * RNG.normal(size=(20, 4))],
        np.exp(8 * RNG.normal(size=(600, 3))),
        SPHERE[:500].astype(np.float32) * 1e-20,
    ],
    ids=["equal steps", "grid", "near-copies", "heavy tails", "tiny"],
)
def test_odd_sets_have_finite_traits_or_none(points):
    found, _ = of(points)
    assert found is None or np.isfinite(found).all()
