"""Every estimator is an instrument of ``verify``: groups, intervals, thinning, nulls and figure."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.dimension.harmonic import Harmonic
from uomh.dimension.instruments import statistic_of
from uomh.dimension.statistic import Statistic
from uomh.dimension.values import DimensionEstimate
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours
from uomh.registry import entries, load
from uomh.report.figures import dimension_figure

SLOW = ("danco",)  # simulates for a quarter of a minute before its first answer
SKDIM = ("fishers", "mind")
OTHERS = [name for name in entries("estimators") if name not in (*SLOW, "mle")]
N = 120


def union():
    """A square and a cube of dimension 5, far apart."""
    rng = np.random.default_rng(0)
    x = np.zeros((2 * N, 8))
    x[:N, :2], x[N:, :5] = rng.random((N, 2)), rng.random((N, 5))
    x[N:, 7] = 10
    return x, np.repeat([0, 1], N)


X, Y = union()


def instrument(name, k=12, seed=0):
    if name in SKDIM:
        pytest.importorskip("skdim")
    statistic = statistic_of(name, (k,), seed)
    return statistic_of(name, None, seed) if statistic.note else statistic


def fitted(statistic, points, width, **options):
    """The estimator by itself, on lists of this width."""
    known = {"k": statistic.ks[0], "seed": statistic.seed, **options}
    known = {key: value for key, value in known.items() if key in statistic._options}
    return load("estimators", statistic.name)(**known).fit(
        points, neighbours=nearest_neighbours(points, width)
    )


@pytest.mark.filterwarnings("ignore:shortest_path sees the largest part")
@pytest.mark.parametrize("name", OTHERS)
def test_groups_and_whole_are_what_the_estimator_finds_in_them(name):
    statistic = instrument(name)
    report = uomh.verify(X, Y, k=statistic.ks, estimator=name, nulls=19)
    (k,) = statistic.ks
    for group, points in zip((*report.groups, None), (X[Y == 0], X[Y == 1], X), strict=True):
        alone = fitted(statistic, points, statistic.list_length(len(points)))
        found = report.whole.k[k] if group is None else group.k[k]
        assert (found.dimension, (found.low, found.high)) == (alone.dimension_, alone.interval_)
        if group is not None:
            assert (found.calibrated, found.dispersion) == (None, None)
    assert report.groups[0].coarse
    assert report.whole.size[-1] == (2 * N, {k: pytest.approx(report.whole.k[k].dimension)})
    matter, differ = report.claims.labels_matter, report.claims.dimensions_differ
    # The graph of a shuffled group falls into the two sets, and its paths are of one alone.
    assert (matter.status == "supported") == (name != "shortest_path")
    assert differ.status == "undecided"
    assert differ.reason.startswith(f"{name} has no calibration")
    assert (differ.reason in report.verdict) == (name != "shortest_path")
    assert report.power.k == {}
    low, _, high = matter.k[k].null
    assert low <= report.groups[0].k[k].size_matched <= high
    assert len(dimension_figure([report]).axes) == 1
    assert uomh.verify(X, Y, k=statistic.ks, estimator=name, nulls=19) == report


@pytest.mark.parametrize("name", [*OTHERS, "mle"])
@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [0.8, 0.2]])
def test_parts_are_what_the_estimator_finds_in_each_of_them(name, shares):
    """Out of one search, whether the lists hold enough of a part or it must be searched again."""
    statistic = instrument(name, k=6)
    rng = np.random.default_rng(1)
    points, labels = rng.normal(size=(200, 4)), rng.choice(len(shares), size=200, p=shares)
    points[:20] = points[20:40]  # copies are no neighbours
    for width in (199, 40):
        found = nearest_neighbours(points, width, duplicates="keep")
        lists = statistic.lists(found, points)
        dimensions = statistic.parts(lists, labels, statistic.ks)
        assert dimensions.shape == (len(shares), 1)
        for part, dimension in enumerate(dimensions[:, 0]):
            inside = points[labels == part]
            near = nearest_neighbours(inside, len(inside) - 1, duplicates="keep")
            assert statistic.dimension(_cut(near, statistic.width()), inside, statistic.ks[0]) == (
                # The logarithms of mle's lists are kept in float32.
                pytest.approx(dimension, rel=1e-6 if name == "mle" else 1e-9)
            )


def _cut(near, width):
    """The nearest of every list that are no copies."""
    from uomh.dimension.thinning import shortened, without_copies

    return shortened(without_copies(near), width)


def test_parts_smaller_than_a_list_are_read_as_far_as_they_go():
    statistic = statistic_of("knn", (5,))
    assert statistic.width() == 22
    rng = np.random.default_rng(0)
    points, labels = rng.random((60, 2)), np.repeat([0, 1], [18, 42])
    found = statistic.parts(statistic.lists(nearest_neighbours(points, 59), points), labels, (5,))
    for part, width in ((0, 17), (1, 22)):
        alone = fitted(statistic, points[labels == part], width, splits=0)
        assert found[part, 0] == pytest.approx(alone.dimension_, rel=1e-9)


def test_an_estimator_has_its_own_numbers_of_neighbours_where_none_are_given():
    assert statistic_of("mle").ks == (3, 10, 20)
    assert statistic_of("gride").ks == (16,)
    assert statistic_of("twonn").ks == (2,)
    assert isinstance(statistic_of("mle"), Harmonic)
    assert type(statistic_of("twonn")) is Statistic


def test_numbers_of_neighbours_that_an_estimator_does_not_have_are_said():
    report = uomh.verify(X, Y, k=(3, 10), estimator="twonn", nulls=19)
    assert list(report.whole.k) == [2]
    assert report.notes == (
        "twonn has no option k and looks at 2 neighbours of a point; k = 3, 10 was not used.",
    )
    assert uomh.verify(X, Y, k=2, estimator="twonn", nulls=19).notes == ()


def test_neighbours_are_enough_for_what_works_from_distances():
    found = nearest_neighbours(X, len(X) - 1)
    given = uomh.verify(None, Y, estimator="mom", nulls=19, neighbours=found)
    whole = uomh.verify(X, Y, estimator="mom", nulls=19)
    for one, other in zip(given.groups, whole.groups, strict=True):
        assert one.k[20].dimension == pytest.approx(other.k[20].dimension, rel=1e-9)
    with pytest.raises(UomhError, match=r"lpca looks at the points themselves, .* give the points"):
        uomh.verify(None, Y, k=10, estimator="lpca", nulls=19, neighbours=found)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"estimator": "twon"}, "did you mean 'twonn'"),
        ({"estimator": "no.py:Mine"}, "there is no file 'no.py'"),
        ({"estimator": "geomle", "k": 3}, "k must be at least 4 for geomle; it is 3"),
        ({"estimator": "knn", "k": 70}, "no group has the 142 points .* has 120"),
        ({"estimator": "mom", "k": 130}, "no group has the 132 points .* has 120"),
    ],
)
def test_what_an_estimator_cannot_do_is_one_sentence(options, says):
    with pytest.raises(UomhError, match=says) as caught:
        uomh.verify(X, Y, nulls=19, **options)
    assert "\n" not in str(caught.value)


def test_kept_copies_are_no_neighbours_of_an_instrument():
    x, y = np.concatenate([X, X[::5]]), np.concatenate([Y, Y[::5]])
    report = uomh.verify(x, y, estimator="mom", k=5, nulls=19, duplicates="keep")
    assert [group.n for group in report.groups] == [144, 144]
    for i, group in enumerate(report.groups):
        inside = nearest_neighbours(x[y == i], 100, duplicates="keep")
        alone = load("estimators", "mom")(5).fit(None, neighbours=inside)
        assert group.k[5].dimension == alone.dimension_


PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
EXAMPLE = next(
    block
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if "(Estimator)" in block
)
MINE = (
    EXAMPLE
    + """

