"""`load_data`: which rows of which source are in which split, and what identifies them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from uomh import UomhError, load_data
from uomh.data import Data, DataConfig, Split
from uomh.data.core import fixed_order
from uomh.training.resolve import resolve

SPLITS = ("train", "valid", "test")


@pytest.fixture
def numbered(tmp_path):
    """A file of 100 points whose coordinate is their row, in four classes."""
    path = tmp_path / "numbered.npz"
    np.savez(path, x=np.arange(100.0)[:, None], y=np.arange(100) % 4)
    return path


def rows(split):
    return split.x[:, 0].long().tolist()


def test_the_fixed_order_never_changes():
    assert fixed_order(6).tolist() == [2, 4, 5, 1, 0, 3]
    assert sorted(fixed_order(1000)) == list(range(1000))


def test_splits_are_slices_of_the_fixed_order(numbered):
    data = load_data(numbered, limit=40, test_limit=7)
    order = fixed_order(100).tolist()
    assert rows(data.test) == order[:7]
    assert rows(data.valid) == order[10:14]
    assert rows(data.train) == order[14:50]
    for split in (data.train, data.valid, data.test):
        assert split.rows.tolist() == rows(split)
        assert torch.equal(split.y, split.rows % 4)
    assert load_data(numbered, limit=1000).train.x.shape == (81, 1)


def test_rows_of_a_test_split_are_counted_on_from_those_of_the_training_split(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(10.0)[:, None], x_test=np.arange(10.0, 15)[:, None])
    data = load_data(tmp_path / "a.npz")
    assert data.test.rows.tolist() == rows(data.test)
    assert sorted(rows(data.test)) == [10, 11, 12, 13, 14]


def test_chosen_classes_are_renumbered_in_the_order_asked_for(numbered):
    data = load_data(numbered, class_ind=[3, 1])
    assert data.classes == ("3", "1")
    for split in (data.train, data.valid, data.test):
        assert torch.equal(split.y, (split.rows % 4 == 1).long())
        assert set((split.rows % 4).tolist()) <= {1, 3}
    every = load_data(numbered)
    assert [len(getattr(data, s)) for s in SPLITS] == [
        int(((getattr(every, s).y == 1) | (getattr(every, s).y == 3)).sum()) for s in SPLITS
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"class_ind": [2, 2]}, "data.class_ind=[2, 2]: each class can be kept once"),
        ({"class_ind": []}, "data.class_ind=[]: name at least one class"),
        ({"class_ind": [4]}, "data.class_ind=4: these data have classes 0 to 3"),
        ({"class_ind": [-1]}, "data.class_ind=-1: these data have classes 0 to 3"),
        ({"class_ind": ["1"]}, "class_ind"),
        ({"limit": 0}, "data.limit"),
        ({"limit": 2.5}, "data.limit"),
        ({"valid_fraction": 1.0}, "data.valid_fraction"),
        ({"test_fraction": -0.1}, "data.test_fraction"),
        ({"limt": 3}, "did you mean 'data.limit'"),
        ({"limit": np.ones(2)}, "not plain values"),
    ],
)
def test_settings_that_mean_nothing_are_refused(numbered, settings, says):
    with pytest.raises(UomhError) as error:
        load_data(numbered, **settings)
    assert says in str(error.value)


def test_classes_that_are_not_missing_do_not_take_what_is(tmp_path):
    """Rows marked -1 are of no class, the last one neither."""
    np.savez(tmp_path / "a.npz", x=np.arange(40.0)[:, None], y=np.arange(40) % 3 - 1)
    data = load_data(tmp_path / "a.npz", class_ind=[1])
    assert all((split.rows % 3 == 2).all() for split in (data.train, data.valid, data.test))


@pytest.mark.parametrize("given", [3, None, b"digits", ["digits"], np.zeros((4, 2))])
def test_what_names_no_data_is_refused(given):
    with pytest.raises(UomhError, match="a data set is a name or a path, not "):
        load_data(given)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dgits", "unknown data set 'dgits'; did you mean 'digits'"),
        ("no/such/folder", "there is no data at 'no/such/folder'"),
        ("none.npz", "there is no data at 'none.npz'"),
        ("manifold:sphere-3", "unknown manifold 'sphere-3'"),
        ("{}/notes.txt", "is no file of points; give .csv, .npy or .npz"),
    ],
)
def test_data_that_are_not_there_are_one_sentence(tmp_path, name, says):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UomhError) as error:
        load_data(name.format(tmp_path))
    assert says in str(error.value)


def test_a_path_and_its_text_and_its_settings_are_the_same_data(numbered, monkeypatch):
    monkeypatch.chdir(numbered.parent)
    config = DataConfig(dataset="numbered.npz", limit=50)
    found = [
        load_data(numbered, limit=50),
        load_data(str(numbered), limit=50),
        load_data(config),
        load_data(Path("numbered.npz"), data_root=numbered.parent, limit=50),
        load_data(DataConfig(dataset="numbered.npz"), limit=50),
    ]
    assert len({data.fingerprint for data in found}) == 1
    assert {data.name for data in found} == {"numbered.npz"}


def test_local_paths_become_absolute_and_names_stay(numbered, monkeypatch):
    monkeypatch.chdir(numbered.parent)
    config, data = resolve(values={"data": {"dataset": "numbered.npz"}})
    assert (config.data.dataset, data.name) == (str(numbered), "numbered.npz")
    assert config.data.data_root == "data"
    Path("data/mine").mkdir(parents=True)
    numbered.rename("data/mine.npz")
    config, data = resolve(values={"data": {"dataset": "mine.npz"}})
    assert config.data.dataset == data.name == "mine.npz"
    assert config.data.data_root == str(numbered.parent / "data")
    monkeypatch.chdir("/")
    assert load_data(config.data).fingerprint == data.fingerprint
    assert DataConfig(dataset="digits").absolute() == DataConfig(dataset="digits")


# --- fingerprints -------------------------------------------------------------------------------


def test_fingerprints_are_of_what_is_there(tmp_path):
    x, y = np.random.default_rng(0).integers(0, 17, (100, 4, 4)), np.arange(100) % 4
    base = {"x": x, "y": y, "levels": 17}
    other = x.copy()
    other[99, 0, 0] = (other[99, 0, 0] + 1) % 17
    sources = [
        base,
        base | {"x": other},
        base | {"x": x[::-1]},
        base | {"y": (y + 1) % 4},
        base | {"levels": 18},
        base | {"classes": list("abcd")},
        base | {"x_test": x[:5], "y_test": y[:5]},
        {"x": x, "levels": 17},
        {"x": x.reshape(100, 16)},
        {"x": x.reshape(100, 16) + 0.5},
    ]
    selections = [{}, {"limit": 50}, {"class_ind": [0, 1]}, {"class_ind": [1, 0]}]
    selections += [{"valid_fraction": 0.2}, {"test_fraction": 0.2}, {"test_limit": 3}]
    seen = set()
    for i, source in enumerate(sources):
        np.savez(tmp_path / f"{i}.npz", **source)
        for selection in selections if i == 0 else selections[:1]:
            data = load_data(tmp_path / f"{i}.npz", **selection)
            seen.add(data.fingerprint)
            assert load_data(tmp_path / f"{i}.npz", **selection).fingerprint == data.fingerprint
    assert len(seen) == len(sources) + len(selections) - 1


def test_two_ways_to_the_same_points_have_one_fingerprint(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    np.savez(tmp_path / "one.npz", x=x, y=y)
    np.savez_compressed(tmp_path / "two.npz", X_train=x, labels=np.array(["0", "1"])[y][:, None])
    lines = [f"{a!r},{b!r},{label}" for (a, b), label in zip(x.tolist(), y, strict=True)]
    (tmp_path / "three.csv").write_text("\n".join(["a,b,label", *lines]))
    found = [load_data(tmp_path / name) for name in ("one.npz", "two.npz", "three.csv")]
    found.append(load_data(tmp_path / "one.npz", limit=54))
    assert len({data.fingerprint for data in found}) == 1
    assert len({data.pool for data in found}) == 1


def test_the_pool_is_known_wherever_the_validation_split_is_cut(numbered):
    cuts = [load_data(numbered, valid_fraction=share, class_ind=[0, 2]) for share in (0, 0.1, 0.5)]
    assert len({data.pool for data in cuts}) == 1
    assert len({data.fingerprint for data in cuts}) == 3
    assert load_data(numbered, limit=30).pool != cuts[0].pool


def test_data_made_by_hand_need_no_fingerprint():
    x = torch.zeros(4, 2)
    data = Data("mine", Split(x), Split(x[:0]), Split(x))
    assert (data.fingerprint, data.pool, data.notes, data.unlabelled) == ("", "", (), 0)
    assert data.map(lambda x: x).fingerprint == "+map"


def test_parts_and_maps_have_fingerprints_of_their_own(numbered):
    data = load_data(numbered)
    parts = data.parts()
    found = {data.fingerprint, data.map(lambda x: x).fingerprint}
    assert len(found | {part.fingerprint for part in parts}) == 6
    assert {part.pool for part in parts} == {""}
    for number, part in enumerate(parts):
        assert set(rows(part.train)) == {row for row in rows(data.train) if row % 4 == number}
        assert part.train.rows.tolist() == rows(part.train)
        assert part.classes == ()


def test_a_class_without_a_training_point_is_no_part(numbered):
    data = load_data(numbered)
    with pytest.raises(UomhError, match=r"numbered.npz: class 'more' has no training point"):
        replace(data, classes=(*data.classes, "more")).parts()
    with pytest.raises(UomhError, match="has no labels"):
        _ = replace(data, train=Split(data.train.x)).weights
