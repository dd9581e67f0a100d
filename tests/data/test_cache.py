"""The decoded form of a source: whole, or decoded again."""

import os
import threading
from contextlib import nullcontext

import numpy as np
import pytest

from uomh import UomhError, load_data
from uomh.data import cache
from uomh.data.cache import Block, Rows, Source, cache_root, decoded

X = np.arange(40, dtype=np.float32).reshape(20, 2)
Y = np.arange(20) % 2


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UOMH_CACHE", str(tmp_path / "cache"))


def opened(times=None):
    """Opens a source, and counts how often."""

    def source():
        if times is not None:
            times.append(1)
        return nullcontext(Source(Rows.of(X, Y), Rows.of(X[:4], Y[:4]), ("a", "b"), None, ["said"]))

    return source


def test_a_source_is_decoded_once():
    times = []
    for _ in range(3):
        found = decoded("mine", "key", opened(times))
        assert np.array_equal(found.train.x[found.train.rows.argsort()], X)
        assert np.array_equal(found.train.y, found.train.rows % 2)
        assert len(found.test) == 4
        assert (found.classes, found.levels, found.notes) == (("a", "b"), None, ("said",))
    assert len(times) == 1
    decoded("mine", "other key", opened(times))
    assert len(times) == 2


FILES = ("meta.json", "train_x.npy", "train_y.npy", "train_rows.npy", "test_x.npy", "test_y.npy")


@pytest.mark.parametrize("damage", ["gone", "empty", "short", "garbage"])
@pytest.mark.parametrize("name", FILES)
def test_what_was_damaged_is_decoded_again(name, damage):
    before = decoded("mine", "key", opened())
    (file,) = cache_root().glob(f"mine-*/{name}")
    content = file.read_bytes()
    file.unlink()
    if damage != "gone":
        new = {"empty": b"", "short": content[:-5], "garbage": b"[1, 2]" * 40}[damage]
        file.write_bytes(new)
    times = []
    after = decoded("mine", "key", opened(times))
    assert len(times) == 1
    assert after.fingerprint == before.fingerprint
    assert np.array_equal(after.train.x, before.train.x)
    decoded("mine", "key", opened(times))
    assert len(times) == 1


def test_a_folder_of_another_layout_is_not_read(monkeypatch):
    times = []
    decoded("mine", "key", opened(times))
    monkeypatch.setattr(cache, "LAYOUT", cache.LAYOUT + 1)
    decoded("mine", "key", opened(times))
    assert len(times) == 2


def test_several_at_once_read_the_same():
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(decoded("mine", "key", opened())))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len({each.fingerprint for each in found}) == 1
    assert [path.name[:5] for path in cache_root().iterdir()] == ["mine-"]


def test_what_a_killed_process_left_is_removed_after_a_day():
    decoded("mine", "key", opened())
    (folder,) = cache_root().iterdir()
    old, new = (cache_root() / f".{folder.name}-{name}" for name in ("old", "new"))
    for left in (old, new):
        left.mkdir()
    os.utime(old, (0, 0))
    (folder / "meta.json").unlink()
    decoded("mine", "key", opened())
    assert not old.exists()
    assert new.exists()


def test_rows_left_out_are_counted_and_the_others_know_their_place():
    def blocks():
        yield Block(X[[0, 2]], Y[[0, 2]], np.array([0, 2]))
        yield Block(X[5:9], np.array([1, -1, -1, 0]), np.arange(5, 9))

    source = Source(Rows(20, blocks), None, ("a", "b"), None)
    found = decoded("mine", "some", lambda: nullcontext(source))
    assert sorted(found.train.rows.tolist()) == [0, 2, 5, 8]
    assert np.array_equal(found.train.x, X[found.train.rows])
    assert (found.unlabelled, found.source_rows) == (2, 20)
    assert found.notes == ("2 training rows have no label and are left out",)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Source(Rows.of(X[:0], None), None, (), None), "mine has no training row"),
        (Source(Rows(0, lambda: iter([])), None, (), None), "mine has no training row"),
        (Source(Rows.of(X, 0 * Y - 1), None, ("a",), None), "no training row with a label"),
        (Source(Rows.of(X, Y), Rows.of(X, None), ("a", "b"), None), "test points has labels"),
    ],
)
def test_sources_without_points_are_refused(source, says):
    with pytest.raises(UomhError) as error:
        decoded("mine", "none", lambda: nullcontext(source))
    assert says in str(error.value)
    assert not list(cache_root().iterdir())


def test_a_test_split_without_labels_is_none_and_that_is_said():
    source = Source(Rows.of(X, Y), Rows.of(X, 0 * Y - 1), ("a", "b"), None)
    found = decoded("mine", "untold", lambda: nullcontext(source))
    assert found.test is None
    assert found.notes == ("20 test rows have no label and are left out",)


def test_a_source_that_fails_leaves_nothing():
    def blocks():
        yield Block(X[:3])
        raise UomhError("broken")

    with pytest.raises(UomhError, match="broken"):
        decoded("mine", "bad", lambda: nullcontext(Source(Rows(20, blocks), None, (), None)))
    assert not list(cache_root().iterdir())


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UOMH_CACHE", str(tmp_path / "file" / "inner"))
    with pytest.raises(UomhError, match="set UOMH_CACHE to a folder that can be written"):
        load_data("digits")


def test_long_names_are_shortened():
    assert len(decoded("x" * 300, "key", opened()).train) == 20


def test_a_file_that_changes_is_read_again(tmp_path):
    for x in (X, X + 1):
        np.savez(tmp_path / "a.npz", x=x)
        os.utime(tmp_path / "a.npz", ns=(0, int(x[0, 0]) + 1))
        assert load_data(tmp_path / "a.npz").train.x.min() >= x.min()
        assert load_data(tmp_path / "a.npz").fingerprint
    assert len(list(cache_root().iterdir())) == 2


def test_rows_that_are_left_out_of_a_block_keep_the_next_in_their_place():
    def blocks():
        yield Block(X[[0, 2]], Y[[0, 2]], np.array([0, 2]))
        yield Block(X[3:], Y[3:])

    source = Source(Rows(20, blocks), None, ("a", "b"), None)
    train = decoded("left", "left", lambda: nullcontext(source)).train
    assert sorted(train.rows.tolist()) == [0, *range(2, 20)]
    assert np.array_equal(train.x.numpy(), X[train.rows.numpy()])
