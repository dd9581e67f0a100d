"""Neighbours within the parts of a partition, against a search of each part by itself."""

import numpy as np
import pytest

from uomh.neighbours import nearest_neighbours, parts, whole
from uomh.neighbours.cost import search_seconds
from uomh.neighbours.parts import Parts

RNG = np.random.default_rng(0)
SETS = {
    "bytes": RNG.integers(0, 256, (1500, 30), dtype=np.uint8),
    "ties": RNG.integers(0, 3, (1500, 5), dtype=np.uint8),
    "floats": RNG.normal(size=(1500, 12)).astype(np.float32),
    "far from zero": RNG.normal(size=(1500, 6)) + 1e6,
    "tiny": RNG.normal(size=(1500, 6)) * 1e-120,
    "whole numbers": RNG.integers(-400, 400, (1500, 9)),
}
LABELS = {
    "two": RNG.permutation(np.arange(1500) % 2),
    "hundred": RNG.permutation(np.arange(1500) % 100),
    "of all sizes": RNG.permutation(np.repeat(np.arange(5), [7, 40, 200, 3, 1250])),
    "with points of none": RNG.permutation(np.repeat([-1, 0, 1], [500, 30, 970])),
}


def expected(X, labels, asked, k):
    distances, indices = np.empty((len(asked), k)), np.empty((len(asked), k), dtype=np.int64)
    for part in np.unique(labels[asked]):
        (members,) = np.nonzero(labels == part)
        found = nearest_neighbours(X[members], k, duplicates="keep")
        mine = labels[asked] == part
        at = np.searchsorted(members, asked[mine])
        distances[mine], indices[mine] = found.distances[at], members[found.indices[at]]
    return distances, indices


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("partition", LABELS)
def test_equals_a_search_of_each_part(kind, partition, monkeypatch):
    X, labels = SETS[kind], LABELS[partition]
    sizes = np.bincount(labels[labels >= 0])
    for k in (1, 6):
        members = (labels >= 0) & (sizes[labels] > k)
        for asked in (np.flatnonzero(members), RNG.permutation(np.flatnonzero(members))[:20]):
            found = Parts(X).nearest(labels, asked, k)
            for one, other in zip(found, expected(X, labels, asked, k), strict=True):
                np.testing.assert_array_equal(one, other)


def test_memory_and_the_kind_of_product_do_not_change_the_answer(monkeypatch):
    X, labels = SETS["bytes"], LABELS["hundred"]
    plain = Parts(X).nearest(labels, np.arange(1500), 5)
    for module, name, value in (
        (parts, "CACHE_BYTES", 0),
        (parts, "BLOCK", 40),
        (parts, "TABLE", 100),
        (whole, "is_exact", lambda: False),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            other = Parts(X).nearest(labels, np.arange(1500), 5)
        for a, b in zip(plain, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)


def test_near_points_far_from_the_rest_keep_their_digits():
    X = np.concatenate([SETS["floats"] * 1e3, 1e4 + 1e-6 * SETS["floats"][:20]])
    labels = np.arange(len(X)) % 3
    asked = np.arange(len(X))
    for one, other in zip(
        Parts(X).nearest(labels, asked, 4), expected(X, labels, asked, 4), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_time_of_a_search_grows_with_its_pairs():
    assert search_seconds(1000, 3, whole=False) == 0
    for whole_numbers in (True, False):
        one = search_seconds(100_000, 100, whole=whole_numbers)
        ten = search_seconds(1_000_000, 100, whole=whole_numbers)
        assert 10 < ten / one < 1000  # a hundred, but for a busy machine
