"""Files of arrays and arrays in Python: each point is kept exactly, counted, or refused."""

import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import uomh
from tests.fuzz.checks import (
    assert_finite_json,
    attempt,
    command,
    fuzz,
    mostly,
    numbers_of,
)

TYPES = ("uint8", "int8", "uint16", "int64", "uint64", "float16", "float32", "float64", ">f8")
TYPES += ("longdouble", "bool", "complex64", "U3", "object")
SHAPES = ((40, 3), (40, 1), (1, 4), (0, 3), (40,), (40, 6, 6), (40, 1, 6, 6), (40, 6, 6, 3))
SHAPES += ((40, 3, 6, 6), (40, 5, 5, 5), (40, 0), (3, 40, 2, 2, 2), ())
TWISTS = ("none", "nan", "inf", "huge", "tiny", "offset", "copies", "constant", "unit", "negative")
TWISTS += ("transposed", "strided", "readonly")
LABELS = ("int", "minus one", "signs", "text", "float", "nan", "object", "long", "short", "none")
LABELS += ("column", "one-hot", "lists", "huge", "inf", "bool", "empty text", "mixed", "masked")
LABELS += ("uint8", "bytes", "dicts", "all missing")
OPTIONS = ({"duplicates": "keep"}, {"duplicates": "no"}, {"nulls": 20.5}, {"nulls": True})
OPTIONS += ({"k": "3"}, {"k": [3.5]}, {"k": [1]}, {"k": [10**9]}, {"seed": "a"}, {"device": "foo"})
OPTIONS += ({"classes": ["a"]}, {"classes": ["a", "b", "c"]}, {"estimator": "mel"})


