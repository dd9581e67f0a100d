"""Single linkage against scipy's; groups by dimension against sets of known dimension."""

import numpy as np
import pytest
import torch
from scipy.cluster import hierarchy
from sklearn.metrics import adjusted_rand_score

import uomh
from uomh.clusters import cluster
from uomh.clusters.single_linkage import smaller_sides
from uomh.data import Data, Split


def of(x, test=None):
    x = torch.as_tensor(x)
    return Data(
        "set", Split(x), Split(x[:0]), Split(x[:0] if test is None else test), (), None, "s"
    )


@pytest.mark.parametrize("number", [2, 5, 40])
def test_single_linkage_equals_scipy(number):
    # As many neighbours as points: the tree is that of all points.
    x = np.random.default_rng(0).normal(size=(200, 3))
    made = cluster(of(x), "single_linkage", num_clusters=number, k=199)
    theirs = hierarchy.fcluster(hierarchy.single(x), number, "maxclust")
    assert adjusted_rand_score(made.train.y, theirs) == 1


def test_twenty_neighbours_find_the_same_long_edges(digits):
    for number in (2, 10, 50):
        made = cluster(digits, "single_linkage", num_clusters=number)
        tree = hierarchy.single(digits.train.x.flatten(1).double().numpy())
        cut = hierarchy.fcluster(tree, number, "maxclust")
        # scipy makes fewer clusters where heights tie, and then joins some of ours.
        pairs = {(a, b) for a, b in zip(made.train.y.tolist(), cut.tolist(), strict=True)}
        assert len(pairs) == number


def test_a_least_size_keeps_outliers_in_their_cluster():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(150, 2)), np.add(rng.normal(size=(100, 2)), [30, 0])])
    x = np.concatenate([x, [[0, 12], [30, 14], [30, -16]]])
    alone = cluster(of(x), "single_linkage", num_clusters=3)
    assert np.bincount(alone.train.y).tolist() == [151, 101, 1]
    made = cluster(of(x), "single_linkage", num_clusters=2, min_size=50)
    assert np.bincount(made.train.y).tolist() == [151, 102]
    with pytest.raises(uomh.UomhError, match="at most 2 clusters of min_size=50 or more"):
        cluster(of(x), "single_linkage", num_clusters=3, min_size=50)


@pytest.mark.parametrize("size", [2, 5, 12])
def test_every_cluster_has_the_least_size(size):
    x = np.random.default_rng(size).normal(size=(400, 2))
    most = 1
    while True:
        try:
            made = cluster(of(x), "single_linkage", num_clusters=most, min_size=size)
        except uomh.UomhError:
            break
        counts = np.bincount(made.train.y)
        assert (len(counts), counts.min() >= size) == (most, True)
        most += 1
    assert most > 3


def test_smaller_sides_of_a_path():
    path = np.stack([np.arange(5), np.arange(1, 6)], axis=1)
    assert smaller_sides(path).tolist() == [1] * 5
    assert smaller_sides(path[[0, 4, 2, 1, 3]]).tolist() == [1, 1, 1, 2, 2]


def test_held_out_points_join_their_nearest_point(vectors):
    made = cluster(vectors, "single_linkage", num_clusters=3, min_size=20)
    distances = torch.cdist(vectors.test.x, vectors.train.x)
    assert torch.equal(made.test.y, made.train.y[distances.argmin(1)])


def lines_and_balls(n, seed):
    """Points of segments and of four-dimensional cubes, far apart, and which they are of."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(2 * n, 4))
    x[:n, 1:] = 0
    x[n:] += 10
    return x, np.arange(2 * n) // n


def test_groups_by_dimension_are_lines_and_cubes():
    x, true = lines_and_balls(400, 0)
    test, true_test = lines_and_balls(100, 1)
    made = cluster(of(x, torch.as_tensor(test)), "dimension", num_clusters=2, k=10)
    # Means over 11 neighbourhoods of 10: 1 and 4 lie many deviations apart.
    assert (made.train.y.numpy() == true).mean() > 0.97
    assert (made.test.y.numpy() == true_test).mean() > 0.97
    assert np.bincount(made.train.y).tolist() == [400, 400]


def test_copies_have_the_group_of_what_they_equal():
    x, _ = lines_and_balls(100, 0)
    made = cluster(of(np.concatenate([x, x[:60]])), "dimension", num_clusters=3, k=5)
    assert torch.equal(made.train.y[:60], made.train.y[200:])
    with pytest.raises(uomh.UomhError, match=r"lower clusters\.k"):
        cluster(of(x[:6]), "dimension", num_clusters=2, k=5)
