"""Estimates at some points against the whole set."""

import numpy as np
import pytest

from uomh.dimension.anchors import WHOLE, anchor_neighbours, at_anchors
from uomh.dimension.thinning import UNKNOWN
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours
from uomh.registry import entries, load

LOCAL = [name for name in entries("estimators") if name not in WHOLE]
POINTS = np.random.default_rng(0).standard_normal((1500, 5))


@pytest.mark.parametrize("name", LOCAL)
def test_some_points_estimate_what_all_do_where_fewer_points_would_not(name):
    whole = load("estimators", name)(splits=0).fit(POINTS).dimension_
    some = at_anchors(load("estimators", name)(), POINTS, 400)
    # 400 of 1500 points: twice the error of the whole, or less.
    assert some.dimension_ == pytest.approx(whole, rel=0.08)
    if name != "shortest_path":  # which knows distances from anchors for every point
        assert some.interval_ == UNKNOWN
        assert some.dimension_pw_.shape == (400,)


@pytest.mark.parametrize("name", ["mle", "twonn", "lpca", "ess", "tle"])
def test_the_value_at_an_anchor_is_that_of_the_whole_set(name):
    every = load("estimators", name)(splits=0).fit(POINTS).dimension_pw_
    rows = anchor_neighbours(POINTS, 5, 300).rows
    found = at_anchors(load("estimators", name)(), POINTS, 300).dimension_pw_
    np.testing.assert_allclose(found, every[rows], rtol=1e-9)


def test_neighbours_of_anchors_are_those_of_the_whole_search_without_copies():
    doubled = np.concatenate([POINTS[:200], POINTS[:50], POINTS[:50]])
    whole, some = nearest_neighbours(doubled, 4), anchor_neighbours(doubled, 4, 60)
    at = np.searchsorted(whole.rows, some.rows)
    np.testing.assert_array_equal(some.indices, whole.indices[at])
    np.testing.assert_allclose(some.distances, whole.distances[at], rtol=1e-12)
    assert len(some) == 60
    assert len(anchor_neighbours(doubled, 4, 1000)) == 200
    again = anchor_neighbours(doubled, 4, 60, seed=1)
    assert not np.array_equal(again.rows, some.rows)


@pytest.mark.parametrize("name", WHOLE[:1] + WHOLE[3:4])
def test_estimators_of_the_whole_set_say_so(name):
    with pytest.raises(UomhError, match="set as one"):
        at_anchors(load("estimators", name)(), POINTS, 100)


@pytest.mark.parametrize(
    ("anchors", "message"),
    [
        (0, "anchors must be"),
        (2.5, "anchors must be"),
        (8, "8 anchors are too few for mle at k = 10"),
    ],
)
def test_anchors_that_cannot_be(anchors, message):
    with pytest.raises(UomhError, match=message):
        at_anchors(load("estimators", "mle")(), POINTS, anchors)


def test_fewer_points_than_neighbours():
    with pytest.raises(UomhError, match="lower k"):
        anchor_neighbours(POINTS[:20], 30, 10)
