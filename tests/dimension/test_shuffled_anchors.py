"""Shuffled labels of many points, estimated at some of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

import uomh
from uomh.dimension import anchored
from uomh.dimension.anchored import Anchors
from uomh.dimension.claims.labels_matter import LabelsMatter
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.nulls import Shuffles
from uomh.dimension.spread import Spread
from uomh.neighbours import nearest_neighbours
from uomh.neighbours.rows import neighbours_and_deeper
from uomh.parallel import Parallel

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.random((1500, 5)) * ([1, 1, 0, 0, 0]), RNG.random((1500, 5)) + 3])
Y = np.repeat([0, 1], 1500)
QUICK = {"k": (3, 10), "nulls": 19}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(anchored, "SHUFFLED", 700)


@pytest.mark.parametrize("kind", ["floats", "bytes"])
def test_one_search_gives_all_points_and_some_of_them_more(kind):
    x = np.random.default_rng(1).normal(size=(3000, 12))
    x[:5] = x[5:10]
    x = x if kind == "floats" else (40 * x).clip(-127, 127).astype(np.int64).astype(np.uint8)
    rows = np.sort(RNG.permutation(3000)[:400])
    all_, some = neighbours_and_deeper(x, 9, rows, 120)
    whole = nearest_neighbours(x, 120, duplicates="keep")
    for found, truth, at in ((all_, whole, slice(None)), (some, whole, rows)):
        np.testing.assert_array_equal(found.distances, truth.distances[at, : found.k])
        np.testing.assert_array_equal(found.indices, truth.indices[at, : found.k])
        np.testing.assert_array_equal(found.rows, truth.rows[at])


def test_one_search_of_tiny_points():
    x = np.random.default_rng(1).normal(size=(900, 3)) * 1e-120
    all_, some = neighbours_and_deeper(x, 4, np.array([3, 70]), 50)
    whole = nearest_neighbours(x, 50)
    np.testing.assert_array_equal(all_.indices, whole.indices[:, :4])
    np.testing.assert_array_equal(some.distances, whole.distances[[3, 70]])


def test_groups_and_whole_stay_at_all_points(few, monkeypatch):
    report = uomh.verify(X, Y, **QUICK)
    monkeypatch.setattr(anchored, "SHUFFLED", 3000)
    full = uomh.verify(X, Y, **QUICK)
    assert report.anchors is None
    for some, all_ in [(report.whole, full.whole), *zip(report.groups, full.groups, strict=True)]:
        for k in (3, 10):
            assert some.k[k].dimension == all_.k[k].dimension
            # Shorter lists thin to the same halves, but for a point in a thousand that runs short.
            assert some.k[k].low == pytest.approx(all_.k[k].low, rel=1e-2)
    for group, same in zip(report.groups, full.groups, strict=True):
        assert group.k[10].size_matched == pytest.approx(same.k[10].size_matched, rel=0.03)
    assert report.claims.groups_separated == full.claims.groups_separated
    assert report.claims.labels_matter.status == "supported"
    assert any("are estimated at 700 points drawn at random" in note for note in report.notes)
    assert not any("drawn at random" in note for note in full.notes)


def test_pieces_give_the_same_to_the_bit(few, tmp_path, monkeypatch):
    serial = uomh.verify(X, Y, **QUICK).to_json()
    in_pieces = Spread(Parallel(), tmp_path)
    monkeypatch.setattr("uomh.dimension.evidence.workplace", lambda *_, **__: in_pieces)
    assert uomh.verify(X, Y, **QUICK).to_json() == serial


def test_true_and_shuffled_labels_are_estimated_alike(few):
    """The statistic is one function of labels: of the same labels it gives the same."""
    statistic = Harmonic((3, 10))
    anchors = Anchors.of_shuffles(3000, 0)
    assert anchors is not None
    rows = anchors.whole()
    assert anchors.count == len(rows) == 700
    _, deep = neighbours_and_deeper(X, 40, rows, 300)
    lists = statistic.lists(deep, X, anchors)
    labels = Shuffles(Y, 3, 0).shuffled(2)
    alone = statistic.parts(lists, labels, (3, 10))
    (together,) = statistic.partitions(lists, [labels], (3, 10))
    np.testing.assert_allclose(alone, together, rtol=1e-6)
    asked = anchors.of(labels)
    np.testing.assert_array_equal(asked, rows)  # each part has far more than the least
    for part in (0, 1):
        members = np.flatnonzero(labels == part)
        near = nearest_neighbours(X[members], 10)
        at = np.isin(members, asked)
        inverse = statistic.dimension(replace(near, distances=near.distances[at]), None, 10)
        assert together[part, 1] == pytest.approx(inverse, rel=1e-5)


def test_few_points_are_all_estimated():
    assert Anchors.of_shuffles(20_000, 0) is None
    anchors = Anchors.of_shuffles(20_001, 0)
    assert anchors is not None
    assert anchors.count == 5_000
    labels = np.arange(20_001) % 1000
    assert np.bincount(labels[anchors.of(labels)]).min() == anchors.least == 5


def test_p_values_of_shuffled_labels_are_uniform_at_anchors():
    """Exact at anchors as at all points: one function of true and of shuffled labels."""
    rng = np.random.default_rng(0)
    x = rng.random((600, 3))
    statistic = Harmonic((5,))
    anchors = Anchors(200, rng.permutation(600))
    _, deep = neighbours_and_deeper(x, 5, anchors.whole(), 60)
    lists = statistic.lists(deep, x, anchors)
    labels, p = np.arange(600) % 4, []
    for seed in range(200):
        shuffles = Shuffles(labels, 40, 1000 + seed)
        values = np.array(
            shuffles.together(lambda some: statistic.partitions(lists, some, (5,)), 40)
        )
        found = LabelsMatter.of(values[0], values[1:], [150] * 4, (5,))
        p.append(found.k[5].p_value)
    # Ranks 1/40 to 40/40 are equally likely: chi-square of 8 bins, 99.9% quantile of 7 degrees.
    counts = np.bincount(np.ceil(np.array(p) * 8).astype(int) - 1, minlength=8)
    assert ((counts - 25) ** 2 / 25).sum() < 24.3


@pytest.mark.slow
def test_verify_gives_uniform_p_values_to_shuffled_labels(monkeypatch):
    monkeypatch.setattr(anchored, "SHUFFLED", 450)
    x = np.random.default_rng(0).random((2000, 4))
    labels, p = np.arange(2000) % 10, []
    for seed in range(200):
        mixed = Shuffles(labels, 1, 10_000 + seed).shuffled(0)
        report = uomh.verify(x, mixed, k=(10,), nulls=99, seed=seed)
        p.append(report.claims.labels_matter.k[10].p_value)
    assert any("estimated at 450 points" in note for note in report.notes)
    # Values stand at 1/100, 2/100, ...: spread each over its step.
    spread = np.array(p) - np.random.default_rng(0).random(200) / 100
    assert kstest(spread, "uniform").pvalue > 0.01
