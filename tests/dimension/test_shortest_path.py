"""Graph distances about their mode: sets of known dimension, and graphs that fall apart."""

import numpy as np
import pytest

import uomh
from uomh.dimension.shortest_path import ShortestPath
from uomh.errors import UomhError


def sphere(n, d, rng):
    x = rng.standard_normal((n, d + 1))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def cube(n, d, rng):
    """Flat, turned into more coordinates."""
    return rng.random((n, d)) @ np.linalg.qr(rng.standard_normal((d + 6, d + 6)))[0][:d]


def roll(n, d, rng):
    angle = 1.5 * np.pi * (1 + 2 * rng.random(n))
    return np.stack([angle * np.cos(angle), 21 * rng.random(n), angle * np.sin(angle)], axis=1)


@pytest.mark.parametrize(
    ("make", "d", "k", "tolerance"),
    [
        # Paths zigzag, which few neighbours do not straighten: some percent too many dimensions.
        (sphere, 1, 10, 0.05),
        (sphere, 2, 10, 0.05),
        (sphere, 3, 10, 0.10),
        (sphere, 5, 10, 0.20),
        (cube, 2, 10, 0.10),
        (cube, 4, 10, 0.10),
        (cube, 6, 10, 0.10),
        (roll, 2, 10, 0.12),
    ],
)
def test_sets_of_known_dimension(make, d, k, tolerance):
    points = make(1000, d, np.random.default_rng(1))
    fitted = ShortestPath(k, splits=0).fit(points)
    assert fitted.dimension_ == pytest.approx(d, rel=tolerance)
    assert fitted.connected_ == 1
    assert np.median(fitted.dimension_pw_) == pytest.approx(d, rel=0.35)


def test_it_is_deaf_to_noise_that_deceives_the_nearest_neighbours():
    from uomh.dimension.mle import MLE

    rng = np.random.default_rng(0)
    noisy = np.pad(sphere(800, 2, rng), ((0, 0), (0, 7))) + 0.03 * rng.standard_normal((800, 10))
    assert MLE(10, splits=0).fit(noisy).dimension_ > 3
    assert ShortestPath(10, splits=0).fit(noisy).dimension_ == pytest.approx(2, rel=0.15)


def test_few_anchors_are_near_all():
    points = sphere(600, 3, np.random.default_rng(0))
    few, every = (ShortestPath(anchors=m, splits=0).fit(points) for m in (40, 600))
    assert few.anchors_.shape == (40,)
    assert few.dimension_ == pytest.approx(every.dimension_, rel=0.1)
    assert few.dimension_pw_.shape == (600,)


def test_a_graph_that_falls_apart_is_said():
    rng = np.random.default_rng(0)
    points = np.concatenate([sphere(500, 2, rng), sphere(200, 2, rng) + 50])
    with pytest.warns(UserWarning, match="500 of 700 points"):
        fitted = ShortestPath(10, splits=0).fit(points)
    assert fitted.dimension_ == pytest.approx(2, rel=0.1)
    assert fitted.connected_ == pytest.approx(5 / 7)
    np.testing.assert_array_equal(fitted.dimension_pw_[500:], fitted.dimension_)


def test_verify_says_that_it_saw_a_part_of_the_points_alone():
    rng = np.random.default_rng(0)
    points = np.concatenate([sphere(80, 2, rng), sphere(40, 2, rng) + 50, sphere(100, 2, rng) - 50])
    labels = np.repeat(["both", "one"], [120, 100])
    report = uomh.verify(points, labels, k=[6], estimator="shortest_path", nulls=19)
    said = "connected part of the points alone: 45% of all points at k = 6, 66% of group 'both'"
    assert any(said in note for note in report.notes)
    assert not any("group 'one'" in note for note in report.notes)
    whole = uomh.verify(points[120:], k=[6], estimator="shortest_path", nulls=19)
    assert not any("alone" in note for note in whole.notes)


def test_points_that_are_all_alike_have_no_shape():
    with pytest.raises(UomhError, match="too much alike"):
        ShortestPath(5, splits=0).fit(np.eye(30))
