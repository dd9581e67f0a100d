import json

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern
from threadpoolctl import threadpool_limits

import uomh
from uomh.dimension import references
from uomh.dimension.references import Process, References
from uomh.dimension.traits import MOST, TRAITS

RNG = np.random.default_rng(0)


def sphere(n, d):
    x = RNG.normal(size=(n, d + 1))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def learned(points):
    (group,) = uomh.verify(points, ["all"] * len(points), nulls=19).groups
    return group


def test_a_process_tells_what_a_library_does():
    known, asked = RNG.normal(size=(120, 3)), RNG.normal(size=3)
    values = np.sin(known[:, 0]) + known[:, 1]
    process = Process(np.array([1.0, 2.0, 5.0]), 1.7, 0.05, 0.3)
    kernel = ConstantKernel(1.7) * Matern(process.scales, nu=2.5)
    other = GaussianProcessRegressor(kernel, alpha=0.05, optimizer=None)
    mean, deviation = other.fit(known, values - 0.3).predict(asked[None], return_std=True)
    told = process.tell(known, values, asked)
    assert told[:2] == pytest.approx((mean[0] + 0.3, deviation[0]), rel=1e-6)
    nearest = np.linalg.norm((known - asked) / process.scales, axis=1).min()
    assert told[2] == pytest.approx(nearest)


def test_the_shipped_references_know_what_they_say():
    shipped = references.shipped()
    assert shipped.traits.shape == (len(shipped.corrections), len(TRAITS))
    assert np.isfinite(shipped.traits).all()
    assert np.isfinite(shipped.corrections).all()
    assert len(set(shipped.families.tolist())) == len(shipped.names) > 40
    np.testing.assert_allclose(shipped.traits.mean(axis=0), 0, atol=1e-3)


def test_kept_references_are_read_as_they_were(tmp_path):
    shipped = references.shipped()
    shipped.save(tmp_path / "references.npz")
    again = References.load(tmp_path / "references.npz")
    asked = shipped.traits[5] * shipped.spread + shipped.centre
    assert again.learned(3.0, asked) == shipped.learned(3.0, asked)


def test_families_can_be_left_out():
    shipped = references.shipped()
    others = shipped.without(["ball", "cube"])
    left = {others.names[i] for i in others.families}
    assert {"ball", "cube"}.isdisjoint(left)
    assert len(left) == len(shipped.names) - 2
    assert len(others.traits) == len(others.misses) == len(others.corrections)


@pytest.mark.parametrize(("n", "d"), [(500, 1), (600, 4), (3000, 8), (1500, 16)])
def test_the_learned_dimension_of_a_sphere_is_the_true_one(n, d):
    group = learned(np.pad(sphere(n, d), ((0, 0), (0, 40))))
    low, high = group.known.ends(3)
    assert low < d < high
    assert group.known.error < 0.2


def test_noise_is_not_dimension():
    """The estimate of the noisy sphere is far above 5, its learned dimension is not."""
    wide = np.pad(sphere(2000, 5), ((0, 0), (0, 44)))
    group = learned(wide + 0.03 * RNG.normal(size=wide.shape))
    low, high = group.learned.ends(3)
    assert group.k[3].dimension > 7
    assert low < 5 < high


def test_what_lies_outside_the_references_is_not_known():
    shipped = references.shipped()
    told = shipped.learned(5.0, shipped.centre + 50 * shipped.spread)
    assert np.isinf(told.error)
    assert told.ends() == (0.0, np.inf)
    known = shipped.learned(5.0, shipped.traits[7] * shipped.spread + shipped.centre)
    assert np.isfinite(known.error)


def test_groups_have_none_without_points_with_other_estimators_and_beyond_the_sizes():
    points = sphere(900, 3)
    neighbours = uomh.nearest_neighbours(points, 300)
    for found in (
        uomh.verify(None, np.arange(900) % 2, neighbours=neighbours, nulls=19),
        uomh.verify(points, np.arange(900) % 2, estimator="ess", nulls=19),
        uomh.verify(points, np.arange(900) % 2, k=[5, 10], nulls=19),
        uomh.verify(points, np.arange(900) // 300, nulls=19),
    ):
        assert {group.learned for group in found.groups} == {None}
        assert found.claims.dimensions_differ.decided_by == "bands"
    assert MOST >= 10_000  # classes of the known image sets


def test_a_report_holds_it_and_can_be_read_again(tmp_path):
    report = uomh.verify(sphere(900, 3), np.arange(900) % 2, nulls=19)
    report.save(tmp_path)
    assert uomh.DimensionReport.load(tmp_path) == report
    written = json.loads((tmp_path / "dimension.json").read_text())
    assert set(written["groups"][0]["learned"]) == {"dimension", "error"}
    assert written["claims"]["dimensions_differ"]["decided_by"] == "learned dimensions"
    head, *rows = (tmp_path / "dimension.csv").read_text().splitlines()
    assert head.endswith(",learned,learned_low,learned_high")
    for row in rows[3:]:
        middle, low, high = map(float, row.split(",")[-3:])
        assert low < middle < high


def test_the_answer_is_the_same_for_any_number_of_threads():
    points = np.sin(RNG.normal(size=(1500, 6)) @ RNG.normal(size=(6, 400)))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(uomh.verify(points, np.arange(1500) // 1000, nulls=19))
    assert found[0] == found[1]
