"""Arrays in files: points as they are, or one sentence."""

import pickle

import numpy as np
import pytest
import torch

from uomh import UomhError, load_data

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(60, 3))
IMAGES = RNG.integers(0, 256, (60, 6, 5), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (60, 6, 5, 3), dtype=np.uint8)
Y = np.arange(60) % 3


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def in_order(split):
    """Points and labels in the order of the file."""
    split = split[split.rows.argsort()]
    return split.x.numpy(), None if split.y is None else split.y.numpy()


def loaded(path, **settings):
    return load_data(path, **{"valid_fraction": 0.0, "test_fraction": 0.0, **settings})


@pytest.fixture
def read(tmp_path):
    """The data set of a file of these arrays, nothing held out."""
    return lambda **arrays: loaded(save(tmp_path / "a.npz", **arrays))


# --- vectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (VECTORS, "float64"),
        (VECTORS + 1e8, "float64"),
        (VECTORS * 1e39, "float64"),
        (VECTORS * 1e-50, "float64"),
        (VECTORS.astype("float32"), "float32"),
        (VECTORS.astype(">f8"), "float64"),
        (VECTORS.astype("float16"), "float32"),
        (VECTORS.astype("longdouble"), "float64"),
        (IMAGES[:, 0], "float32"),
        (IMAGES[:, 0] > 99, "float32"),
        (IMAGES[:, 0].astype(">i2"), "float32"),
        (IMAGES[:, 0].astype("int64") + 2**52, "float64"),
        (IMAGES[:, 0].astype("uint64"), "float64"),
        (np.asfortranarray(VECTORS), "float64"),
        (VECTORS[:, :1], "float64"),
    ],
    ids=lambda value: f"{value.dtype.str}" if isinstance(value, np.ndarray) else value,
)
def test_vectors_keep_every_value(read, x, dtype):
    data = read(x=x)
    kept, _ = in_order(data.train)
    assert str(kept.dtype) == dtype
    assert np.array_equal(kept, x)
    assert data.levels is None


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.where(np.arange(60)[:, None] == 7, np.nan, VECTORS), "NaN or infinity, first in row 7"),
        (np.where(np.arange(60)[:, None] == 9, np.inf, VECTORS), "NaN or infinity, first in row 9"),
        (np.arange(60)[:, None] + 2**60, "whole numbers beyond 2^53, which float64 would round"),
        (np.full((60, 2), -(2**62)), "subtract a common number first"),
        (np.full((60, 2), 2**63, dtype=np.uint64), "subtract a common number first"),
        (np.longdouble(1) / np.arange(3, 63, dtype=np.longdouble)[:, None], "would round"),
        (VECTORS + 1j, "should hold real numbers, but is complex128"),
        (VECTORS.astype(str), "should hold real numbers, but is <U"),
        (np.zeros(60, dtype=[("a", "f4")]), "should hold real numbers"),
        (np.zeros((60, 2), dtype="M8[s]"), "should hold real numbers, but is datetime64"),
        (VECTORS.astype(object), "holds Python objects, which are never unpickled"),
        (VECTORS[:, 0], "vectors (N, D) or images"),
        (np.float64(3), "vectors (N, D) or images"),
        (VECTORS[:0], "a.npz: x is empty: its shape is (0, 3)"),
        (VECTORS[:, :0], "a.npz: x is empty: its shape is (60, 0)"),
        (np.zeros((4, 2, 3, 4, 5)), "vectors (N, D) or images"),
        (COLOUR[..., [0, 1]], "images have 1 or 3 channels"),
        (COLOUR[..., [0, 1, 2, 2]], "images have 1 or 3 channels"),
    ],
)
def test_what_are_no_points_is_refused(tmp_path, x, says):
    with pytest.raises(UomhError) as error:
        loaded(save(tmp_path / "a.npz", x=x))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


# --- images -------------------------------------------------------------------------------------