class Spread(Estimator):
    uses_points = True

    def __init__(self, k=7, *, share=0.5):
        super().__init__(k, splits=0)
        self.share = share

    def _estimate(self, neighbours, points):
        deviations = points[neighbours.rows].std(axis=0)
        return float(np.sum(deviations > self.share * deviations.max())), deviations


class Needy(Estimator):
    def __init__(self, scale, k=7):
        super().__init__(k)

    def _estimate(self, neighbours, points):
        raise NotImplementedError
"""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    np.savez(folder / "union.npz", x=X, y=Y)
    return folder


def run(folder, name, *words):
    options = ["--dataset", str(folder / "union.npz"), "--estimator", f"{folder}/mine.py:{name}"]
    return CliRunner().invoke(app, ["verify", *options, "--nulls", "19", *words])


@pytest.mark.parametrize(
    ("name", "known", "k"), [("MedianSlope", "median_slope", 10), ("Spread", "Spread", 7)]
)
def test_an_estimator_is_one_file(folder, tmp_path, name, known, k):
    result = run(folder, name, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert f"k = {k}" in text
    assert f"{known} has no calibration" in text
    assert "true:" not in text
    found = json.loads((tmp_path / "dimension.json").read_text())
    assert found["estimator"] == known
    assert list(found["groups"][0]["k"]) == [str(k)]
    assert (
        found["groups"][0]["k"][str(k)]["dimension"] < found["groups"][1]["k"][str(k)]["dimension"]
    )
    assert found["claims"]["labels_matter"]["status"] == "supported"
    assert (tmp_path / "dimension.png").is_file()
    several = json.loads(run(folder, name, "--json", "--k", "4,8").stdout)
    assert list(several["whole"]["k"]) == ["4", "8"]


def test_an_estimator_that_cannot_be_made_is_one_sentence(folder):
    result = run(folder, "Needy")
    assert result.exit_code == 2
    assert (
        "verify cannot make Needy: every option but k and seed must have a default" in result.stderr
    )
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_harmonic_mean_at_any_k_shares_one_list():
    found = nearest_neighbours(X, 100)
    estimates = Harmonic((3, 10)).estimates(found, None)
    assert list(estimates) == [3, 10]
    assert all(
        isinstance(e, DimensionEstimate) and e.low < e.dimension < e.high
        for e in estimates.values()
    )
