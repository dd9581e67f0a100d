"""Neighbours of bytes, whose distances are whole numbers, in each of the ways they are found."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from tests.maths.search import assert_unchanged_by
from uomh.neighbours import bands, nearest_neighbours, whole
from uomh.parallel import Progress

WAYS = ("table", "bands", "bounds")


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    if request.param == "table":
        monkeypatch.setattr(whole, "DIRECT_ROWS", 1 << 20)
        monkeypatch.setattr(whole, "TABLE", 1 << 12)  # several tables
    elif request.param == "bands":
        monkeypatch.setattr(whole, "DIRECT_ROWS", 0)
        monkeypatch.setattr(whole, "TABLE", 0)
        monkeypatch.setattr(bands, "BAND", 256)
    else:
        monkeypatch.setattr(whole, "is_exact", lambda: False)


def brute(X, k, queries=None):
    squared = cdist(X if queries is None else queries, X, "sqeuclidean")
    if queries is None:
        np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squared, order, 1)), order


def assert_equal(found, distances, indices):
    np.testing.assert_array_equal(found.distances, distances)  # whole numbers: to the last bit
    np.testing.assert_array_equal(found.indices, indices)


@pytest.mark.parametrize(("n", "D"), [(40, 1), (300, 2), (700, 3), (600, 17), (500, 784)])
@pytest.mark.parametrize("k", [1, 12, 39])
def test_equals_brute_force_to_the_last_bit(way, n, D, k):
    X = np.random.default_rng(0).integers(0, 256, (n, D), dtype=np.uint8)
    assert_equal(nearest_neighbours(X, k, duplicates="keep"), *brute(X.astype(float), k))


@pytest.mark.parametrize("m", [1, 8, 600])
def test_queries_equal_brute_force_to_the_last_bit(way, m):
    rng = np.random.default_rng(0)
    X, Q = (rng.integers(0, 256, (n, 30), dtype=np.uint8) for n in (900, m))
    found = nearest_neighbours(X, 7, Q, duplicates="keep")
    assert_equal(found, *brute(X.astype(float), 7, Q.astype(float)))


def test_the_farthest_bytes_that_there_are(way):
    X = np.zeros((300, 3000), dtype=np.uint8)
    X[150:] = 255
    X[:, 0] = np.arange(300) % 256
    assert_equal(nearest_neighbours(X, 200, duplicates="keep"), *brute(X.astype(float), 200))


def test_of_equal_distances_the_lower_row_comes_first(way):
    X = np.random.default_rng(0).integers(0, 3, (600, 4), dtype=np.uint8)  # mostly ties
    assert_equal(nearest_neighbours(X, 25, duplicates="keep"), *brute(X.astype(float), 25))


def test_bytes_in_odd_order(way):
    X = np.random.default_rng(0).integers(0, 256, (300, 12), dtype=np.uint8)
    for x in (np.asfortranarray(X), X[::-1], X[:, ::2], X[::3]):
        assert_equal(nearest_neighbours(x, 5, duplicates="keep"), *brute(x.astype(float), 5))


def test_all_ways_give_floats_of_the_same_bits(monkeypatch):
    X = np.random.default_rng(0).integers(0, 256, (500, 50), dtype=np.uint8)
    quick = nearest_neighbours(X, 9)
    monkeypatch.setattr(whole, "is_exact", lambda: False)
    slow = nearest_neighbours(X, 9)
    np.testing.assert_array_equal(quick.indices, slow.indices)
    np.testing.assert_array_equal(quick.distances, slow.distances)


def test_guesses_memory_and_caches_do_not_change_the_answer(monkeypatch):
    X = np.random.default_rng(0).integers(0, 256, (2500, 20), dtype=np.uint8)
    plain = nearest_neighbours(X, 12)
    assert_equal(plain, *brute(X.astype(float), 12))
    settings = [
        (bands, "MISS", 0.9),
        (bands, "WAITING_PAIRS", 20_000),
        (bands, "BAND", 300),
        (whole, "CACHE_BYTES", 0),
        (whole, "LISTED_PAIRS", 3_000),
        (whole, "DIRECT_ROWS", 3_000),
    ]
    assert_unchanged_by(settings, X, plain, monkeypatch)


@pytest.mark.parametrize(
    ("D", "n", "dtype"),
    [(1 << 15, 10, np.uint8), (1, 10, np.uint8), (3, 10, np.float32)],
)
def test_what_is_not_surely_a_whole_number_below_2_to_the_31_goes_another_way(D, n, dtype):
    points = whole.Points(np.zeros((n, D), dtype))
    assert not whole.applies(points, points, torch.device("cpu"))


def test_a_product_that_is_wrong_or_missing_is_not_used(monkeypatch):
    def saturated(left, right, out):
        return out.copy_((left.int() @ right.int()).clamp(-32768, 32767))

    for wrong in (saturated, None):
        monkeypatch.setattr(torch, "_int_mm", wrong)
        if wrong is None:
            monkeypatch.delattr(torch, "_int_mm")
        assert not whole.is_exact.__wrapped__()


def test_progress_reaches_its_end():
    calls = []
    progress = Progress()
    progress.stage = lambda *call: calls.append(call)
    X = np.random.default_rng(0).integers(0, 256, (2500, 5), dtype=np.uint8)
    nearest_neighbours(X, 3, progress=progress)
    assert calls[-1] == ("neighbours", 6, 6)