GREY = IMAGES[:, None]
FIRST = COLOUR.transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("x", "kept", "levels", "note"),
    [
        (IMAGES, GREY, 256, None),
        (IMAGES[..., None], GREY, 256, None),
        (GREY, GREY, 256, None),
        (COLOUR, FIRST, 256, None),
        (np.ascontiguousarray(FIRST), FIRST, 256, None),
        (FIRST[..., :3], FIRST[..., :3], 256, "is read as (N, C, H, W), channels first"),
        (IMAGES.astype(">i8"), GREY, 256, None),
        (COLOUR.astype("int16"), FIRST, 256, None),
        (IMAGES > 99, GREY > 99, 2, None),
        (IMAGES / 255, GREY, 256, "floats 0 to 1 are read as grey levels 0 to 255"),
        (IMAGES.astype("float32") / 255, GREY, 256, "floats 0 to 1 are read"),
        ((IMAGES / 255).astype("float16"), GREY, 256, "floats 0 to 1 are read"),
        (COLOUR.astype("float32"), FIRST, 256, "whole floats up to 255 are read as grey levels"),
        ((IMAGES > 99).astype(float), GREY > 99, 2, "floats 0 and 1 are read as 2 grey levels"),
    ],
)
def test_images_of_any_type_and_layout_are_their_grey_levels(read, x, kept, levels, note):
    data = read(x=x)
    found, _ = in_order(data.train)
    assert found.dtype == np.uint8
    assert np.array_equal(found, kept)
    assert data.levels == levels
    assert (note in data.notes[0]) if note else not data.notes


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (RNG.random((60, 6, 5)), "that are not whole grey levels; give bytes 0 to 255, or flatten"),
        (IMAGES / 255 * 2 - 1, "of values from -1 to 1"),
        (IMAGES / 100, "not whole grey levels"),
        (IMAGES.astype("uint16") * 257, "of values from 0 to 65535"),
        (IMAGES.astype("int64") - 1, "of values from -1 to 254"),
        (np.where(IMAGES[3, 0, 0] == IMAGES, np.nan, IMAGES), "NaN or infinity, first in row"),
    ],
)
def test_images_that_would_be_changed_are_refused(tmp_path, x, says):
    with pytest.raises(UomhError) as error:
        loaded(save(tmp_path / "a.npz", x=x))
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("x", "levels", "says"),
    [
        (IMAGES, 2, "levels is 2, but a.npz: x holds the grey level 255; give levels=256 or more"),
        (IMAGES, 1, "levels should be one whole number from 2 to 256"),
        (IMAGES, 257, "levels should be one whole number from 2 to 256"),
        (IMAGES, 16.5, "levels should be one whole number from 2 to 256"),
        (IMAGES, np.nan, "levels should be one whole number from 2 to 256"),
        (IMAGES, [256, 256], "levels should be one whole number from 2 to 256"),
        (IMAGES, "256", "levels should be one whole number from 2 to 256"),
        (VECTORS, 256, "levels are of images, but a.npz: x holds vectors"),
    ],
)
def test_levels_that_do_not_fit_are_refused(tmp_path, x, levels, says):
    with pytest.raises(UomhError) as error:
        loaded(save(tmp_path / "a.npz", x=x, levels=levels))
    assert says in str(error.value)


