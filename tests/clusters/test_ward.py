"""The exact Ward hierarchy against scipy's, and against the definition where distances tie."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.cluster import hierarchy
from sklearn.metrics import adjusted_rand_score

import uomh
from uomh.clusters import cluster
from uomh.clusters.ward import ward
from uomh.parallel import Progress

DATA_ROOT = Path(os.environ.get("UOMH_DATA_ROOT", "data"))


def agrees(x, numbers=(2, 10, 100)):
    """Heights to 1e-5 relative, as wanted, and equal partitions."""
    tree = ward(x)
    linkage = hierarchy.ward(x.astype(np.float64))
    np.testing.assert_allclose(tree.heights, linkage[:, 2], rtol=1e-5, atol=1e-9)
    for number in numbers:
        theirs = hierarchy.fcluster(linkage, number, "maxclust")
        assert adjusted_rand_score(tree.cut(number), theirs) == 1


def test_digits_equal_scipy():
    x = uomh.load_data("digits").train.x.flatten(1).numpy()
    theirs = hierarchy.fcluster(hierarchy.ward(x.astype(np.float64)), 10, "maxclust")
    assert adjusted_rand_score(ward(x).cut(10), theirs) == 1
    # Low in the hierarchy distances of bytes tie, and both answers are right; so untie them.
    agrees(x + np.random.default_rng(0).normal(scale=0.01, size=x.shape))


@pytest.mark.parametrize("dim", [1, 2, 40])
def test_vectors_equal_scipy(dim):
    rng = np.random.default_rng(dim)
    agrees(rng.normal(size=(700, dim)) * np.arange(1, dim + 1))


def test_points_far_from_the_origin_equal_scipy():
    # float32 would see no distance at all here: its digits end at 0.06.
    agrees(np.random.default_rng(0).normal(size=(500, 3)) + 1e6)


def test_bounds_of_few_coordinates_equal_scipy():
    # Enough points for bounds on principal coordinates in place of all.
    rng = np.random.default_rng(0)
    agrees(rng.integers(0, 256, (2700, 4)) @ rng.normal(size=(4, 60)))


@pytest.mark.skipif(not (DATA_ROOT / "mnist").is_dir(), reason="needs DATA_ROOT/mnist")
def test_mnist_equals_scipy():
    agrees(uomh.load_data("mnist", data_root=str(DATA_ROOT)).train.x[:3000].flatten(1).numpy())


def test_one_point_and_two():
    assert ward(np.zeros((1, 3))).cut(1).tolist() == [0]
    tree = ward(np.array([[0.0, 0.0], [3.0, 4.0]]))
    assert tree.edges.tolist() == [[0, 1]]
    assert tree.heights == pytest.approx([5])


def test_copies_are_merged_first():
    x = np.repeat(np.random.default_rng(0).integers(0, 9, (20, 30)), 5, axis=0).astype(np.uint8)
    tree = ward(x)
    assert (tree.heights[:80] == 0).all()
    assert tree.heights[80] > 0
    assert np.array_equal(np.bincount(tree.cut(20)), np.full(20, 5))
    assert len(set(ward(np.ones((6, 2))).cut(4).tolist())) == 4  # more clusters than places


def sum_of_squares(x, labels):
    return sum(((part - part.mean(0)) ** 2).sum() for part in (x[labels == k] for k in set(labels)))


@pytest.mark.parametrize("name", ["grid", "bytes"])
def test_ties_give_a_hierarchy_of_the_same_kind(name):
    """Every merge costs what its height says, and no cheaper one was there."""
    rng = np.random.default_rng(0)
    x = np.arange(60)[:, None] if name == "grid" else rng.integers(0, 2, (60, 6))
    x = np.unique(x.astype(np.uint8), axis=0)
    tree = ward(x)
    assert np.array_equal(tree.edges, ward(x).edges)
    points = x.astype(float)
    for number in range(1, len(x)):
        parts, whole = tree.cut(number + 1), tree.cut(number)
        rise = sum_of_squares(points, whole) - sum_of_squares(points, parts)
        height = tree.heights[len(x) - number - 1]
        assert rise == pytest.approx(height**2 / 2)
        means = np.stack([points[parts == k].mean(0) for k in range(number + 1)])
        sizes = np.bincount(parts)
        share = sizes[:, None] * sizes / (sizes[:, None] + sizes)
        costs = share * ((means[:, None] - means) ** 2).sum(-1)
        assert rise == pytest.approx(costs[np.triu_indices(number + 1, 1)].min())


def test_progress_ends_at_the_last_merge():
    seen = []
    progress = Progress()
    progress.stage = lambda *call: seen.append(call)
    ward(np.random.default_rng(0).normal(size=(50, 2)), progress)
    assert seen[-1] == ("merges", 49, 49)
    assert seen == sorted(seen)


def test_held_out_points_join_where_the_sum_of_squares_rises_least(digits):
    made = cluster(digits, "agglomerative", num_clusters=6)
    x, y = digits.train.x.flatten(1).double().numpy(), made.train.y.numpy()
    for point, label in zip(digits.test.x.flatten(1).double()[:20], made.test.y, strict=False):
        rises = [
            sum_of_squares(np.vstack([x[y == k], point]), np.zeros((y == k).sum() + 1, int))
            - sum_of_squares(x[y == k], np.zeros((y == k).sum(), int))
            for k in range(6)
        ]
        assert int(np.argmin(rises)) == label
    assert torch.bincount(made.train.y).tolist() == sorted(torch.bincount(made.train.y))[::-1]
