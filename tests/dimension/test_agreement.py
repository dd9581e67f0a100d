"""Against scikit-dimension: equal where the formulas are, and pinned where they differ."""

import numpy as np
import pytest

from uomh.dimension.corrint import CorrInt
from uomh.dimension.ess import ESS
from uomh.dimension.gride import Gride
from uomh.dimension.lpca import LocalPCA
from uomh.dimension.mle import MLE
from uomh.dimension.mom import MOM
from uomh.dimension.tle import TLE
from uomh.dimension.twonn import TwoNN

pytestmark = pytest.mark.filterwarnings("ignore")  # of importing scikit-dimension
SAME = 1e-6  # the issue's; both sides are float64, so only rounding is left


@pytest.fixture(scope="module")
def skdim():
    return pytest.importorskip("skdim")


def cube(n=300, d=6, D=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, d)) @ np.linalg.qr(rng.standard_normal((D, D)))[0][:d]


@pytest.mark.parametrize("normaliser", ["k-1", "k-2"])
@pytest.mark.parametrize(("aggregate", "comb"), [("harmonic", "mle"), ("mean", "mean")])
def test_mle(skdim, normaliser, aggregate, comb):
    theirs = skdim.id.MLE(unbiased=normaliser == "k-2").fit(cube(), n_neighbors=15, comb=comb)
    ours = MLE(15, aggregate=aggregate, normaliser=normaliser, splits=0).fit(cube())
    assert ours.dimension_ == pytest.approx(theirs.dimension_, rel=SAME)
    np.testing.assert_allclose(ours.dimension_pw_, theirs.dimension_pw_, rtol=SAME)


@pytest.mark.parametrize(("method", "name"), [("ml", "mle"), ("linear", "linear")])
@pytest.mark.parametrize("discarded", [0.1, 0.35])
def test_twonn(skdim, method, name, discarded):
    theirs = skdim.id.TwoNN(discard_fraction=discarded, method=name).fit(cube())
    ours = TwoNN(method=method, discarded=discarded, splits=0).fit(cube())
    assert ours.dimension_ == pytest.approx(theirs.dimension_, rel=SAME)


def test_twonn_differs_at_copies(skdim):
    """A copied point is dropped with its copy there; here one of it stays."""
    points = cube()
    doubled = np.concatenate([points, points[:20]])
    ours = TwoNN(splits=0).fit(doubled)
    assert ours.dimension_ == pytest.approx(TwoNN(splits=0).fit(points).dimension_, rel=SAME)
    theirs = skdim.id.TwoNN(method="mle").fit(doubled)
    assert len(theirs.x_) == int(280 * 0.9)


