import html as html_text
import json
import re

import numpy as np
import pytest
import torch

import uomh
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours

QUICK = {"k": (3, 10), "nulls": 19}


def cubes(dimensions, n, seed=0, ambient=20):
    """Unit cubes in different coordinates' directions, 10 apart."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n * len(dimensions), ambient))
    for i, d in enumerate(dimensions):
        x[i * n : (i + 1) * n, :d] = rng.random((n, d))
        x[i * n : (i + 1) * n, -1] = 10 * i
    return x, np.repeat(np.arange(len(dimensions)), n)


@pytest.fixture(scope="module")
def union():
    x, y = cubes((2, 6), 400)
    return x, y, uomh.verify(x, y, classes=["sheet", "solid"], name="union", **QUICK)


def test_union_of_different_dimension_is_found(union):
    _, _, report = union
    claims = report.claims
    assert claims.labels_matter.status == "supported"
    assert claims.dimensions_differ.status == "supported"
    assert claims.groups_separated.status == "supported"
    assert (claims.dimensions_differ.k[10].lowest, claims.dimensions_differ.k[10].highest) == (
        "sheet",
        "solid",
    )
    assert claims.groups_separated.purity == 1
    assert claims.groups_separated.mst_cross_edges == 1
    assert report.verdict.startswith("union looks like a union of manifolds of different dimension")
    low, high = report.groups[0].k[10].calibrated
    assert low < 2.1 < high + 0.2  # a square lies between torus and ball
    assert 1 - 0.3 < report.groups[0].k[10].dispersion < 1.5  # near 1: one homogeneous set


def test_json_has_the_stable_keys(union):
    x, _, report = union
    found = json.loads(report.to_json())
    assert found == report.to_dict()
    assert set(found) == {
        *("dataset", "fingerprint", "estimator", "n", "ambient_dim", "by"),
        *("groups", "whole", "claims", "power", "verdict", "unlabelled", "near_copies"),
        *("left_out", "left_out_duplicates", "anchors", "notes"),
    }
    assert (found["n"], found["ambient_dim"], found["by"]) == (len(x), 20, "class")
    group = found["groups"][0]
    assert set(group) >= {"label", "n", "duplicates", "k"}
    assert set(group["k"]) == {"3", "10"}
    assert set(group["k"]["10"]) >= {"dimension", "low", "high", "calibrated"}
    assert len(group["k"]["10"]["calibrated"]) == 2
    assert set(found["whole"]["k"]["10"]) == {"dimension", "low", "high"}
    sizes = [n for n, _ in found["whole"]["size"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(x)
    assert set(found["whole"]["size"][0][1]) == {"3", "10"}
    claims = found["claims"]
    assert set(claims["labels_matter"]["k"]["10"]) >= {"rho", "statistic", "p_value", "nulls"}
    assert set(claims["dimensions_differ"]) >= {"status", "scale_stable", "k"}
    assert set(claims["dimensions_differ"]["k"]["10"]) >= {"gap", "lowest", "highest"}
    assert set(claims["groups_separated"]) >= {
        *("status", "purity", "lift", "p_value", "mst_cross_edges")
    }
    assert set(found["power"]["k"]) == {"3", "10"}


def test_groups_are_estimated_among_themselves(union):
    x, y, report = union
    for i, group in enumerate(report.groups):
        alone = uomh.verify(x[y == i], **QUICK)
        for k in (3, 10):
            assert group.k[k].dimension == pytest.approx(alone.whole.k[k].dimension, rel=1e-9)


def test_saved_files_are_whole(union, tmp_path):
    report = union[2]
    report.save(tmp_path / "out")
    assert json.loads((tmp_path / "out/dimension.json").read_text()) == report.to_dict()
    lines = (tmp_path / "out/dimension.csv").read_text().splitlines()
    assert lines[0].startswith("dataset,group,n,duplicates,k,dimension,low,high")
    assert len(lines) == 1 + 2 + 2 * 2  # a head, the whole and two groups at two k
    assert not list((tmp_path / "out").glob("*.partial"))


def test_notebooks_show_a_table(union):
    report = union[2]
    html = report._repr_html_()
    assert html_text.escape(report.verdict) in html
    head, whole, sheet, solid = re.findall("<tr>(.*?)</tr>", html)
    assert head.startswith("<th>group</th><th>n</th><th>k = ")
    assert whole.startswith(f"<th>all</th><td>{report.n:,}</td>")
    assert sheet.startswith("<th>sheet</th>")
    k, value = next(iter(report.groups[1].k.items()))
    assert f"<th>k = {k}</th>" in head
    assert f"<td>{value.dimension:.2f} [" in solid


def test_same_seed_gives_the_same_report(union):
    x, y, report = union
    again = uomh.verify(x, y, classes=["sheet", "solid"], name="union", **QUICK)
    assert again.to_json() == report.to_json()


def test_images_tensors_and_labels_of_any_kind():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, size=(80, 1, 4, 4), dtype=np.uint8))
    labels = np.array(["a", "b"])[np.arange(80) % 2]
    report = uomh.verify(images, labels, **QUICK)
    assert [group.label for group in report.groups] == ["a", "b"]
    assert report.ambient_dim == 16
    same = uomh.verify(images.flatten(1).double().numpy(), torch.arange(80) % 2, **QUICK)
    for one, other in zip(report.groups, same.groups, strict=True):
        assert one.k[10].dimension == pytest.approx(other.k[10].dimension, rel=1e-9)


def test_neighbours_may_stand_for_the_points(union):
    x, y, report = union
    found = nearest_neighbours(x, len(x) - 1)
    given = uomh.verify(None, y, neighbours=found, **QUICK)
    assert given.ambient_dim is None
    assert given.claims.dimensions_differ.status == "supported"
    for one, other in zip(given.groups, report.groups, strict=True):
        assert one.k[10].dimension == pytest.approx(other.k[10].dimension, rel=1e-5)
    with pytest.raises(UomhError, match="give longer lists, or the points as well"):
        uomh.verify(
            None, y % 2 + 2 * (np.arange(800) % 2), neighbours=nearest_neighbours(x, 12), **QUICK
        )
    shared = uomh.verify(x, y, neighbours=nearest_neighbours(x, 150), **QUICK)
    assert shared.groups[0].k[10].dimension == pytest.approx(report.groups[0].k[10].dimension)


def test_duplicates_are_dropped_and_counted_by_group():
    x, y = cubes((2, 3), 100)
    x = np.concatenate([x, x[:7], x[150:153]])
    y = np.concatenate([y, y[:7], y[150:153]])
    report = uomh.verify(x, y, **QUICK)
    assert [group.duplicates for group in report.groups] == [7, 3]
    assert [group.n for group in report.groups] == [100, 100]
    kept = uomh.verify(x, y, duplicates="keep", **QUICK)
    assert [group.n for group in kept.groups] == [107, 103]
    with pytest.raises(UomhError, match="10 of 210 points equal an earlier one"):
        uomh.verify(x, y, duplicates="error", **QUICK)


def test_unlabelled_data_get_estimates_and_no_verdict():
    x, _ = cubes((3,), 300)
    report = uomh.verify(x, **QUICK)
    assert report.groups == ()
    assert 2.4 < report.whole.k[10].dimension < 3.2  # a cube: bias of its boundary downwards
    assert [n for n, _ in report.whole.size] == [37, 75, 150, 300]
    assert "needs at least two" in report.verdict
    for name in ("labels_matter", "dimensions_differ", "groups_separated"):
        claim = getattr(report.claims, name)
        assert claim.status == "undecided"
        assert "no groups" in claim.reason
    one = uomh.verify(x, np.zeros(300, dtype=int), **QUICK)
    assert len(one.groups) == 1
    assert "one group" in one.claims.labels_matter.reason


def test_groups_too_small_for_a_quarter_leave_the_claim_open():
    x, y = cubes((2, 8), 60)
    report = uomh.verify(x, y, k=(10,), nulls=19)
    differ = report.claims.dimensions_differ
    assert differ.status == "undecided"
    assert "has 60 points, too few to look at a quarter" in differ.reason
    assert differ.scale_stable is None


GOOD = np.random.default_rng(0).normal(size=(60, 3))
HALVES = np.arange(60) % 2
WITH_NAN = np.where(np.arange(60)[:, None] == 7, np.nan, GOOD)


@pytest.mark.parametrize(
    ("x", "y", "options", "says"),
    [
        (np.full((60, 1, 8, 8), 7, dtype=np.uint8), HALVES, {}, "all 60 points are identical"),
        (WITH_NAN, HALVES, {}, "NaN.* in row 7"),
        (GOOD, HALVES, {"k": (1,)}, "k must be at least 2"),
        (GOOD, HALVES, {"k": ()}, "k must be at least 2"),
        (GOOD, HALVES, {"k": (2.5,)}, "whole numbers"),
        (GOOD, HALVES, {"k": (40,)}, "no group has the 42 points .* largest, '0', has 30"),
        (GOOD, HALVES, {"min_group": 5}, "min_group is 5, and k = 10 needs at least 12 points"),
        (GOOD, HALVES, {"min_group": 31}, "no group has the 31 points .* largest, '0', has 30"),
        (GOOD[:5], None, {}, "the data set has 5 points"),
        (
            np.repeat(GOOD[:13], 5, axis=0),
            np.repeat(np.arange(13) % 2, 5),
            {},
            "largest, '0', has 7 after 28 duplicates were dropped",
        ),
        (GOOD, HALVES[:50], {}, "one label for each of 60 points"),
        (GOOD, np.full(60, np.nan), {}, "no label at all"),
        (GOOD, HALVES, {"nulls": 5}, "nulls must be at least 19"),
        (GOOD, HALVES, {"estimator": "mlee"}, "did you mean 'mle'"),
        (None, HALVES, {}, "give the points X, or the neighbours"),
        (GOOD[:, 0], HALVES, {}, "one point"),
    ],
)
def test_bad_input_is_one_sentence(x, y, options, says):
    with pytest.raises(UomhError, match=says) as caught:
        uomh.verify(x, y, **{**QUICK, **options})
    assert "\n" not in str(caught.value)


def test_groups_chosen_from_the_points_are_said_to_be():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(800, 5))
    x[:400, 1:] = 0
    x[400:] += 9
    y = np.arange(800) // 400
    given = uomh.verify(x, y, k=[5], nulls=19)
    chosen = uomh.verify(x, y, k=[5], nulls=19, from_points=True)
    assert "looks like a union of manifolds of different dimension" in given.verdict
    assert "p-value" not in given.verdict
    assert "has groups of different dimension" in chosen.verdict
    assert "no p-value holds as such" in chosen.verdict
    assert chosen.claims.labels_matter.reason in chosen.verdict
