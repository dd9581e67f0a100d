from dataclasses import replace

import numpy as np
import pytest

from uomh.dimension.calibration import calibrated_band, expected_estimate
from uomh.dimension.claims.bands import curvature, moves
from uomh.dimension.claims.dimensions_differ import (
    DimensionsDiffer,
    detectable_difference,
    errors_apart,
)
from uomh.dimension.claims.groups_separated import GroupsSeparated
from uomh.dimension.claims.labels_matter import LabelsMatter
from uomh.dimension.values import Coarse, Group, GroupAtScale, GroupEstimate, Learned

N, KS = 3200, (3, 10)
MATTER = "supported"


def group(label, estimate, error=0.01):
    """A group whose estimate at n points and k is estimate(n, k), known to a relative error."""

    def ends(d):
        return d * (1 - error), d * (1 + error)

    k = {
        k: GroupEstimate(d, *ends(d), calibrated_band(d, N, k), d, 1.0)
        for k in KS
        for d in [estimate(N, k)]
    }
    coarse = tuple(
        Coarse(
            n,
            {
                k: GroupAtScale(d, *ends(d), calibrated_band(d, n, k))
                for k in KS
                for d in [estimate(n, k)]
            },
        )
        for n in (N // 4, N // 16)
    )
    return Group(label, N, 0, k, coarse)


def shaped(d, shape):
    return lambda n, k: expected_estimate(d, n, k, shape)


def test_equal_dimension_is_never_told_apart_by_torus_and_ball():
    for d in (2, 5, 8, 12, 20):
        pair = [group("torus", shaped(d, "torus")), group("ball", shaped(d, "ball"))]
        assert DimensionsDiffer.of(pair, KS, MATTER).status == "undecided"


@pytest.mark.parametrize("shape", ["torus", "ball"])
@pytest.mark.parametrize("dimensions", [(2, 5), (5, 10), (8, 12)])
def test_different_dimension_of_one_shape_is_told_apart(dimensions, shape):
    low, high = dimensions
    found = DimensionsDiffer.of(
        [group("high", shaped(high, shape)), group("low", shaped(low, shape))], KS, MATTER
    )
    assert found.status == "supported"
    assert found.scale_stable is True
    assert {(gap.lowest, gap.highest) for gap in found.k.values()} == {("low", "high")}
    assert all(gap.gap >= 1 and gap.coarse_gap >= 1 for gap in found.k.values())


def test_a_group_too_small_to_thin_is_left_out():
    small = replace(group("small", shaped(20, "ball")), coarse=(), n=40)
    large = [group("low", shaped(2, "ball")), group("high", shaped(8, "ball"))]
    found = DimensionsDiffer.of([small, *large], KS, MATTER)
    assert (found.status, found.k[10].highest) == ("supported", "high")
    assert DimensionsDiffer.of([small, large[0]], KS, MATTER).status == "undecided"


def test_labels_that_do_not_matter_show_no_difference():
    pair = [group("a", shaped(2, "torus")), group("b", shaped(8, "torus"))]
    found = DimensionsDiffer.of(pair, KS, "not supported")
    assert found.status == "not supported"
    assert DimensionsDiffer.of(pair, KS, "undecided").status == "undecided"


def test_noise_falls_and_curvature_rises_over_scale():
    noisy = group("noisy", lambda n, k: 5 + n / 800)
    assert moves(noisy, KS) == (True, False, True)
    found = DimensionsDiffer.of([group("clean", shaped(2, "torus")), noisy], KS, MATTER)
    assert found.scale_stable is False
    assert found.falls == ("noisy",)
    bent = group(
        "bent", lambda n, k: expected_estimate(8, n, k, "torus") + 2.4 * (n / 200) ** -0.25
    )
    assert moves(bent, KS) == (False, True, True)


def test_curvature_is_taken_off():
    # With a bias c r^2 on a flat 8-dimensional torus, r^2 as n^(-2/8), what is taken off is c r^2
    # at full size, and some more: d in the exponent is taken as estimated, 9.2 instead of 8, and
    # calibration stretches the estimate at n/16, which is beyond the torus of any small bias.
    bias = 1.2
    bent = group(
        "bent", lambda n, k: expected_estimate(8, n, k, "torus") + bias * (n / N) ** -0.25, 1e-6
    )
    for k in KS:
        assert bias < curvature(bent, k) < 1.6 * bias
        assert curvature(group("flat", shaped(8, "torus"), 1e-6), k) == pytest.approx(0, abs=1e-3)
        assert curvature(group("ball", shaped(8, "ball")), k) == 0


def test_status_of_labels_follows_p_at_every_k():
    rng = np.random.default_rng(0)
    null = rng.normal(10, 0.1, size=(199, 4, 2))
    sizes = np.full(4, 100)
    apart = np.array([[8.0, 9.0, 11.0, 12.0]]).T
    same = null[0, :, :1] * 0 + 10
    both = LabelsMatter.of(np.hstack([apart, apart]), null, sizes, (3, 10))
    assert both.status == "supported"
    assert both.k[3].p_value == 1 / 200
    assert both.k[3].nulls == 199
    assert both.k[3].rho > 5
    assert LabelsMatter.of(np.hstack([apart, same]), null, sizes, (3, 10)).status == "undecided"
    assert LabelsMatter.of(np.hstack([same, same]), null, sizes, (3, 10)).status == "not supported"


def test_separation_needs_to_be_nearer_to_complete_than_to_chance():
    labels = np.repeat([0, 1], 100)
    chain = np.stack([np.arange(199), np.arange(1, 200)], axis=1)  # one edge crosses
    nulls = np.tile([0.5, 100.0], (199, 1))
    nearest = np.r_[1, np.arange(199)]
    found = GroupsSeparated.of(nearest, chain, labels, nulls)
    assert (found.status, found.mst_cross_edges) == ("supported", 1)
    assert found.lift == pytest.approx(found.purity / (99 / 199))
    strangers = GroupsSeparated.of(np.arange(200)[::-1], chain, labels, nulls)
    assert strangers.clause().endswith("(0% of nearest neighbours share the group, 50% by chance)")
    mixed = np.where(np.arange(200) % 5 < 2, np.arange(200)[::-1], nearest)  # 2 in 5 cross
    found = GroupsSeparated.of(mixed, chain, labels, nulls)
    assert (found.status, round(found.purity, 2)) == ("undecided", 0.6)
    above = np.tile([0.7, 100.0], (199, 1))
    assert GroupsSeparated.of(mixed, chain, labels, above).status == "not supported"
    alone = GroupsSeparated.of(nearest, None, labels, nulls)
    assert (alone.status, alone.mst_cross_edges) == ("supported", None)


def test_detectable_difference_shrinks_with_precision():
    coarse = [group("a", shaped(8, "ball"), error=0.05)] * 2
    fine = [group("a", shaped(8, "ball"), error=0.01)] * 2
    for k in KS:
        assert 1 < detectable_difference(fine, k) < detectable_difference(coarse, k)
    # the difference is one that the claim does show
    delta = detectable_difference(fine, 10) + detectable_difference(fine, 3)
    d = np.mean(calibrated_band(expected_estimate(8, N, 10, "ball"), N, 10))
    for shape in ("torus", "ball"):
        pair = [group("low", shaped(d, shape)), group("high", shaped(d + delta, shape))]
        assert DimensionsDiffer.of(pair, KS, MATTER).status == "supported"


def told(label, d, error=0.02, shape="torus"):
    """A group whose learned dimension is the true one."""
    return replace(group(label, shaped(d, shape)), learned=Learned(float(d), error))


def test_learned_dimensions_decide_where_two_groups_have_one():
    low, high = told("low", 4), told("high", 5)
    found = DimensionsDiffer.of([high, low], KS, MATTER)
    assert (found.status, found.decided_by) == ("supported", "learned dimensions")
    assert (found.k[3].lowest, found.k[3].highest) == ("low", "high")
    expected = 5 * np.exp(-3 * 0.02) - 4 * np.exp(3 * 0.02)
    assert found.learned_gap == pytest.approx(expected)
    assert found.row().startswith("learned dimensions of low and high apart by 0.5, bands by ")
    assert found.pair([low, high]).startswith("4.0 (3.8 to 4.2) for 'low' and 5.0 (4.8 to 5.2)")
    # As bands have it the two are too near; with one learned dimension alone bands decide.
    alone = DimensionsDiffer.of([low, replace(high, learned=None)], KS, MATTER)
    assert (alone.status, alone.decided_by, alone.learned_gap) == ("undecided", "bands", None)


def test_learned_dimensions_must_lie_apart_beyond_their_errors():
    for d, error, status in ((4.75, 0.02, "undecided"), (6, 0.07, "undecided"), (6, 0.03, MATTER)):
        pair = [told("low", 4, error), replace(told("high", 6), learned=Learned(d, error))]
        assert DimensionsDiffer.of(pair, KS, MATTER).status == status, (d, error)
    assert errors_apart(2) == errors_apart(12) == 3 < errors_apart(40) < errors_apart(1000)


def test_bands_that_overlap_keep_learned_dimensions_from_deciding():
    pair = [told("a", 8, shape="ball"), replace(told("b", 8), learned=Learned(10.0, 0.01))]
    found = DimensionsDiffer.of(pair, KS, MATTER)
    assert (found.status, found.decided_by) == ("undecided", "learned dimensions")
    assert "bands that do not overlap" in found.reason


def test_a_group_like_no_reference_is_of_no_known_dimension():
    strange = replace(told("strange", 12), learned=Learned(12.0, np.inf))
    found = DimensionsDiffer.of([strange, told("low", 2)], KS, MATTER)
    assert found.status == "undecided"
    assert "not known" in found.row()
    assert {found.k[3].lowest, found.k[3].highest} == {"low", "strange"}
    found = DimensionsDiffer.of([strange, told("low", 2), told("high", 6)], KS, MATTER)
    assert (found.status, found.k[3].highest) == ("supported", "high")
    nobody = [replace(told(label, 3), learned=Learned(3.0, np.inf)) for label in "ab"]
    found = DimensionsDiffer.of(nobody, KS, MATTER)  # and never a group against itself
    assert found.k[3].lowest != found.k[3].highest


def test_the_detectable_difference_is_that_of_the_rule_that_decides():
    groups = [told("a", 8), told("b", 8)]
    delta = detectable_difference(groups, 10)
    assert delta < detectable_difference([replace(g, learned=None) for g in groups], 10)
    more = delta + detectable_difference(groups, 3)  # curvature is taken off the bands as well
    low, high = told("low", 8), told("high", 8 + more)
    assert DimensionsDiffer.of([low, high], KS, MATTER).status == "supported"
    nowhere = [replace(g, learned=Learned(8.0, np.inf)) for g in groups]
    assert detectable_difference(nowhere, 10) == np.inf
