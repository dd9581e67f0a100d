"""Tables of numbers in text: every line is a point, or one sentence says why not."""

import numpy as np
import pytest

from uomh import UomhError, load_data
from uomh.data.labels import labels_of_texts
from uomh.data.tables import table


def loaded(path, **settings):
    data = load_data(path, valid_fraction=0.0, test_fraction=0.0, **settings)
    split = data.train[data.train.rows.argsort()]
    return data, split.x.tolist(), None if split.y is None else split.y.tolist()


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, **settings):
        path = tmp_path / "t.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return loaded(path, **settings)

    return write_and_read


POINTS = [[1.0, 2.5], [3.0, -4e8], [5.0, 1e-50]]


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5\n3,-4e8\n5,1e-50\n",
        "a,b\n1,2.5\n3,-4e8\n5,1e-50",
        "\ufeffa,b\r\n1,2.5\r\n3,-4e8\r\n5,1e-50\r\n",
        "\n\na;b\n1;2.5\n\n3;-4e8\n;\n5;1e-50\n\n",
        "a\tb\n1\t2.5\n3\t-4e8\n5\t1e-50\n",
        '"a","b"\n"1","2.5"\n 3 , -4e8\n5,1e-50\n',
        "0,1\n1,2.5\n3,-4e8\n5,1e-50\n",  # names that pandas gives the columns of an array
        "# a,b\n1,2.5\n3,-4e8\n5,1e-50\n",
    ],
)
def test_every_line_is_a_point(read, text):
    data, x, y = read(text)
    assert x == POINTS
    assert y is None
    assert data.name == "t.csv"


@pytest.mark.parametrize(
    ("text", "classes", "labels"),
    [
        ("a,label,b\n1,dog,2.5\n3,cat,-4e8\n5,dog,1e-50", ("cat", "dog"), [1, 0, 1]),
        ("Class,a,b\n10,1,2.5\n9,3,-4e8\n10,5,1e-50", ("9", "10"), [1, 0, 1]),
        ("0,1,y\n1,2.5,1.0\n3,-4e8,0.0\n5,1e-50,1.0", ("0", "1"), [1, 0, 1]),
        ("a,b,target\n1,2.5,01\n3,-4e8,1\n5,1e-50,01", ("01", "1"), [0, 1, 0]),
    ],
)
def test_a_column_called_label_holds_labels(read, text, classes, labels):
    data, x, y = read(text)
    assert (x, data.classes, y) == (POINTS, classes, labels)


def test_the_column_of_labels_can_be_chosen(read):
    text = "kind,y\ndog,1\ncat,2\n"
    data, x, y = read(text, label_column="kind")
    assert (x, data.classes, y) == ([[1.0], [2.0]], ("cat", "dog"), [1, 0])
    with pytest.raises(UomhError, match="no label column 'sort'; its columns: kind, y"):
        read(text, label_column="sort")


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "<NA>", "-1"])
def test_lines_without_a_label_are_left_out_and_counted(read, missing):
    data, x, y = read(f"a,label\n1,0\n2,{missing}\n3,1\n")
    assert (x, y, data.unlabelled) == ([[1.0], [3.0]], [0, 1], 1)
    assert data.notes == ("1 training row has no label and is left out",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b\n", "holds no points"),
        ("label\n1\n2\n", "holds no column of numbers"),
        ("a,b\n1,red\n", "column 'b' holds 'red' in line 2, which is no number"),
        ("a,label,b\n1,x,2\n3,y,blue\n", "column 'b' holds 'blue' in line 3"),
        ("a,b\n1,2\n3,\n", "column 'b' has no number in line 3"),
        ("a,b\n1,nan\n", "line 2 holds NaN or infinity"),
        ("a,b\n1,2\n\n1,1e999\n", "line 4 holds NaN or infinity"),
        ("a,b\n1,2\n3\n", "line 3 has 1 cells, the first line 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells, the first line 2"),
        ("1,2,cat\n3,4,dog\n", "the first line holds both names and numbers"),
        (",a,b\n0,1,2\n1,3,4\n", "column 1 has no name, as a column of row numbers"),
        (",0,1\n0,1,2\n1,3,4\n", "column 1 has no name"),
        ("label,y,a\n1,2,3\n", "may have its labels in label and y"),
        ("a,b\n1,9007199254740993\n", "line 2 holds 9007199254740993, which float64 would round"),
        ("a,label\n1,\n2,\n", "column 'label' holds no label at all"),
        ("a,label\n1,inf\n2,7.5\n", None),  # text is a name, whatever it says
        ('a,b\n"1,2\n', "cannot read"),
        (b"a,b\n\xff\xfe,1\n", "it is no text in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "it is no text in UTF-8"),
        ("a;b\n1,5;2,5\n", "column 'a' holds '1,5' in line 2"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(read, text, says):
    if says is None:
        read(text)
        return
    with pytest.raises(UomhError) as error:
        read(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_whole_numbers_that_float64_holds_are_kept(read):
    assert read("a,b\n1,9007199254740994\n2,36028797018963968\n")[1][1][1] == 2**55


def test_a_large_table_is_read_in_seconds(tmp_path):
    x = np.random.default_rng(0).normal(size=(20_000, 20))
    lines = [",".join(map(repr, row)) for row in x.tolist()]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    blocks = list(table(tmp_path / "t.csv").train.blocks())
    assert np.array_equal(np.concatenate([block.x for block in blocks]), x)


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["2", "10", "", "-1.0"], [2, 10, None, -1]),
        (["02", "10"], ["02", "10"]),
        (["a", "1", "nan"], ["a", "1", None]),
        (["1e3", "2"], ["1e3", "2"]),
        (["123456789012345678901"], ["123456789012345678901"]),
    ],
)
def test_texts_are_whole_numbers_or_names(texts, labels):
    assert labels_of_texts(texts) == labels