def test_levels_are_larger_than_every_test_value_too(tmp_path):
    path = save(tmp_path / "a.npz", x=IMAGES // 16, x_test=IMAGES, levels=16)
    with pytest.raises(UomhError, match=r"levels is 16, but a.npz: x_test holds"):
        loaded(path)
    assert loaded(save(path, x=IMAGES // 16, x_test=IMAGES // 16, levels=[16.0])).levels == 16
    floats = loaded(save(path, x=IMAGES // 16 / 15, levels=16))
    assert np.array_equal(in_order(floats.train)[0], GREY // 16)


def test_floats_of_both_splits_are_read_in_one_way(tmp_path):
    """Zeros and ones among images of 0 to 255, or of 0 to 1, are not of two levels."""
    dark = (IMAGES[:20] > 99).astype(float)
    whole = loaded(save(tmp_path / "a.npz", x=IMAGES.astype(float), x_test=dark))
    assert whole.levels == 256
    assert whole.test.x.max() == 1
    scaled = loaded(save(tmp_path / "a.npz", x=IMAGES / 255, x_test=dark))
    assert scaled.levels == 256
    assert scaled.test.x.max() == 255


# --- labels, classes, test arrays ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y, ("0", "1", "2")),
        (Y[:, None], ("0", "1", "2")),
        (Y.astype(float), ("0", "1", "2")),
        (Y == 0, ("False", "True")),
        (Y * 500_000_000, ("0", "500000000", "1000000000")),
        (np.array(["cat", "ant", "bee"])[Y], ("ant", "bee", "cat")),
        (np.array([b"10", b"9", b"-2"])[Y], ("-2", "9", "10")),
        (Y + 0.5, ("0.5", "1.5", "2.5")),
        (Y * 2 - 1, ("-1", "1", "3")),  # without a class 0, -1 is no mark of a missing label
    ],
)
def test_labels_of_any_kind_are_class_numbers(read, y, classes):
    data = read(x=VECTORS, y=y)
    _, labels = in_order(data.train)
    assert data.classes == classes
    names = [str(value.decode() if isinstance(value, bytes) else value) for value in y.ravel()]
    shown = [name.removesuffix(".0") for name in names]
    assert [classes[label] for label in labels] == shown


@pytest.mark.parametrize("missing", ["nan", "", "-1"])
def test_points_without_a_label_are_left_out_and_counted(read, missing):
    some = np.arange(60) % 5 == 0
    y = np.where(some, -1, Y) if missing == "-1" else np.where(some, missing, Y.astype(str))
    if missing == "nan":
        y = y.astype(float)
    data = read(x=VECTORS, y=y, x_test=VECTORS, y_test=y)
    x, labels = in_order(data.train)
    assert np.array_equal(x, VECTORS[~some])
    assert np.array_equal(labels, Y[~some])
    assert np.array_equal(in_order(data.test)[0], VECTORS[~some])
    assert (data.unlabelled, data.source_rows) == (12, 60)
    assert data.notes == (
        "12 training rows have no label and are left out",
        "12 test rows have no label and are left out",
    )
    assert np.array_equal(np.sort(data.train.rows), np.flatnonzero(~some))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"y": Y[:59]}, "a.npz: y has shape (59,), a.npz: x (60, 3); give one label a point"),
        ({"y": np.arange(61)}, "y has shape (61,)"),
        ({"y": np.eye(60)}, "of one-hot rows take y.argmax(1)"),
        ({"y": np.full(60, np.nan)}, "a.npz: y holds no label at all"),
        ({"y": np.where(Y == 0, np.inf, 1.0)}, "infinite label in row 0"),
        ({"y": Y + 1j}, "must hold numbers or text; it is complex128"),
        ({"y": np.array([["a"]] * 60, dtype=object)}, "never unpickled"),
        ({"y": Y, "classes": ["a", "b"]}, "has the label 2, which is none of the 2 classes"),
        ({"y": Y - 2, "classes": ["a", "b", "c"]}, "has the label -2"),
        ({"y": Y, "classes": ["a", "b", "b"]}, "two classes are called 'b'"),
        ({"y": Y, "classes": [["a", "b", "c"]]}, "classes should be a list of names"),
        ({"classes": ["a", "b", "c"]}, "classes is there without an array 'y'"),
        ({"y_test": Y}, "y_test is there without an array 'x_test'"),
        ({"y": Y, "x_test": VECTORS}, "a.npz has no labels of its test points"),
        ({"x_test": VECTORS, "y_test": Y}, "a.npz has no labels of its training points"),
        ({"y": Y, "x_test": VECTORS, "y_test": Y + 1}, "y_test has the label 3"),
        ({"y": Y, "x_test": VECTORS, "y_test": Y[:5]}, "y_test has shape (5,)"),
        ({"x_test": VECTORS[:, :2]}, "x_test holds points of shape (2,), a.npz: x of (3,)"),
        ({"x_test": GREY}, "x_test holds points of shape (1, 6, 5)"),
        ({"x_test": np.zeros((5, 3), dtype=int)}, "x_test is int64, a.npz: x is float64"),
        ({"x_test": VECTORS[:0]}, "x_test is empty"),
        ({"x_test": np.full((5, 3), np.nan)}, "x_test holds NaN or infinity, first in row 0"),
        ({"X": VECTORS}, "has the arrays x and X; which is meant?"),
        ({"data": VECTORS}, "has the arrays x and data; which is meant?"),
        ({"y": Y, "labels": Y}, "has the arrays y and labels; which is meant?"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path, arrays, says):
    with pytest.raises(UomhError) as error:
        loaded(save(tmp_path / "a.npz", x=VECTORS, **arrays))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_names_of_classes_belong_to_numbers_or_are_the_labels(read):
    names = ["one", "two", "three", "never"]
    for y in (Y, np.array(names)[Y]):
        data = read(x=VECTORS, y=y, classes=names)
        assert data.classes == tuple(names)
        assert np.array_equal(in_order(data.train)[1], Y)


@pytest.mark.parametrize(
    "keys",
    [
        *("x y x_test y_test", "X Y X_test Y_test", "x_train y_train x_test y_test"),
        *("X_train y_train X_test y_test", "train_images train_labels test_images test_labels"),
        *("data target x_test y_test", "images labels test_images test_labels"),
        *("data label test_data test_labels", "features targets x_test y_test"),
    ],
)
def test_arrays_have_the_names_that_people_give(read, keys):
    data = read(**dict(zip(keys.split(), (VECTORS, Y, VECTORS[:9], Y[:9]), strict=True)))
    assert np.array_equal(in_order(data.train)[1], Y)
    assert np.array_equal(in_order(data.test)[0], VECTORS[:9])
    assert not data.notes


def test_arrays_without_names_are_points_and_labels(tmp_path):
    np.savez(tmp_path / "a.npz", VECTORS, Y)
    assert np.array_equal(in_order(loaded(tmp_path / "a.npz").train)[1], Y)
    np.savez(tmp_path / "a.npz", VECTORS, Y, VECTORS, Y)
    with pytest.raises(UomhError, match="has the arrays arr_0, arr_1, arr_2, arr_3; call the"):
        loaded(tmp_path / "a.npz")


def test_arrays_that_are_not_used_are_named(read):
    data = read(x=VECTORS, x_val=VECTORS, weights=Y)
    assert data.notes == ("a.npz: arrays not used: x_val, weights",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot read"),
        (b"garbage", "cannot read"),
        (b"PK\x03\x04" + bytes(40), "cannot read"),
        (b"\x93NUMPY\x01\x00garbage", "cannot read"),
        (pickle.dumps([1, 2, 3]), "cannot read"),
    ],
)
@pytest.mark.parametrize("ending", ["npz", "npy"])
def test_files_of_other_content_are_one_sentence(tmp_path, content, says, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content)
    with pytest.raises(UomhError, match=says) as error:
        loaded(path)
    assert "\n" not in str(error.value)


def test_files_cut_anywhere_are_one_sentence(tmp_path):
    for ending, write in (
        ("npz", lambda p: np.savez(p, x=VECTORS, y=Y)),
        ("npy", lambda p: np.save(p, VECTORS)),
    ):
        path = tmp_path / f"a.{ending}"
        write(path)
        whole = path.read_bytes()
        for size in range(1, len(whole), 97):
            path.write_bytes(whole[:size])
            with pytest.raises(UomhError, match="cannot read"):
                loaded(path)
        wrong = bytearray(whole)
        wrong[-300 if ending == "npz" else 9] ^= 0xFF
        path.write_bytes(bytes(wrong))
        with pytest.raises(UomhError):
            loaded(path)


def test_one_array_in_a_file_is_points_without_labels(tmp_path):
    np.save(tmp_path / "a.npy", VECTORS)
    data = loaded(tmp_path / "a.npy")
    assert np.array_equal(in_order(data.train)[0], VECTORS)
    assert (data.classes, data.train.y, data.name) == ((), None, "a.npy")
    np.save(tmp_path / "b.npy", COLOUR / 255)
    assert np.array_equal(in_order(loaded(tmp_path / "b.npy").train)[0], FIRST)
    (tmp_path / "a.npy").rename(tmp_path / "c.npz")
    with pytest.raises(UomhError, match=r"is one array, not a file of arrays; call it .npy"):
        loaded(tmp_path / "c.npz")


@pytest.mark.parametrize("ending", ["npz", "npy"])
@pytest.mark.parametrize("setting", [{"resize": 8}, {"label_column": "y"}])
def test_settings_without_meaning_are_refused(tmp_path, ending, setting):
    path = tmp_path / f"a.{ending}"
    np.savez(path, x=IMAGES) if ending == "npz" else np.save(path, IMAGES)
    with pytest.raises(UomhError, match=f"data.{next(iter(setting))} means nothing for"):
        loaded(path, **setting)
    with pytest.raises(UomhError, match="means nothing for 'digits'"):
        load_data("digits", **setting)


def test_points_larger_than_a_block_come_whole(read, monkeypatch):
    monkeypatch.setattr("uomh.data.points.CHUNK_BYTES", 100)
    data = read(x=COLOUR / 255, y=Y)
    x, labels = in_order(data.train)
    assert np.array_equal(x, FIRST)
    assert np.array_equal(labels, Y)
    assert torch.equal(data.train.y[data.train.rows.argsort()], torch.from_numpy(Y))
