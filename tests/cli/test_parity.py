"""`uomh verify` of a file and `uomh.verify` of its arrays are one answer, to the last digit."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import uomh
from uomh.cli import app
from uomh.data.manifolds import sample_manifold

RNG = np.random.default_rng(0)
N = 160
Y = np.arange(N) // 80
VECTORS = RNG.normal(size=(N, 4)) * np.where(Y == 0, 1, 3)[:, None]
VECTORS[Y == 0, 2:] = 0
BYTES = RNG.integers(0, 256, (N, 5, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (N, 5, 4, 3), dtype=np.uint8)
ORDER = RNG.permutation(N)
SOME = np.arange(N) % 7 == 0


def command(path, *words):
    words = ["verify", "--dataset", str(path), "--json", "--k", "3,5", "--nulls", "19", *words]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return comparable(result.stdout)


def python(X, y=None, **settings):
    return comparable(uomh.verify(X, y, k=(3, 5), nulls=19, **settings).to_json())


def comparable(text):
    """The report without the name of the set, which a sentence of it may repeat."""
    report = json.loads(text)
    name = report.pop("dataset")
    report["notes"] = [note for note in report["notes"] if "are read as" not in note]
    report["verdict"] = report["verdict"].replace(name, "the data")
    return report


def twice(x):
    return np.concatenate([x[:-20], x[:20]])


INPUTS = {
    "float64": (VECTORS, Y),
    "float64 far away": (VECTORS + 1e8, Y),
    "float64 tiny": (VECTORS * 1e-50, Y),
    "float64 large": (VECTORS * 1e39, Y),
    "float32": (VECTORS.astype(np.float32), Y),
    "float16": (VECTORS.astype(np.float16), Y),
    "big-endian": (VECTORS.astype(">f8"), Y),
    "int64": ((VECTORS * 1e6).astype(np.int64), Y),
    "large int64": ((VECTORS * 1e6).astype(np.int64) + 2**52, Y),
    "bytes": (BYTES[:, 0], Y),
    "grey images": (BYTES, Y),
    "grey images, channels first": (BYTES[:, None], Y),
    "grey images, channels last": (BYTES[..., None], Y),
    "colour images, channels first": (COLOUR.transpose(0, 3, 1, 2), Y),
    "bool images": (BYTES > 127, Y),
    "int images": (BYTES.astype(np.int32), Y),
    "whole float images": (BYTES.astype(np.float32), Y),
    "no labels": (VECTORS, None),
    "one group": (VECTORS, Y * 0),
    "shuffled": (VECTORS[ORDER], Y[ORDER]),
    "text": (VECTORS, np.array(["b", "a"])[Y]),
    "text of numbers": (VECTORS, np.array(["10", "9"])[Y]),
    "numbers with gaps": (VECTORS, np.array([10**9, 7])[Y]),
    "float labels": (VECTORS, Y.astype(float)),
    "column of labels": (VECTORS, Y[:, None]),
    "truth values": (VECTORS, Y == 1),
    "-1 and 1": (VECTORS, 2 * Y - 1),
    "missing: -1": (VECTORS, np.where(SOME, -1, Y)),
    "missing: NaN": (VECTORS, np.where(SOME, np.nan, Y)),
    "missing: text": (VECTORS, np.where(SOME, "", np.array(["b", "a"])[Y])),
    "copies": (twice(VECTORS), Y),
    "copies of images": (twice(BYTES), Y),
    "copies, labels missing": (twice(VECTORS), np.where(SOME, -1, Y)),
}


@pytest.mark.parametrize("what", INPUTS)
def test_command_and_python_agree(what, tmp_path):
    X, y = INPUTS[what]
    np.savez(tmp_path / "a.npz", x=X, **({} if y is None else {"y": y}))
    assert command(tmp_path / "a.npz") == python(X, y)


def test_channels_last_agree_but_for_the_order_of_coordinates(tmp_path):
    np.savez(tmp_path / "a.npz", x=COLOUR, y=Y)
    one, two = command(tmp_path / "a.npz"), python(COLOUR, Y)
    assert one.pop("fingerprint") != two.pop("fingerprint")
    assert one == two


def test_floats_of_grey_levels_are_measured_as_grey_levels(tmp_path):
    np.savez(tmp_path / "a.npz", x=BYTES / 255, y=Y)
    assert command(tmp_path / "a.npz") == python(BYTES, Y)


def test_names_of_classes_agree(tmp_path):
    names = ["plane", "space", "never"]
    np.savez(tmp_path / "a.npz", x=VECTORS, y=Y, classes=names)
    assert command(tmp_path / "a.npz") == python(VECTORS, Y, classes=names)
    assert [group["label"] for group in command(tmp_path / "a.npz")["groups"]] == names[:2]


def test_one_array_and_a_table_agree_with_both(tmp_path):
    np.save(tmp_path / "a.npy", VECTORS)
    assert command(tmp_path / "a.npy") == python(VECTORS)
    lines = [",".join([*map(repr, x), "ab"[y]]) for x, y in zip(VECTORS.tolist(), Y, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["p,q,r,s,label", *lines]))
    assert command(tmp_path / "a.csv") == python(VECTORS, np.array(["a", "b"])[Y])


@pytest.mark.parametrize("ending", ["npy", "csv"])
def test_labels_of_a_file_are_those_of_its_rows(tmp_path, ending):
    np.savez(tmp_path / "a.npz", x=VECTORS[ORDER], y=np.where(SOME, -1, Y))
    path = tmp_path / f"mine.{ending}"
    mine = np.array(["b", "a"])[Y[ORDER]]
    if ending == "npy":
        np.save(path, mine)
    else:
        path.write_bytes("\n".join(['\ufeff"label"', *mine]).encode())
    found, wanted = command(tmp_path / "a.npz", "--by", str(path)), python(VECTORS[ORDER], mine)
    assert found["n"] == N - SOME.sum()  # rows without a class stay out
    assert [group["label"] for group in found["groups"]] == ["a", "b"]
    np.savez(tmp_path / "a.npz", x=VECTORS[ORDER])
    found = command(tmp_path / "a.npz", "--by", str(path))
    assert found.pop("by") == path.name
    wanted.pop("by")
    assert found == wanted


def test_built_in_data_agree_with_their_own_arrays():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    assert command("digits") == python(x, y)


def test_manifolds_agree_with_their_points():
    x, groups = sample_manifold("union-2-5", 200)
    names = ["0: 2-dimensional", "1: 5-dimensional"]
    wanted = python(x, groups, classes=names)
    assert command("manifold:union-2-5", "data.limit=200") == wanted
