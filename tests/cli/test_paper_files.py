"""Partitions as the paper's code pickles them, read without running anything in them."""

import os
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from uomh import load_data
from uomh.cli import paper
from uomh.cli.paper.files import read_partition
from uomh.errors import UomhError


@pytest.fixture(scope="module")
def data():
    return load_data("digits", limit=120, test_limit=30)


def partition(data, kind=np.asarray):
    """Points by the remainder of their number."""
    return [
        {
            name: kind(np.arange(k, len(getattr(data, name)), 3))
            for name in ("train", "valid", "test")
        }
        for k in range(3)
    ]


def dumped(content, path, protocol=None):
    path.write_bytes(pickle.dumps(content, protocol))


@pytest.mark.parametrize("kind", [np.asarray, np.int32, list, lambda rows: rows.tolist()])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_of_index_arrays(data, tmp_path, kind, protocol):
    path = tmp_path / "parts.pkl"
    dumped(partition(data, kind), path, protocol)
    groups = read_partition(path, data)
    assert groups.classes == ("0", "1", "2")
    assert groups.train.y.tolist() == [n % 3 for n in range(len(data.train))]
    assert groups.test.y.tolist() == [n % 3 for n in range(len(data.test))]


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, lambda rows: rows.tolist()])
def test_a_file_of_torch(data, tmp_path, kind, old):
    path = tmp_path / "parts.pt"
    torch.save(partition(data, kind), path, _use_new_zipfile_serialization=not old)
    assert read_partition(path, data).valid.y.tolist() == [n % 3 for n in range(len(data.valid))]


class Hostile:
    """Would leave a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [dumped, torch.save])
def test_nothing_in_a_file_is_run(data, tmp_path, save):
    save([Hostile(tmp_path / "ran")], tmp_path / "parts")
    with pytest.raises(UomhError, match=r"cannot be read as a partition: .*; keep the number"):
        read_partition(tmp_path / "parts", data)
    assert not (tmp_path / "ran").exists()


def with_rows(data, rows):
    parts = partition(data)
    parts[0]["train"] = rows
    return parts


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda data: {"train": [0]}, "holds no list of clusters"),
        (lambda data: [], "holds no list of clusters"),
        (lambda data: [[0, 1]], "has no 'train' indices"),
        (lambda data: partition(data)[:2], "without a cluster"),
        (lambda data: [*partition(data), partition(data)[0]], "in two clusters"),
        (lambda data: with_rows(data, [0, 0, 3]), "twice in one"),
        (lambda data: with_rows(data, [10**6]), "train point 1000000"),
        (lambda data: with_rows(data, [0.5]), "no whole numbers"),
        (lambda data: with_rows(data, SimpleNamespace), "SimpleNamespace is not read here"),
    ],
)
def test_what_is_no_partition_of_the_data_is_refused(data, tmp_path, content, sentence):
    dumped(content(data), tmp_path / "parts")
    with pytest.raises(UomhError, match=sentence):
        read_partition(tmp_path / "parts", data)


def test_a_damaged_file_is_refused(data, tmp_path):
    (tmp_path / "parts").write_bytes(b"\x80\x04nonsense")
    with pytest.raises(UomhError, match="cannot be read as a partition"):
        read_partition(tmp_path / "parts", data)


def test_a_disconnected_model_on_a_pickled_partition(data, tmp_path, capsys):
    dumped(partition(data), tmp_path / "parts.pkl")
    run = tmp_path / "run"
    options = ["limit=120", "test_limit=30", "max_epochs=1", "scale_data=True"]
    by = ["cluster_method=id", f"partitions_save={tmp_path / 'parts.pkl'}"]
    where = ["--dataset", "digits", "--run-name", str(run)]
    paper.single_cluster_main([*where, "--config", *options, "--cluster-config", *by])
    with np.load(run / "partition.npz") as saved:
        assert saved["train"].tolist() == [n % 3 for n in range(len(data.train))]
    assert "3 groups, of points in the order of uomh's splits" in capsys.readouterr().out
