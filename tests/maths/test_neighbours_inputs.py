"""Points of any kind are searched as the numbers they are, or refused in one sentence."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from uomh.errors import UomhError
from uomh.neighbours import distinct, nearest_neighbours

WHOLE = np.random.default_rng(0).integers(0, 200, size=(50, 6))
TRUE = nearest_neighbours(WHOLE.astype(np.float64), 5)
FRAME = pd.DataFrame(WHOLE)
MASK = np.array([False, True, False, False, False, False])


def agrees(found, true=TRUE, rtol=0.0):
    np.testing.assert_allclose(found.distances, true.distances, rtol=rtol)
    np.testing.assert_array_equal(found.indices, true.indices)


@pytest.mark.parametrize(
    "kind",
    ["u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i2", ">u2", ">u8", ">f4", ">f8"],
)
def test_every_type_of_number_gives_the_same_neighbours(kind):
    agrees(nearest_neighbours(WHOLE.astype(kind), 5))


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int64", "half", "bfloat16"])
def test_every_type_of_tensor_gives_the_same_neighbours(kind):
    agrees(nearest_neighbours(torch.from_numpy(WHOLE).to(getattr(torch, kind)), 5))


READ_ONLY = WHOLE.astype(float)
READ_ONLY.flags.writeable = False
RECORD = np.zeros(50, dtype=[("flag", "u1"), ("x", "f8", 6)])
RECORD["x"] = WHOLE


@pytest.mark.parametrize(
    "points",
    [
        WHOLE.tolist(),
        WHOLE.astype(object),
        np.vectorize(Decimal)(WHOLE.astype(object)),
        FRAME,
        FRAME.astype("Int64"),
        FRAME.astype({0: "float32", 1: "object"}),
        np.asfortranarray(WHOLE),
        np.repeat(WHOLE, 2, axis=1)[:, ::2],
        WHOLE[:, ::-1],
        np.flip(WHOLE.astype(float)[::-1]),
        READ_ONLY,
        RECORD["x"],
        list(torch.from_numpy(WHOLE)),
        torch.from_numpy(WHOLE.astype(float)).requires_grad_(),
        WHOLE.reshape(50, 1, 2, 3),
    ],
)
def test_every_layout_gives_the_same_neighbours(points):
    found = nearest_neighbours(points, 5)
    np.testing.assert_array_equal(found.distances, TRUE.distances)


def test_one_column_taken_out_by_a_mask_is_a_column():
    column = WHOLE[:, MASK].astype(float)
    plain = np.ascontiguousarray(WHOLE[:, 1]).astype(float).reshape(-1, 1)
    agrees(nearest_neighbours(WHOLE.astype(float)[:, MASK], 3), nearest_neighbours(plain, 3))
    np.testing.assert_array_equal(distinct(column), distinct(plain))
    np.testing.assert_array_equal(distinct(torch.from_numpy(WHOLE)[:, 1:2]), distinct(plain))


@pytest.mark.parametrize("offset", [2**31, 2**40, 2**52])
def test_whole_numbers_far_from_zero_keep_their_differences(offset):
    agrees(nearest_neighbours(WHOLE + offset, 5))
    agrees(nearest_neighbours((WHOLE + offset).astype(np.uint64), 5))
    agrees(nearest_neighbours(WHOLE + float(offset), 5))


@pytest.mark.parametrize(
    "points",
    [
        WHOLE + 2**62,
        (WHOLE + 2**62).astype(np.uint64),
        WHOLE.astype(np.uint64) + np.uint64(2**63),
        (WHOLE + 2**62).astype(object),
        torch.from_numpy(WHOLE - 2**62),
        WHOLE.astype(object) + 2**70,
    ],
)
def test_whole_numbers_that_float64_would_merge_are_refused(points):
    with pytest.raises(UomhError, match=r"beyond 2\^53"):
        nearest_neighbours(points, 3)


@pytest.mark.parametrize("power", [-160, -300, -530, -1000, 300, 480])
def test_units_change_nothing(power):
    points = np.random.default_rng(1).standard_normal((60, 4))
    true = nearest_neighbours(points, 5)
    found = nearest_neighbours(np.ldexp(points, power), 5)
    np.testing.assert_array_equal(found.indices, true.indices)
    np.testing.assert_allclose(found.distances, np.ldexp(true.distances, power), rtol=1e-12)
    onto = nearest_neighbours(np.ldexp(points, power), 1, queries=np.ldexp(points[:3], power))
    np.testing.assert_array_equal(onto.indices[:, 0], [0, 1, 2])


def test_numbers_without_all_their_digits_have_their_distances_still():
    points = np.round(np.random.default_rng(1).standard_normal((60, 2)) * 1000) * 5e-324
    found = nearest_neighbours(points, 2)
    assert (found.distances > 0).all()
    true = nearest_neighbours(points / 5e-324, 2)
    np.testing.assert_allclose(found.distances / 5e-324, true.distances, atol=0.51)


def test_distances_that_vanish_beside_large_numbers_are_refused():
    points = np.random.default_rng(1).standard_normal((60, 4))
    points[:30] *= 1e-170
    with pytest.raises(UomhError, match="nearer than 1e-150"):
        nearest_neighbours(points, 3)
    copies = np.concatenate([points[30:], points[30:]])
    assert (nearest_neighbours(copies, 1, duplicates="keep").distances == 0).all()


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (scipy.sparse.csr_matrix(WHOLE), r"sparse; use .toarray\(\)"),
        (scipy.sparse.coo_array(WHOLE), r"sparse; use .toarray\(\)"),
        (torch.from_numpy(WHOLE).to_sparse(), r"sparse; use .to_dense\(\)"),
        (FRAME.astype(pd.SparseDtype(int, 0)), "sparse; use"),
        (np.ma.masked_less(WHOLE, 3), "masked array"),
        (WHOLE + 1j, "real numbers"),
        (torch.from_numpy(WHOLE + 1j), "real numbers"),
        (torch.zeros(3, 3, device="meta"), "real numbers"),
        (WHOLE.astype(str), "real numbers"),
        (WHOLE.astype(str).astype(object), "real numbers"),
        (FRAME.astype({0: str}), "real numbers"),
        (np.array([[1, None], [2, 3]]), "real numbers"),
        (WHOLE.astype("M8[s]"), "real numbers"),
        (WHOLE.astype(np.longdouble), "real numbers"),
        (RECORD, "real numbers"),
        ([[1, 2], [3]], "real numbers"),
        ([1j], "real numbers"),
        (WHOLE[:, 0], "one point"),
        (3.0, "one point"),
        (WHOLE[:0], "at least one row"),
        (WHOLE[:, :0], "at least one row and one column"),
        (None, "real numbers"),
        ("a.npz", "real numbers"),
        ({"x": 1}, "real numbers"),
        (np.where(WHOLE[3, 2] == WHOLE, np.inf, WHOLE), "infinite or too large value in row"),
        (WHOLE * 1e200, "too large value in row"),
    ],
)
def test_what_is_no_set_of_points_is_one_sentence(points, says):
    with pytest.raises(UomhError, match=says) as caught:
        nearest_neighbours(points, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"duplicates": "no"}, "unknown policy for duplicates 'no'"),
        ({"duplicates": None}, "unknown policy for duplicates 'None'"),
        ({"duplicates": ["drop"]}, "unknown policy for duplicates"),
        ({"backend": "fais"}, "did you mean 'faiss'"),
        ({"backend": None}, "unknown backend"),
        ({"k": "3"}, "k must be a whole number; it is '3'"),
        ({"k": 3.0}, "k must be a whole number"),
        ({"k": True}, "k must be a whole number; it is True"),
        ({"k": None}, "k must be a whole number"),
        ({"k": 0}, "k must be at least 1"),
        ({"k": 50}, "at most 49 neighbours"),
        ({"device": "foo"}, "unknown device 'foo'"),
        ({"device": "meta"}, "unknown device 'meta'"),
        ({"device": "cuda:99"}, "device 'cuda:99' is not there"),
        ({"device": 2.5}, "unknown device '2.5'"),
    ],
)
def test_options_that_are_none_are_one_sentence(options, says):
    with pytest.raises(UomhError, match=says) as caught:
        nearest_neighbours(WHOLE, **{"k": 3, **options})
    assert "\n" not in str(caught.value)
