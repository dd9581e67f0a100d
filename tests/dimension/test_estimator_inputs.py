"""Every estimator: points of any kind, offset and unit give the same answer, or one sentence."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from uomh.dimension.core import InvalidPointsError
from uomh.dimension.corrint import pair_counts
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours
from uomh.registry import entries, load

ALL = sorted(entries("estimators"))
EXTERNAL = ("danco", "fishers", "mind")
OURS = [name for name in ALL if name not in EXTERNAL]
CLOUD = np.random.default_rng(0).standard_normal((250, 4))
WHOLE = np.random.default_rng(0).integers(0, 200, size=(60, 3))

# What one point a million times farther than the rest does, as docs/estimators.md says.
FOOLED_BY_AN_OUTLIER = {"geomle": "beyond", "mom": "beyond", "knn": "error", "fishers": "low"}


def make(name, **settings):
    """The estimator with those of the settings that it has."""
    cls = load("estimators", name)
    known = inspect.signature(cls).parameters
    if name in EXTERNAL:
        pytest.importorskip("skdim")
    return cls(**{key: value for key, value in settings.items() if key in known})


def dimension(name, points):
    return make(name, k=12, splits=0).fit(points).dimension_


# DANCo simulates for a quarter of a minute before its first answer.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name == "danco")) for name in ALL],
)
def at_origin(request):
    return request.param, dimension(request.param, CLOUD)


@pytest.mark.parametrize(
    ("moved", "tolerance"),
    [
        # 1e8 leaves coordinates 8 digits, so ratios of distances 6 to 7; DANCo simulates.
        (CLOUD + 1e8, 1e-4),
        (CLOUD - 1e8 * np.array([1, 0, 3, -1]), 1e-4),
        (CLOUD * 1e-6, 1e-9),
        (CLOUD * 1e6, 1e-9),
        (np.ldexp(CLOUD, -530), 1e-9),
        (np.ldexp(CLOUD, -900), 1e-9),
        (np.ldexp(CLOUD, 470), 1e-9),
    ],
)
def test_neither_offset_nor_unit_changes_an_estimate(at_origin, moved, tolerance):
    name, true = at_origin
    assert dimension(name, moved) == pytest.approx(true, rel=tolerance)


def test_one_far_outlier_does_what_the_table_says(at_origin):
    name, true = at_origin
    points = np.concatenate([CLOUD, np.full((1, 4), 1e6)])
    fate = FOOLED_BY_AN_OUTLIER.get(name)
    if fate == "beyond":
        with pytest.warns(UserWarning, match=f"{name} finds .* in points of 4 coordinates"):
            assert dimension(name, points) > 5
    elif fate == "error":
        with pytest.raises(UomhError, match="no finite positive dimension"):
            dimension(name, points)
    elif fate == "low":
        assert dimension(name, points) < 1
    else:
        assert dimension(name, points) == pytest.approx(true, rel=0.02)


@pytest.mark.parametrize("name", OURS)
def test_neighbours_with_copies_and_an_outlier_in_the_last_row(name):
    points = np.concatenate([CLOUD, CLOUD[:20], np.full((1, 4), 20.0)])
    found = nearest_neighbours(points, 80, duplicates="keep")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(mom|geomle) finds")  # the outlier's doing
        fitted = make(name, k=12, splits=2).fit(points, neighbours=found)
    assert 2 < fitted.dimension_ < 8
    assert fitted.dimension_pw_.shape == (271,)


def test_neighbours_that_are_copies_alone_are_one_sentence():
    found = nearest_neighbours(np.repeat(CLOUD, 6, axis=0), 4, duplicates="keep")
    with pytest.raises(UomhError, match="4 copies among its 4 neighbours"):
        make("mle").fit(None, neighbours=found)


def test_neighbours_of_other_points_are_one_sentence():
    found = nearest_neighbours(CLOUD, 30)
    with pytest.raises(UomhError, match="speak of row 249, but X has 100 rows"):
        make("lpca", k=12).fit(CLOUD[:100], neighbours=found)
    with pytest.raises(UomhError, match=r"what uomh\.nearest_neighbours gives; it is tuple"):
        make("mle").fit(None, neighbours=(found.distances, found.indices))


@pytest.mark.parametrize(
    "points",
    [
        torch.from_numpy(WHOLE),
        torch.from_numpy(WHOLE.astype(float)).requires_grad_(),
        torch.from_numpy(WHOLE).to(torch.bfloat16),
        torch.from_numpy(WHOLE).half(),
        torch.from_numpy(WHOLE).to(torch.uint16),
        WHOLE.astype(np.uint16),
        WHOLE.astype(np.uint64) + np.uint64(2**40),
        WHOLE + 2**40,
        WHOLE.astype(">f4"),
        np.asfortranarray(WHOLE)[::-1, ::-1],
        WHOLE.astype(object),
        WHOLE.tolist(),
        pd.DataFrame(WHOLE),
    ],
)
def test_points_of_any_kind_are_their_numbers(points):
    true = make("mle", splits=0).fit(WHOLE.astype(float)).dimension_
    assert make("mle", splits=0).fit(points).dimension_ == pytest.approx(true, rel=1e-9)


def test_a_column_taken_out_by_a_mask_is_a_column():
    column = CLOUD[:, np.array([False, True, False, False])]
    assert make("mle").fit(column).dimension_ == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (scipy.sparse.csr_matrix(WHOLE), "toarray"),
        (torch.from_numpy(WHOLE).to_sparse(), "to_dense"),
        (np.ma.masked_less(WHOLE, 9), "masked array"),
        (WHOLE + 2**62, r"beyond 2\^53"),
        (WHOLE.astype(object) + 2**62, r"beyond 2\^53"),
        (WHOLE.astype(str), "array of real numbers|numeric"),
        (WHOLE.astype(str).astype(object), "array of real numbers"),
        (WHOLE + 1j, "Complex"),
        (torch.from_numpy(WHOLE + 1j), "real numbers"),
        (WHOLE[:, 0], "2D array"),
        (WHOLE[:0], "0 sample"),
        (WHOLE[:, :0], "0 feature"),
        (WHOLE * 1e200, "too large value"),
        (None, "array"),
        ("points.npy", "X|array"),
    ],
)
def test_what_is_no_set_of_points_is_one_sentence(points, says):
    with pytest.raises(InvalidPointsError, match=says) as caught:
        make("mle").fit(points)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UomhError | ValueError)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("value", ["3", 3.5, True, None, -1])
@pytest.mark.parametrize("option", ["k", "splits", "seed"])
def test_options_of_the_wrong_kind_are_one_sentence(name, option, value):
    if option not in inspect.signature(load("estimators", name)).parameters:
        pytest.skip(f"has no {option}")
    with pytest.raises(UomhError, match=f"{option} must be") as caught:
        make(name, **{option: value}).fit(CLOUD)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("mle", {"aggregate": "median"}, "unknown aggregate 'median'"),
        ("mle", {"normaliser": None}, "unknown normaliser"),
        ("twonn", {"method": "mle"}, "unknown method"),
        ("lpca", {"rule": "fa"}, "unknown rule"),
        ("lpca", {"alpha": "small"}, "alpha must be a number"),
        ("geomle", {"subsets": 1}, "subsets must be at least 2"),
        ("geomle", {"ridge": float("nan")}, "ridge must be a finite number"),
        ("knn", {"subsets": 0}, "subsets must be at least 1"),
        ("corrint", {"inner": 2.5}, "inner must be a whole number"),
        ("mind", {"largest": "all"}, "largest must be a whole number"),
    ],
)
def test_other_options_are_checked_as_well(name, options, says):
    with pytest.raises(UomhError, match=says):
        make(name, **options).fit(CLOUD)


def test_close_pairs_are_counted_exactly_beside_far_points():
    points = np.concatenate([CLOUD, np.full((1, 4), 1e10), CLOUD + 3e9])
    radii = np.array([0.7, 1.1])
    counts = pair_counts(points, radii)
    alone = pair_counts(CLOUD, radii)
    np.testing.assert_array_equal(counts[:250], alone)
    assert counts[250].sum() == 0
