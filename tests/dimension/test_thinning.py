import numpy as np
import pytest

from uomh.dimension.harmonic import Harmonic, inverse_from_logs, part_means
from uomh.dimension.lists import NeighbourLists
from uomh.dimension.mle import inverse_dimension
from uomh.dimension.thinning import random_parts, restricted
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours

KS = (3, 10)


def thinned(x, width, labels, ks=KS):
    """Inverse dimensions from lists of the whole."""
    statistic = Harmonic(ks)
    found = nearest_neighbours(x, width, duplicates="keep")
    return statistic.inverse(statistic.lists(found, x), labels, ks)


def searched(x, labels):
    """What the lists must give: a search inside every part."""
    result = np.full((len(x), len(KS)), np.nan)
    for part in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == part)
        found = nearest_neighbours(x[members], max(KS), duplicates="keep")
        result[members] = np.stack([inverse_dimension(found.distances, k) for k in KS], axis=1)
    return result


# The logarithms are kept in float32: 6e-8 of a logarithm of size 1.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.mark.parametrize("width", [299, 60, 12])
def test_thinned_lists_equal_a_search_inside_each_part(width):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    labels = rng.choice(4, size=300, p=[0.5, 0.3, 0.15, 0.05])  # long lists serve some parts only
    found = thinned(x, width, labels)
    np.testing.assert_allclose(found, searched(x, labels), **TOLERANCE)


@pytest.mark.parametrize("width", [299, 60, 12])
@pytest.mark.parametrize("copies", [0, 20])
def test_lists_within_parts_are_those_of_a_search_inside_each(width, copies):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    x[100 : 100 + copies] = x[:copies]
    labels = rng.choice(4, size=300, p=[0.5, 0.3, 0.15, 0.05])
    lists = NeighbourLists(nearest_neighbours(x, width, duplicates="keep"), x)
    found = lists.within(labels, 5)
    for part in range(4):
        members = np.flatnonzero(labels == part)
        inside = nearest_neighbours(x[members], len(members) - 1, duplicates="keep")
        for row, distances in zip(members, inside.distances, strict=True):
            np.testing.assert_allclose(found.distances[row], distances[distances > 0][:5])
            assert (labels[found.indices[row]] == part).all()
            apart = np.linalg.norm(x[found.indices[row]] - x[row], axis=1)
            np.testing.assert_allclose(found.distances[row], apart)


def test_blocks_and_scattered_rows_agree_with_a_search():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5000, 3))
    labels = random_parts(5000, 10, rng)
    labels[::7] = -1
    found = thinned(x, 150, labels)
    np.testing.assert_allclose(found, searched(x, labels), **TOLERANCE)
    assert np.isnan(found[::7]).all()


def test_copies_are_no_neighbours():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 3))
    x[50:60] = x[40:50]
    labels = np.arange(200) % 2
    for width in (199, 30):
        found = thinned(x, width, labels, (3,))
        assert np.isfinite(found).all()
        for part in (0, 1):
            inside = x[labels == part]
            distances = nearest_neighbours(inside, 20, duplicates="keep").distances
            expected = inverse_dimension(distances, 3)
            np.testing.assert_allclose(found[labels == part, 0], expected, **TOLERANCE)


def test_short_lists_without_points_say_what_to_do():
    x = np.random.default_rng(3).normal(size=(200, 3))
    short = NeighbourLists(nearest_neighbours(x, 15))
    with pytest.raises(UomhError, match="give longer lists, or the points as well"):
        short.within(np.arange(200) % 4, 10)


def test_restricted_lists_are_those_of_the_part():
    x = np.random.default_rng(4).normal(size=(120, 3))
    members = np.flatnonzero(np.arange(120) % 3 == 1)
    inside = restricted(nearest_neighbours(x, 119), members)
    direct = nearest_neighbours(x[members], inside.k)
    assert inside.k == len(members) - 1
    np.testing.assert_array_equal(inside.indices, direct.indices)
    np.testing.assert_allclose(inside.distances, direct.distances)


def test_inverse_from_logs_is_the_estimator():
    distances = np.sort(np.random.default_rng(5).random((50, 12)), axis=1)
    expected = np.stack([inverse_dimension(distances, k) for k in (2, 5, 12)], axis=1)
    np.testing.assert_allclose(inverse_from_logs(np.log(distances), (2, 5, 12)), expected)


def test_part_means_and_parts():
    labels = random_parts(10, 3, np.random.default_rng(0))
    assert sorted(np.bincount(labels)) == [3, 3, 4]
    values = np.arange(10.0)[:, None]
    means = part_means(values, labels)[:, 0]
    assert means == pytest.approx([values[labels == part].mean() for part in range(3)])
