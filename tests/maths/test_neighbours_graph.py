import sys

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from uomh.errors import UomhError
from uomh.neighbours import graph, nearest_neighbours, spanning_tree


def full_weight(X):
    """The weight of the minimum spanning tree of all pairs, by scipy, without zero distances."""
    return minimum_spanning_tree(squareform(pdist(np.asarray(X, dtype=float)))).sum()


def assert_tree(tree, n):
    assert tree.edges.shape == (n - 1, 2)
    assert (tree.edges[:, 0] < tree.edges[:, 1]).all()
    assert (np.diff(tree.weights) >= 0).all()
    root = {}

    def find(i):
        while i in root:
            i = root[i]
        return i

    for a, b in tree.edges:
        assert find(a) != find(b), "a cycle"
        root[find(a)] = find(b)


@pytest.mark.parametrize("D", [2, 5])
def test_equals_the_tree_of_all_pairs(D):
    X = np.random.default_rng(0).normal(size=(400, D))
    # With 40 neighbours of 400 every edge of the complete tree is in the graph.
    tree = spanning_tree(nearest_neighbours(X, 40), X)
    assert_tree(tree, 400)
    assert tree.joints == 0
    assert tree.weights.sum() == pytest.approx(full_weight(X), rel=1e-12)
    ends = X[tree.edges]
    np.testing.assert_allclose(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1), tree.weights)


@pytest.mark.parametrize("small", [0, 60, 256])
def test_components_are_joined_by_shortest_edges(small, monkeypatch):
    # Sizes above `small` are searched one component at a time, the others all at once.
    monkeypatch.setattr(graph, "SMALL", small)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, 3)) * 50
    X = np.concatenate(
        [
            c + rng.normal(size=(size, 3))
            for c, size in zip(centres, range(12, 160, 20), strict=False)
        ]
    )
    tree = spanning_tree(nearest_neighbours(X, 10), X)
    assert_tree(tree, len(X))
    assert tree.joints >= 7
    assert tree.weights.sum() == pytest.approx(full_weight(X), rel=1e-12)


def test_one_neighbour_is_enough_to_join_everything():
    X = np.random.default_rng(3).normal(size=(300, 2))
    tree = spanning_tree(nearest_neighbours(X, 1), X)
    assert_tree(tree, 300)
    # Boruvka's rounds from nearest neighbours: every edge is exact.
    assert tree.weights.sum() == pytest.approx(full_weight(X), rel=1e-12)


def test_duplicates_are_edges_of_weight_zero():
    X = np.random.default_rng(0).normal(size=(50, 2))
    X = np.concatenate([X, X[:20], X[:5]])
    kept = spanning_tree(nearest_neighbours(X, 8, duplicates="keep"), X)
    assert_tree(kept, 75)
    assert (kept.weights == 0).sum() == 25
    dropped = spanning_tree(nearest_neighbours(X, 8), X)
    assert_tree(dropped, 50)
    assert kept.weights.sum() == pytest.approx(dropped.weights.sum(), rel=1e-12)


def test_edges_are_rows_of_the_original():
    X = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    tree = spanning_tree(nearest_neighbours(X, 1), X)
    np.testing.assert_array_equal(tree.edges, [[0, 2], [2, 3]])


def test_bad_input_is_one_sentence():
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(UomhError, match="not of queries"):
        spanning_tree(nearest_neighbours(X, 2, X), X)
    with pytest.raises(UomhError, match="X has 10 rows"):
        spanning_tree(nearest_neighbours(X, 1), X[:10])


def test_approximate_search_reports_its_recall():
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 5)) @ rng.normal(size=(5, 30))
    X[17] = X[3]
    exact = nearest_neighbours(X, 10)
    near = nearest_neighbours(X, 10, backend="faiss", recall=0.9)
    np.testing.assert_array_equal(near.rows, exact.rows)
    assert near.duplicates == 1
    assert (near.indices != near.rows[:, None]).all()
    # Distances are measured as in the exact search, so only a missed neighbour can make one larger.
    assert (near.distances >= exact.distances * (1 - 1e-12)).all()
    share = (near.distances <= exact.distances[:, -1:] * (1 + 1e-12)).mean()
    # The sample of 256 points gives the recall to about a percent.
    assert near.recall == pytest.approx(share, abs=0.03)
    assert near.recall > 0.85
    # No probe is missed by the first sample; the second may still find a point that has one.
    full = nearest_neighbours(X, 10, X[:100], backend="faiss", recall=1.0)
    assert full.recall > 0.99


def test_missing_faiss_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UomhError, match=r"uomh\[faiss\]"):
        nearest_neighbours(np.eye(5), 1, backend="faiss")
    with pytest.raises(UomhError, match="recall must be"):
        nearest_neighbours(np.eye(5), 1, backend="faiss", recall=2.0)
