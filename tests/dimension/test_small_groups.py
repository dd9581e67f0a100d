"""Groups with too few points for k neighbours are left out and named."""

import numpy as np
import pytest

import uomh
from uomh.dimension.smallgroups import groups_left_out
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours

QUICK = {"k": (3, 10), "nulls": 19}
X = np.random.default_rng(0).normal(size=(200, 4))
Y = np.array(["plenty"] * 100 + ["enough"] * 84 + ["few"] * 11 + ["one"] * 1 + ["some"] * 4)
LARGE = np.isin(Y, ["plenty", "enough"])


def test_the_report_is_that_of_the_other_groups():
    report = uomh.verify(X, Y, **QUICK)
    assert report.left_out == {"few": 11, "one": 1, "some": 4}
    assert report.notes == (
        "3 groups with 16 points in all are too small to be measured and were left out: few (11), "
        "one (1), some (4).",
    )
    alone = uomh.verify(X[LARGE], Y[LARGE], **QUICK)
    assert (report.n, report.groups, report.claims) == (184, alone.groups, alone.claims)
    assert report.fingerprint == alone.fingerprint


def test_what_was_left_out_is_saved_and_read(tmp_path):
    report = uomh.verify(X, Y, **QUICK)
    report.save(tmp_path)
    assert uomh.DimensionReport.load(tmp_path) == report


def test_min_group_sets_the_size_below_which_groups_are_left_out():
    report = uomh.verify(X, Y, min_group=90, **QUICK)
    assert [group.label for group in report.groups] == ["plenty"]
    assert report.left_out["enough"] == 84
    assert "there is one group" in report.claims.labels_matter.reason


def test_a_group_that_is_all_copies_of_others_is_left_out_too():
    x, y = np.concatenate([X, X[:20]]), np.append(Y, ["copies"] * 20)
    assert uomh.verify(x, y, **QUICK).left_out["copies"] == 0


def test_given_neighbours_are_thinned_to_the_points_that_stay():
    whole = nearest_neighbours(X, len(X) - 1)
    given = uomh.verify(None, Y, neighbours=whole, **QUICK)
    searched = uomh.verify(X, Y, **QUICK)
    assert given.left_out == searched.left_out
    for one, other in zip(given.groups, searched.groups, strict=True):
        assert one.k[10].dimension == pytest.approx(other.k[10].dimension, rel=1e-6)


def test_a_sentence_names_ten_groups_at_most():
    said = groups_left_out({f"g{i}": 2 for i in range(1200)}, {})
    assert said.startswith("1,200 groups with 2,400 points in all")
    assert said.endswith("g9 (2) and 1,190 more.")
    assert groups_left_out({"yeti": 1}, {}).startswith("The group yeti (1 point) is")


def test_where_all_are_too_small_one_sentence_says_so():
    with pytest.raises(UomhError, match=r"no group has the 22 points .* the largest, '0', has 20"):
        uomh.verify(X, np.arange(200) // 20, k=(20,), nulls=19)
