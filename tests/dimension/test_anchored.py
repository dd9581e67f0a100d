"""Estimates at anchors: of the whole, of groups, and of shuffled ones alike."""

import numpy as np
import pytest
from scipy.stats import kstest
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.dimension.anchored import LEAST, Anchors, anchors_of, nominal_seconds
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.nulls import Shuffles
from uomh.dimension.spread import Spread
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours
from uomh.neighbours.rows import neighbours_of
from uomh.parallel import Parallel

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.random((1500, 5)) * ([1, 1, 0, 0, 0]), RNG.random((1500, 5)) + 3])
Y = np.repeat([0, 1], 1500)
QUICK = {"k": (3, 10), "nulls": 19}


@pytest.fixture(scope="module")
def report():
    return uomh.verify(X, Y, anchors=1000, **QUICK)


def test_estimates_are_those_of_all_points_within_their_intervals(report):
    full = uomh.verify(X, Y, **QUICK)
    assert report.anchors == 1000
    assert full.anchors is None
    assert report.n == full.n == 3000
    for some, all_ in [(report.whole, full.whole), *zip(report.groups, full.groups, strict=True)]:
        for k in (3, 10):
            # Both rest on the same points, so they differ by less than either interval.
            assert some.k[k].low < all_.k[k].dimension < some.k[k].high
            assert some.k[k].high - some.k[k].low > all_.k[k].high - all_.k[k].low
    assert [group.n for group in report.groups] == [1500, 1500]
    assert report.claims.dimensions_differ.status == full.claims.dimensions_differ.status
    assert report.claims.groups_separated.purity == 1


def test_the_report_says_so(report, tmp_path):
    assert any("at 1,000 of 3,000 points drawn at random" in note for note in report.notes)
    report.save(tmp_path)
    assert uomh.DimensionReport.load(tmp_path) == report


def test_pieces_give_the_same_to_the_bit(report, tmp_path, monkeypatch):
    in_pieces = Spread(Parallel(), tmp_path)  # as workers would do them, one after the other here
    monkeypatch.setattr("uomh.dimension.evidence.workplace", lambda *_, **__: in_pieces)
    assert uomh.verify(X, Y, anchors=1000, **QUICK).to_json() == report.to_json()


def test_as_many_anchors_as_points_are_all_points():
    assert anchors_of(3000, 5, 3000, 0) is None
    assert anchors_of(3000, 5, 2999, 0).count == 2999


def test_a_part_has_its_own_of_the_anchors_and_further_ones_where_these_are_few():
    drawn = Anchors.drawn(3000, 300, seed=0)
    labels = np.repeat([0, 1, 2, -1], [2000, 600, 30, 370])
    chosen = drawn.of(labels)
    sizes = np.bincount(labels[chosen])
    drawn_of = np.bincount(labels[drawn.whole()] + 1)[1:]
    assert sizes.tolist() == [drawn_of[0], max(drawn_of[1], LEAST), 30]
    assert 180 < drawn_of[0] < 220  # a tenth: four deviations
    rank = np.argsort(drawn.order)
    for part, size in enumerate(sizes):
        members = np.flatnonzero(labels == part)
        first = members[np.argsort(rank[members])[:size]]
        np.testing.assert_array_equal(chosen[labels[chosen] == part], np.sort(first))
        alone = drawn.within(members)
        if size == len(members):
            assert alone is None
        else:
            np.testing.assert_array_equal(members[alone.whole()], np.sort(first))
    assert LEAST == 50


def test_by_default_all_points_are_anchors_up_to_ten_minutes_of_search():
    assert anchors_of(60_000, 784, None, 0) is None
    assert anchors_of(50_000, 3072, None, 0) is None
    assert anchors_of(1_000_000, 128, None, 0).count == 50_000
    assert nominal_seconds(1_000_000, 500_000, 128) == pytest.approx(500 * 3.56)
    assert anchors_of(10**8, None, None, 0) is None  # given neighbours


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"anchors": 999}, "anchors must be at least 1,000; it is 999"),
        ({"anchors": 1.5}, "anchors must be a whole number"),
        ({"anchors": 1000, "estimator": "twonn", "k": None}, "cannot estimate at anchors"),
    ],
)
def test_bad_input_is_one_sentence(options, says):
    with pytest.raises(UomhError, match=says):
        uomh.verify(X, Y, **{**QUICK, **options})


def test_anchors_are_searched_among_points():
    found = nearest_neighbours(X[::6], 100)
    with pytest.raises(UomhError, match="give the points X"):
        uomh.verify(None, Y[::6], neighbours=found, anchors=1000, **QUICK)


def test_the_command_has_the_option(tmp_path):
    np.savez(tmp_path / "x.npz", x=X.astype(np.float32), y=Y)
    words = ["verify", "--dataset", tmp_path / "x.npz", "--k", "3", "--nulls", "19"]
    result = CliRunner().invoke(app, [*map(str, words), "--anchors", "1000", "--json"])
    assert '"anchors": 1000' in result.output


@pytest.mark.slow
def test_intervals_cover_the_estimate_at_all_points():
    x = np.random.default_rng(0).random((20_000, 4))
    statistic = Harmonic((10,))
    full = statistic.dimension(nearest_neighbours(x, 10), None, 10)
    covered = []
    for seed in range(200):
        rows = Anchors.drawn(len(x), 1000, seed).whole()
        low, high = (
            getattr(statistic.estimates(neighbours_of(x, rows, 40), x)[10], end)
            for end in ("low", "high")
        )
        covered.append(low < full < high)
    # 186 to 194 of 200: where 95% are covered, one count in five lies outside by chance alone.
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.slow
def test_p_values_of_shuffled_labels_are_uniform():
    x = np.random.default_rng(0).random((2000, 4))
    labels = np.arange(2000) % 10
    p = []
    for seed in range(200):
        mixed = Shuffles(labels, 1, 10_000 + seed).shuffled(0)
        report = uomh.verify(x, mixed, k=(10,), nulls=99, anchors=1000, seed=seed)
        p.append(report.claims.labels_matter.k[10].p_value)
    # Values stand at 1/100, 2/100, ...: spread each over its step.
    spread = np.array(p) - np.random.default_rng(0).random(200) / 100
    assert kstest(spread, "uniform").pvalue > 0.01


def test_what_stands_behind_an_anchored_report_is_of_the_points_that_it_names():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2500, 3))
    report = uomh.verify(x, np.arange(2500) % 2, k=(3, 5), nulls=19, anchors=1000)
    for pair in report.details.pairs:
        assert pair.distance == pytest.approx(np.linalg.norm(x[pair.row] - x[pair.other]), rel=1e-6)
    for i, group in enumerate(report.details.groups):
        rows = [extreme.row for extreme in (*group.lowest, *group.highest)]
        assert rows
        assert all(row % 2 == i for row in rows)
        assert 0 < group.own < 1
