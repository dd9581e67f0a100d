"""What goes into ``uomh.verify`` is what was meant: labels of any kind, points of any kind."""

import datetime

import numpy as np
import pytest
import torch

import uomh
from uomh.errors import UomhError
from uomh.neighbours import nearest_neighbours

QUICK = {"k": (3, 5), "nulls": 19}
X = np.random.default_rng(0).integers(0, 256, size=(64, 1, 4, 4)).astype(np.uint8)
Y = np.arange(64) % 2
UNMARKED = [3, 10, 11]


def with_missing(value, kind=object):
    """The labels 0 and 1, some of them missing."""
    y = Y.astype(kind)
    y[UNMARKED] = value
    return y


@pytest.mark.parametrize(
    "y",
    [
        with_missing(None),
        with_missing(np.nan, np.float64),
        with_missing(np.nan),
        with_missing(-1, np.int64),
        with_missing("nan", "U3"),
        with_missing("", "U3"),
        torch.from_numpy(with_missing(-1, np.int64)),
        with_missing(np.nan, np.float64)[:, None],
        with_missing(None).tolist(),
    ],
)
def test_points_without_a_label_are_left_out_and_counted(y):
    kept = np.setdiff1d(np.arange(64), UNMARKED)
    without = uomh.verify(X[kept], Y[kept], unlabelled=3, **QUICK)
    report = uomh.verify(X, y, **QUICK)
    assert report.unlabelled == 3
    assert report.n == 61
    assert report.to_json() == without.to_json()


def test_copies_are_counted_among_the_labelled_alone():
    x, y = np.concatenate([X, X[:5]]), np.concatenate([Y, [-1, 1, 0, 1, 0]])
    report = uomh.verify(x, y, **QUICK)
    assert (report.n, report.unlabelled) == (64, 1)
    assert [group.duplicates for group in report.groups] == [2, 2]


def test_classes_name_the_numbers_or_are_the_labels():
    report = uomh.verify(X, Y, classes=["cat", "dog", "mouse"], **QUICK)
    assert [group.label for group in report.groups] == ["cat", "dog"]
    names = np.array(["cat", "dog"])[Y]
    assert uomh.verify(X, names, classes=["cat", "dog", "mouse"], **QUICK) == report
    assert uomh.verify(X, names, **QUICK) == report


def test_notes_are_in_the_report():
    report = uomh.verify(X, Y, notes=["16 bits were scaled to 8"], unlabelled=7, **QUICK)
    assert report.to_dict()["notes"] == ["16 bits were scaled to 8"]
    assert report.to_dict()["unlabelled"] == 7


@pytest.mark.parametrize(
    ("y", "options", "says"),
    [
        (np.append(Y, 0), {}, "one label for each of 64 points; it holds 65"),
        (Y[:63], {}, "one label for each of 64 points; it holds 63"),
        ([[0, 1]] * 64, {}, "one label a point"),
        ([[0], [1, 2]] * 32, {}, "one label a point"),
        ([{"a": 1}] * 64, {}, "label of type dict"),
        (np.ma.masked_array(Y, mask=Y == 0), {}, "masked array"),
        (Y + 1j, {}, "numbers or text"),
        (np.full(64, None), {}, "no label at all"),
        (np.full(64, -1), {"classes": ["a", "b"]}, "no label at all"),
        (Y, {"classes": ["one"]}, "none of the 1 classes"),
        (Y, {"classes": ["a", "a"]}, "two classes are called 'a'"),
        (Y, {"classes": "ab"}, "list of names"),
        (np.where(Y == 0, np.inf, 1.0), {}, "infinite label"),
    ],
)
def test_labels_that_are_none_are_one_sentence(y, options, says):
    with pytest.raises(UomhError, match=says) as caught:
        uomh.verify(X, y, **{**QUICK, **options})
    assert "\n" not in str(caught.value)


def test_large_labels_are_not_merged():
    report = uomh.verify(X, np.where(Y == 0, 1e30, 2e30), **QUICK)
    assert [group.label for group in report.groups] == ["1e+30", "2e+30"]


def test_dates_are_labels():
    day = datetime.date(2026, 1, 1)
    y = np.array([day, day + datetime.timedelta(1)], dtype="datetime64[D]")[Y]
    labels = [group.label for group in uomh.verify(X, y, **QUICK).groups]
    assert labels == ["2026-01-01", "2026-01-02"]


def test_given_neighbours_cannot_leave_points_without_a_label_out():
    found = nearest_neighbours(X, 63)
    with pytest.raises(UomhError, match="3 of 64 points have no label"):
        uomh.verify(X, with_missing(None), neighbours=found, **QUICK)


