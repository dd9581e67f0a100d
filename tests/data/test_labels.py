"""One rule for labels, whatever they come from."""

import numpy as np
import pytest
import torch

from uomh import UomhError
from uomh.data.labels import UNLABELLED, Numbering


class NAType:
    """As pandas' NA: nothing can be done with it but ask its type."""

    def __eq__(self, other):
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None


def numbered(values, names=None):
    numbering = Numbering.of(values, "y", names)
    return list(numbering.classes), numbering(values, "y").tolist()


@pytest.mark.parametrize(
    ("values", "classes", "numbers"),
    [
        ([3, 1, 3], ["1", "3"], [1, 0, 1]),
        ([1.0, 2.5, 1.0], ["1", "2.5"], [0, 1, 0]),
        ([True, False], ["False", "True"], [1, 0]),
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        (["10", "9", "1"], ["1", "9", "10"], [2, 1, 0]),
        ([b"b", "a"], ["a", "b"], [1, 0]),
        (np.array([[2], [1]], dtype=np.uint8), ["1", "2"], [1, 0]),
        (torch.tensor([2, 1]), ["1", "2"], [1, 0]),
        (torch.tensor([2.0, 1.0], requires_grad=True), ["1", "2"], [1, 0]),
        ([10**9, 0], ["0", "1000000000"], [1, 0]),
        (np.array([2**63 + 1, 2**63], dtype=np.uint64), [str(2**63), str(2**63 + 1)], [1, 0]),
        ([1e30, 2e30], ["1e+30", "2e+30"], [0, 1]),
        ([-1, 1], ["-1", "1"], [0, 1]),
        ([-2, -1, 0], ["-2", "-1", "0"], [0, 1, 2]),
        ([np.float32(1), np.int8(2)], ["1", "2"], [0, 1]),
        (np.array(["2020", "2021"], dtype="M8[Y]"), ["2020", "2021"], [0, 1]),
    ],
)
def test_labels_are_numbered_in_order(values, classes, numbers):
    assert numbered(values) == (classes, numbers)


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([0, None, 1], [0, UNLABELLED, 1]),
        ([0.0, float("nan"), 1.0], [0, UNLABELLED, 1]),
        (["a", "", "b"], [0, UNLABELLED, 1]),
        (["a", "nan", "b"], [0, UNLABELLED, 1]),
        (["a", "<NA>", "b"], [0, UNLABELLED, 1]),
        (["a", float("nan"), "b"], [0, UNLABELLED, 1]),
        (["a", NAType(), "b"], [0, UNLABELLED, 1]),
        (np.array(["2020", "NaT", "2021"], dtype="M8[Y]"), [0, UNLABELLED, 1]),
        (np.array([0, -1, 1]), [0, UNLABELLED, 1]),
        ([0.0, -1.0, 1.0], [0, UNLABELLED, 1]),
    ],
)
def test_missing_labels_are_marked(values, numbers):
    assert numbered(values)[1] == numbers


def test_named_classes_keep_their_numbers():
    assert numbered([2, 0, -1], ["a", "b", "c"]) == (["a", "b", "c"], [2, 0, UNLABELLED])
    assert numbered(["c", "a", None], ["a", "b", "c"]) == (["a", "b", "c"], [2, 0, UNLABELLED])


@pytest.mark.parametrize(
    ("values", "names", "says"),
    [
        ([[1, 2], [3, 4]], None, "its shape is (2, 2); of one-hot rows take y.argmax(1)"),
        ([[1], [2, 3]], None, "not lists of several"),
        (np.array([{}, {}]), None, "a label of type dict in row 0"),
        (3, None, "must hold one label a point; its shape is ()"),
        ([1j], None, "must hold numbers or text"),
        (["a", 1], None, "mixes text and numbers"),
        ([1.0, np.inf], None, "infinite label in row 1"),
        ([None, float("nan")], None, "holds no label at all"),
        (np.ma.masked_equal([1, 2], 2), None, "masked array"),
        ([b"\xff", b"a"], None, "a label that is no text, in row 0"),
        ([0, 3], ["a", "b"], "y has the label 3, which is none of the 2 classes ('a', 'b')"),
        ([0, -2], ["a", "b"], "y has the label -2"),
        ([0.5], ["a", "b"], "y has the label 0.5"),
        (["z"], list("abcdef"), "('a', 'b', 'c', 'd', 'e', ...)"),
        ([0, 1], ["a", "a"], "two classes are called 'a'"),
    ],
)
def test_what_are_no_labels_is_refused(values, names, says):
    with pytest.raises(UomhError) as error:
        numbered(values, names)
    assert says in str(error.value)


def test_sparse_labels_are_refused():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(UomhError, match=r"sparse; use .toarray"):
        numbered(scipy_sparse.csr_matrix([[1], [0]]))


def test_a_label_that_training_lacks_is_refused():
    numbering = Numbering.of(["a", "b"], "y")
    assert numbering(["b", None], "y_test").tolist() == [1, UNLABELLED]
    with pytest.raises(UomhError, match="y_test has the label 'c', which is none of the 2 classes"):
        numbering(["c"], "y_test")