@pytest.mark.parametrize("n2", [2, 4, 16, 64])
def test_gride(skdim, n2):
    theirs = skdim.id.GRIDE(n1=n2 // 2, n2=n2).fit(cube())
    ours = Gride(n2, splits=0).fit(cube())
    assert ours.dimension_ == pytest.approx(theirs.dimension_, rel=SAME)


def test_gride_differs_in_what_is_cut(skdim):
    """Ratios of a curve are heavy-tailed (Pareto of exponent 1): there the largest are cut."""
    points = np.random.default_rng(0).random((2000, 2)) * [1, 0]
    ours, theirs = Gride(2, splits=0).fit(points), skdim.id.GRIDE().fit(points)
    logs = 1 / TwoNN(discarded=0, splits=0).fit(points).dimension_pw_
    assert ours.dimension_ == pytest.approx((len(logs) - 1) / logs.sum(), rel=SAME)
    assert theirs.dimension_ > 1.01 * ours.dimension_


def test_gride_is_the_maximum_of_its_likelihood():
    """Against a search over d of the log-density itself; N for N-1 moves d by about 1/N."""
    distances = np.cumsum(np.random.default_rng(1).exponential(size=(4000, 8)), axis=1) ** (1 / 5)
    mu = distances[:, 7] / distances[:, 3]
    grid = np.linspace(4, 6, 4001)
    loglik = [
        len(mu) * np.log(d) + 3 * np.log(mu**d - 1).sum() - (7 * d + 1) * np.log(mu).sum()
        for d in grid
    ]
    from uomh.dimension.gride import gride

    found = gride(np.log(mu), 4, 8, count=len(mu))
    assert found == pytest.approx(grid[np.argmax(loglik)], abs=(grid[1] - grid[0]))


def test_corrint(skdim):
    # An even number of points: the radii then lie between distances, and no pair is at a radius.
    theirs = skdim.id.CorrInt(k1=7, k2=15).fit(cube())
    ours = CorrInt(15, inner=7).fit(cube())
    assert ours.dimension_ == pytest.approx(theirs.dimension_, rel=SAME)


@pytest.mark.parametrize(
    ("rule", "ver"), [("fo", "FO"), ("participation", "participation_ratio"), ("gap", "maxgap")]
)
@pytest.mark.parametrize("k", [10, 30])
def test_lpca(skdim, rule, ver, k):
    points = cube(80)
    # Off the plane, so that no eigenvalue is zero but for rounding.
    points = points + 1e-3 * np.random.default_rng(2).standard_normal(points.shape)
    from skdim._commonfuncs import asPointwise

    theirs = asPointwise(points, skdim.id.lPCA(ver=ver), n_neighbors=k)
    ours = LocalPCA(k, rule=rule, splits=0).fit(points)
    if rule == "gap" and k <= points.shape[1]:  # the zero eigenvalue of centring wins there
        assert (theirs == k - 1).all()
        assert ours.dimension_ < k - 1
        return
    np.testing.assert_allclose(ours.dimension_pw_, theirs, rtol=SAME)
    assert ours.dimension_ == pytest.approx(theirs.mean(), rel=SAME)


def test_lpca_gap_counts_all_directions_of_an_exact_plane():
    assert LocalPCA(30, rule="gap", splits=0).fit(cube(80)).dimension_ == 6


def test_ess(skdim):
    points = cube(60)
    for k in (10, 40):
        theirs = skdim.id.ESS(random_state=0).fit(points, n_neighbors=k)
        ours = ESS(k, splits=0).fit(points)
        np.testing.assert_allclose(ours.dimension_pw_, theirs.dimension_pw_, rtol=SAME)
        assert ours.dimension_ == pytest.approx(theirs.dimension_, rel=SAME)


@pytest.mark.slow  # scikit-dimension's combinations take 15 s
def test_ess_differs_beyond_100_neighbours(skdim):
    points = cube(130)
    theirs = skdim.id.ESS(random_state=0).fit(points, n_neighbors=120).dimension_pw_
    ours = ESS(120, splits=0).fit(points).dimension_pw_
    # 5,000 of 7,140 pairs: equal but for the sampling of a mean of areas, of spread about 1/4.
    assert 1e-6 < np.abs(theirs / ours - 1).max() < 0.1


def test_tle(skdim):
    points = cube()
    theirs = skdim.id.TLE().fit(points, n_neighbors=20)
    ours = TLE(20, splits=0).fit(points)
    np.testing.assert_allclose(ours.dimension_pw_, theirs.dimension_pw_, rtol=SAME)
    assert ours.dimension_ == pytest.approx(theirs.dimension_, rel=SAME)


def test_tle_differs_in_what_is_dropped(skdim):
    """There epsilon is a length, so that small units drop measurements and change the estimate."""
    points = cube() / 1e4
    ours, theirs = TLE(20, splits=0).fit(points), skdim.id.TLE().fit(points, n_neighbors=20)
    assert ours.dimension_ == pytest.approx(TLE(20, splits=0).fit(cube()).dimension_, rel=SAME)
    assert abs(theirs.dimension_ / ours.dimension_ - 1) > 0.01


def test_mom(skdim):
    theirs = skdim.id.MOM().fit(cube(), n_neighbors=20)
    ours = MOM(20, splits=0).fit(cube())
    np.testing.assert_allclose(ours.dimension_pw_, theirs.dimension_pw_, rtol=SAME)
    assert ours.dimension_ == pytest.approx(theirs.dimension_, rel=SAME)


@pytest.mark.parametrize("name", ["fishers", "mind"])
def test_adapters_pass_the_number_on(skdim, name):
    from uomh.registry import load

    theirs = {"fishers": skdim.id.FisherS(), "mind": skdim.id.MiND_ML(k=20, D=100)}[name]
    ours = load("estimators", name)().fit(cube())
    assert ours.dimension_ == theirs.fit(cube()).dimension_


def test_adapters_say_what_to_install(monkeypatch):
    import sys

    from uomh.errors import UomhError
    from uomh.registry import load

    monkeypatch.setitem(sys.modules, "skdim.id", None)
    with pytest.raises(UomhError, match=r"pip install 'uomh\[skdim\]'"):
        load("estimators", "danco")().fit(cube())