@st.composite
def arrays(draw, types=TYPES, shapes=SHAPES):
    """Arrays of many types, shapes and values."""
    kind, shape = draw(mostly("float64", types)), draw(mostly((40, 3), shapes))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    twist = draw(mostly("none", TWISTS))
    values = rng.random(shape) * (1 if twist == "unit" else 255)
    scale = {"huge": 1e39, "tiny": 1e-50}.get(twist, 1.0)
    offset = {"offset": 1e8, "negative": -300.0}.get(twist, 0.0)
    values = np.asarray(values * scale + offset)
    if values.size and twist in ("nan", "inf"):
        values.flat[0] = float(twist)
    if twist == "copies" and values.ndim:
        values[len(values) // 2 :] = values[: len(values) - len(values) // 2]
    if twist == "constant":
        values[...] = 7
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = values.astype(kind)
    if twist == "transposed" and made.ndim == 2:
        made = np.asfortranarray(made)
    if twist == "strided" and made.ndim and len(made):
        made = np.repeat(made, 2, axis=0)[::2]
    if twist == "readonly":
        made.setflags(write=False)
    return made


@st.composite
def labels(draw, n=40):
    """Labels of many kinds, right ones among them."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    y = rng.integers(0, 3, n)
    kind = draw(mostly("int", LABELS))
    match kind:
        case "int":
            return y
        case "minus one":
            return np.where(y == 2, -1, y)
        case "signs":
            return np.where(y == 2, 1, -1)
        case "text":
            return np.array(["a", "b[1]", "c $x$"])[y]
        case "float":
            return y.astype(float)
        case "nan":
            return np.where(y == 2, np.nan, y)
        case "object":
            return np.array([None if v == 2 else "ab"[v] for v in y], dtype=object)
        case "long":
            return np.append(y, 0)
        case "short":
            return y[:-1]
        case "column":
            return y[:, None]
        case "one-hot":
            return np.eye(3)[y]
        case "lists":
            return np.array([[v] * (1 + v) for v in y], dtype=object)
        case "huge":
            return np.where(y == 2, 1e30, np.where(y == 1, 2e30, 0.0))
        case "inf":
            return np.where(y == 2, np.inf, y)
        case "bool":
            return y > 0
        case "empty text":
            return np.array(["a", "b", ""])[y]
        case "mixed":
            return np.array(["a" if v else v for v in y], dtype=object)
        case "masked":
            return np.ma.array(y, mask=y == 2)
        case "uint8":
            return y.astype(np.uint8)
        case "bytes":
            return np.array([b"a", b"b", b"\xff"])[y]
        case "dicts":
            return np.array([{"a": v} for v in y], dtype=object)
        case "all missing":
            return np.full(n, np.nan)
    return None


def rows_of(x):
    """Points as sorted rows of exact numbers."""
    return np.array(sorted(np.asarray(x).reshape(len(x), -1).astype(np.float64).tolist()))


@fuzz(200)
@given(
    x=arrays(),
    y=labels(),
    x_key=mostly("x", ["X", "data", "x_train", "arr_0", "what"]),
    extra=mostly("", ["levels=2", "levels=256", "levels=0", "classes", "twice", "test"]),
)
def test_files_of_arrays(x, y, x_key, extra):
    content = {x_key: x}
    if y is not None:
        y_key = {"x": "y", "X": "y", "x_train": "y_train", "arr_0": "arr_1"}.get(x_key, "y")
        content[y_key] = y
    if extra.startswith("levels"):
        content["levels"] = np.array(int(extra[7:]))
    elif extra == "classes":
        content["classes"] = np.array(["one", "two", "three"])
    elif extra == "twice":
        content["classes"] = np.array(["one", "one", "two"])
    elif extra == "test":
        content["x_test"] = x[:1] if x.ndim else x
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        np.savez(path, **content)
        data = attempt(uomh.load_data, str(path), valid_fraction=0.0, test_fraction=0.0)
    if data is None:
        return
    assert len(data.train) + data.unlabelled == len(x)
    assert bool(torch.isfinite(data.train.x.double()).all())
    if data.levels is None:
        kept = x[np.sort(data.train.rows.numpy())]
        assert np.array_equal(rows_of(kept), rows_of(data.train.x.numpy()))
    else:
        assert int(data.train.x.max()) < data.levels
    if data.train.y is not None:
        given_labels = np.asarray(content[y_key]).reshape(len(x))[data.train.rows.numpy()]
        for label, number in zip(given_labels.tolist(), data.train.y.tolist(), strict=True):
            if extra != "classes":
                name = data.classes[number]
                assert name == (label.decode() if isinstance(label, bytes) else str(label)) or (
                    float(name) == float(label)
                )


@fuzz(200)
@given(
    x=arrays(),
    y=labels(),
    form=mostly("array", ["tensor", "grad", "list", "sparse", "masked columns"]),
    options=mostly({}, OPTIONS),
)
def test_arrays_in_python(x, y, form, options):
    X = x
    if form in ("tensor", "grad"):
        try:
            X = torch.from_numpy(np.array(x))
        except (TypeError, ValueError):  # torch has no such numbers
            return
        if form == "grad":
            if not X.is_floating_point():
                return
            X.requires_grad_()
    elif form == "list":
        X = x.tolist()
    elif form == "sparse" and x.ndim == 2 and x.dtype.kind in "iuf" and x.dtype.itemsize <= 8:
        from scipy import sparse

        X = sparse.csr_matrix(x.astype("f8"))
    elif form == "masked columns" and x.ndim == 2 and x.shape[1]:
        X = x[:, np.arange(x.shape[1]) < 1]
    report = attempt(uomh.verify, X, y, **{"k": [3], "nulls": 19, **options})
    if report is None:
        return
    values = assert_finite_json(report.to_json())
    assert all(map(np.isfinite, numbers_of(values)))
    if options.get("duplicates") == "keep":
        assert report.n + report.unlabelled + sum(report.left_out.values()) == len(x)
    else:
        assert report.n <= len(x) - report.unlabelled
        if report.groups:
            copies = sum(group.duplicates for group in report.groups)
            small = sum(report.left_out.values()) + sum(report.left_out_duplicates.values())
            assert report.n + copies + report.unlabelled + small == len(x)


BYTES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\x93NUMPY\x01\x00v\x00"]),
)


@fuzz(40)
@given(content=BYTES, name=st.sampled_from(["a.npz", "a.npy", "a.csv", "a.png", "a.parquet", "a"]))
def test_garbage_in_files(content, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        result = command("verify", "--dataset", path, "--nulls", "19", "--json", "--k", "3")
        if result.exit_code == 0:
            json.loads(result.stdout)
        path.unlink()
        sub = Path(folder) / "class a"
        sub.mkdir()
        (sub / name).write_bytes(content)
        attempt(uomh.load_data, folder)


CELLS = ("2.5", "nan", "", "a", "1e400", '"1"', "-1", "é", "NA", "a,b")


@fuzz(60)
@given(
    cells=st.lists(st.sampled_from(["1", "2"]), min_size=20, max_size=40),
    odd=st.lists(st.sampled_from(CELLS), max_size=2),
    start=mostly("", ["\ufeff", "label\n", "\n\n"]),
)
def test_label_files(cells, odd, start):
    cells = [*cells, *odd]
    X = np.random.default_rng(0).normal(size=(len(cells), 2))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "a.npz", x=X)
        by = Path(folder) / "labels.csv"
        by.write_text(start + "\n".join(cells) + "\n", encoding="utf-8")
        words = ["verify", "--dataset", Path(folder) / "a.npz", "--by", by, "--k", "2"]
        result = command(*words, "--nulls", "19", "--json")
    if result.exit_code == 0:
        report = assert_finite_json(result.stdout)
        small = sum(report["left_out"].values())
        assert report["n"] + report["unlabelled"] + small == len(cells)


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_a_file_that_is_cut_off_anywhere(tmp_path, dtype):
    x = (np.random.default_rng(0).random((60, 3)) * 255).astype(dtype)
    np.savez(tmp_path / "whole.npz", x=x, y=np.arange(60) % 2)
    content = (tmp_path / "whole.npz").read_bytes()
    for cut in range(0, len(content), 97):
        path = tmp_path / f"{cut}.npz"
        path.write_bytes(content[:cut])
        assert attempt(uomh.load_data, str(path)) is None