@pytest.mark.parametrize(
    "same",
    [
        X.astype(np.float32),
        X.astype(np.float64).reshape(64, 16),
        X.astype(">i4"),
        np.asfortranarray(X.reshape(64, 16)),
        torch.from_numpy(X).half(),
    ],
)
def test_the_same_values_have_the_same_fingerprint_and_numbers(same):
    assert uomh.verify(same, Y, **QUICK) == uomh.verify(X, Y, **QUICK)


def test_other_values_and_other_labels_have_another_fingerprint():
    one = {uomh.verify(X, Y, **QUICK).fingerprint}
    one.add(uomh.verify(X.astype(float) / 2, Y, **QUICK).fingerprint)
    one.add(uomh.verify(X[::-1], Y, **QUICK).fingerprint)
    one.add(uomh.verify(X, 1 - Y, **QUICK).fingerprint)
    one.add(uomh.verify(X, Y, classes=["cat", "dog"], **QUICK).fingerprint)
    assert len(one) == 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"duplicates": "no"}, "unknown policy for duplicates 'no'"),
        ({"duplicates": None}, "unknown policy for duplicates 'None'"),
        ({"near_duplicates": "error"}, "unknown policy for near-duplicates 'error'"),
        ({"near_duplicates": True}, "unknown policy for near-duplicates"),
        ({"tolerance": 0}, "between 0 and 1; it is 0"),
        ({"tolerance": 1.5}, "between 0 and 1"),
        ({"tolerance": "1e-3"}, "tolerance must be a number"),
        ({"tolerance": float("nan")}, "finite"),
        ({"nulls": 20.5}, "nulls must be a whole number; it is 20.5"),
        ({"nulls": True}, "nulls must be a whole number; it is True"),
        ({"nulls": "many"}, "nulls must be a whole number; it is 'many'"),
        ({"nulls": None}, "nulls must be a whole number"),
        ({"nulls": -1}, "nulls must be at least"),
        ({"k": "3"}, "k must be whole numbers"),
        ({"k": [3.5]}, "k must be whole numbers"),
        ({"k": True}, "k must be whole numbers"),
        ({"k": [True]}, "k must be whole numbers"),
        ({"k": np.array(3.0)}, "k must be whole numbers"),
        ({"k": -3}, "k must be at least 2"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": "a"}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"device": "foo"}, "unknown device 'foo'"),
        ({"name": None}, "name must be text"),
        ({"by": 3}, "by must be text"),
        ({"fingerprint": 3}, "fingerprint must be text"),
        ({"estimator": None}, "unknown estimator"),
        ({"notes": "one"}, "list of sentences"),
        ({"unlabelled": -1}, "unlabelled must be at least 0"),
        ({"classes": 3}, "classes must be a list"),
        ({"neighbours": (X, X)}, "nearest_neighbours gives; it is tuple"),
    ],
)
def test_options_that_are_none_are_one_sentence(options, says):
    with pytest.raises(UomhError, match=says) as caught:
        uomh.verify(X, Y, **{**QUICK, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("k", [5, np.int64(5), [5], (5,), {5}, np.array([5]), range(5, 6)])
def test_numbers_of_neighbours_may_be_any_whole_numbers(k):
    assert list(uomh.verify(X, k=k).whole.k) == [5]


@pytest.mark.parametrize("power", [-530, -1000, 400])
def test_units_change_nothing_in_a_report(power):
    points = np.random.default_rng(3).standard_normal((80, 3))
    true = uomh.verify(points, Y[np.arange(80) % 64], **QUICK).to_dict()
    found = uomh.verify(np.ldexp(points, power), Y[np.arange(80) % 64], **QUICK).to_dict()
    assert found["claims"]["groups_separated"] == true["claims"]["groups_separated"]
    for k in ("3", "5"):
        assert found["whole"]["k"][k] == pytest.approx(true["whole"]["k"][k], rel=1e-5)


def test_points_given_twice_and_kept_have_a_report():
    points = np.random.default_rng(3).standard_normal((60, 3))
    y = np.arange(60) % 2
    once = uomh.verify(points, y, **QUICK)
    twice = uomh.verify(np.repeat(points, 2, axis=0), np.repeat(y, 2), duplicates="keep", **QUICK)
    assert [group.n for group in twice.groups] == [60, 60]
    assert twice.near_copies == 0
    assert twice.whole.k[5].dimension == pytest.approx(once.whole.k[5].dimension, rel=0.2)
