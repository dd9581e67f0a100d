import numpy as np
import pytest
import torch

import uomh
from uomh.errors import UomhError
from uomh.neighbours import distinct, nearest_neighbours


def brute(X, k, queries=None):
    """Every distance in float64 by differences; ties by index."""
    X = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    Q = X if queries is None else np.asarray(queries, dtype=np.float64).reshape(len(queries), -1)
    d = np.stack([np.sqrt(((X - q) ** 2).sum(1)) for q in Q])
    if queries is None:
        np.fill_diagonal(d, np.inf)
    order = np.argsort(d, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(d, order, 1), order


@pytest.mark.parametrize("shape", [(50, 3), (300, 20), (200, 4, 5, 3)])
@pytest.mark.parametrize("k", [1, 7])
def test_equals_brute_force(shape, k):
    X = np.random.default_rng(0).normal(size=shape)
    found = nearest_neighbours(X, k)
    distances, indices = brute(X, k)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    assert found.distances.dtype == np.float64
    assert found.indices.dtype == np.int64


def test_dropped_duplicates_leave_rows_of_the_original():
    X = np.random.default_rng(1).integers(0, 255, size=(60, 8), dtype=np.uint8)
    X[[5, 40]] = X[2]
    found = uomh.nearest_neighbours(torch.from_numpy(X), 4)
    kept = np.delete(np.arange(60), [5, 40])
    distances, indices = brute(X[kept], 4)
    np.testing.assert_array_equal(found.rows, kept)
    np.testing.assert_array_equal(found.indices, kept[indices])
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    assert found.duplicates == 2


def test_distinct_rows():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(distinct(X), [0, 2])


@pytest.mark.parametrize("k", [0, 5, 1.5])
def test_bad_k_is_one_sentence(k):
    with pytest.raises(UomhError, match="k "):
        nearest_neighbours(np.eye(5), k)
