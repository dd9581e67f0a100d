"""Every clusterer: all splits are labelled, the same again, points untouched, errors are clear."""

import re

import numpy as np
import pytest
import torch

import uomh
from uomh import registry
from uomh.clusters import cluster, compare, load_partition, save_partition
from uomh.data import Data, Split
from uomh.data.core import Grouping

NAMES = sorted(registry.entries("clusterers"))
FOUND = [name for name in NAMES if registry.load("clusterers", name).looks]
SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings without which a clusterer does nothing, for the data of the fixture `digits`."""

    def of(name, data):
        if name != "saved":
            return {}
        file = tmp_path_factory.mktemp("labels") / "mine.npy"
        np.save(file, np.arange(len(data.train) + len(data.valid)) % 3)
        return {"file": str(file)}

    return of


@pytest.mark.parametrize("name", NAMES)
def test_all_splits_are_labelled_and_nothing_else_changes(name, digits, settings):
    before = digits.train.x.clone()
    made = cluster(digits, name, **settings(name, digits))
    for split in SPLITS:
        old, new = getattr(digits, split), getattr(made, split)
        assert new.x is old.x
        assert new.y.dtype == torch.int64
        assert new.y.shape == (len(old),)
        assert 0 <= new.y.min() <= new.y.max() < len(made.classes)
    assert torch.equal(digits.train.x, before)
    assert set(made.train.y.tolist()) == set(range(len(made.classes)))
    assert (made.levels, made.name) == (digits.levels, digits.name)
    assert (made.fingerprint == digits.fingerprint) == (name == "class")


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_groups(name, digits, settings):
    own = settings(name, digits)
    one, two = (cluster(digits, name, seed=3, **own) for _ in range(2))
    assert one.fingerprint == two.fingerprint
    assert all(torch.equal(getattr(one, s).y, getattr(two, s).y) for s in SPLITS)


@pytest.mark.parametrize("name", NAMES)
def test_empty_splits_stay_empty(name, digits, settings):
    none = digits.test[:0]
    data = Data("part", digits.train, none, none, digits.classes, digits.levels, "part")
    made = cluster(data, name, **settings(name, data))
    assert len(made.valid.y) == len(made.test.y) == 0


@pytest.mark.parametrize("name", sorted({*NAMES} - {"class", "saved"}))
def test_number_of_clusters(name, digits):
    assert len(cluster(digits, name).classes) == 10
    assert cluster(digits, name, num_clusters=4).classes == ("0", "1", "2", "3")
    assert set(cluster(digits, name, num_clusters=1).test.y.tolist()) == {0}
    with pytest.raises(uomh.UomhError, match="271 clusters are more than the 270 training points"):
        cluster(digits, name, num_clusters=271)
    plain = Data("plain", *(Split(getattr(digits, s).x) for s in SPLITS), (), digits.levels, "p")
    assert len(cluster(plain, name, num_clusters=2).classes) == 2
    with pytest.raises(uomh.UomhError, match="plain has no classes to count; say how many"):
        cluster(plain, name)


@pytest.mark.parametrize("name", FOUND)
def test_features_are_clustered_in_place_of_points(name, vectors):
    # The features are one of two far blobs, whatever the point: no clusterer may miss them.
    def features(x):
        return (x[:, :1] > 4).float() * 100 + x / 100

    if name == "dimension":
        pytest.skip("groups by dimension do not lie apart")
    made = cluster(vectors, name, features=features, num_clusters=2)
    for split in SPLITS:
        part = getattr(made, split)
        side = (part.x[:, 0] > 4).long()
        assert torch.equal(part.y, side) or torch.equal(part.y, 1 - side)


@pytest.mark.parametrize("name", FOUND)
def test_principal_components(name, digits):
    made = cluster(digits, name, pca_dim=5, num_clusters=3)
    assert made.train.x is digits.train.x
    assert len(made.classes) == 3
    with pytest.raises(uomh.UomhError, match="270 points of 64 coordinates have 64 components"):
        cluster(digits, name, pca_dim=65)


@pytest.mark.parametrize("name", FOUND)
def test_points_must_be_finite(name, vectors):
    x = vectors.train.x.clone()
    x[5, 1] = torch.nan
    data = Data("holes", Split(x), vectors.valid, vectors.test, (), None, "holes")
    with pytest.raises(uomh.UomhError, match="NaN, infinite or too large value in row 5"):
        cluster(data, name, num_clusters=2)


@pytest.mark.parametrize("name", sorted({*FOUND} - {"dimension"}))
def test_far_groups_are_found_and_auto_counts_them(name, vectors):
    # Single linkage alone would cut off outliers of these Gaussian groups.
    own = {"min_size": 20} if name == "single_linkage" else {}
    for number in (3, "auto"):
        agreement = compare(cluster(vectors, name, num_clusters=number, **own), vectors)
        # Means 8 apart at deviation 1: about one of 600 points lies beyond the midway of 4.
        assert len(agreement.sizes) == 3
        assert agreement.purity > 0.99
        assert agreement.adjusted_rand > 0.97


def test_settings_that_do_not_exist_are_errors(digits):
    for name, key, value in (
        ("class", "num_clusters", 3),
        ("random", "num_clusters", "auto"),
        ("dimension", "num_clusters", "auto"),
        ("kmeans", "num_clusters", 0),
        ("kmeans", "num_clusters", "outo"),
    ):
        with pytest.raises(uomh.UomhError, match=f"clusters.{key}"):
            cluster(digits, name, **{key: value})
    with pytest.raises(uomh.UomhError, match="did you mean 'kmeans'"):
        cluster(digits, "kmean")


def test_groups_without_a_point_are_errors(digits):
    with pytest.raises(uomh.UomhError, match=r"random leaves .* without a training point"):
        cluster(digits, "random", num_clusters=260)
    same = Split(torch.zeros(50, 1, 4, 4, dtype=torch.uint8))
    data = Data("same", same, same[:0], same[:0], (), 2, "same")
    with pytest.raises(uomh.UomhError, match="kmeans leaves 2 of 3 groups"):
        cluster(data, "kmeans", num_clusters=3)


def test_labels_of_a_file_are_in_the_order_of_the_pool(digits, tmp_path):
    pool = torch.cat([digits.valid.y, digits.train.y]).numpy()
    np.save(tmp_path / "own.npy", pool)
    np.savetxt(tmp_path / "own.csv", [f"digit {label}" for label in pool], fmt="%s")
    for file in ("own.npy", "own.csv"):
        made = cluster(digits, "saved", file=str(tmp_path / file))
        assert torch.equal(made.train.y, digits.train.y)
        assert torch.equal(made.valid.y, digits.valid.y)
        # 270 neighbours do not name every test digit rightly, but most: the 1-NN accuracy is 91%.
        assert (made.test.y == digits.test.y).float().mean() > 0.8
    assert made.classes[0] == "digit 0"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (np.arange(7), "has 7 labels, but there are 300 training points"),
        (np.zeros((300, 2)), "must hold one label a point; its shape is (300, 2)"),
        (np.eye(300), "of one-hot rows take y.argmax(1)"),
        (np.full(300, np.nan), "holds no label at all"),
        (np.where(np.arange(300) < 7, np.nan, 1), "has 7 missing labels of 300"),
        (np.array([{}] * 300), "holds Python objects, which are never unpickled"),
        (None, "there is no file of labels"),
    ],
)
def test_labels_that_do_not_fit_are_errors(content, says, digits, tmp_path):
    file = tmp_path / "mine.npy"
    if content is not None:
        np.save(file, content)
    with pytest.raises(uomh.UomhError, match=re.escape(says)):
        cluster(digits, "saved", file=str(file))


def test_a_partition_comes_back_as_it_was(digits, tmp_path):
    path = tmp_path / "folder" / "partition.npz"
    made = cluster(digits, "random", num_clusters=4)
    save_partition(path, digits, made)
    for again in (load_partition(path, digits), cluster(digits, "saved", file=str(path))):
        assert again.fingerprint == made.fingerprint
        assert again.classes == made.classes
        assert all(torch.equal(getattr(again, s).y, getattr(made, s).y) for s in SPLITS)
    uncut = uomh.load_data("digits", limit=300, test_limit=60, valid_fraction=0.0)
    pool = load_partition(path, uncut)
    assert torch.equal(pool.train.y, torch.cat([made.valid.y, made.train.y]))
    assert pool.fingerprint not in (made.fingerprint, uncut.fingerprint)


@pytest.mark.parametrize(("name", "from_points"), [("random", False), ("kmeans", True)])
def test_labels_say_how_they_were_made(name, from_points, digits, tmp_path):
    assert digits.grouping is None
    made = cluster(digits, name, num_clusters=3)
    assert made.grouping == Grouping(name, from_points)
    path = tmp_path / "partition.npz"
    save_partition(path, digits, made)
    assert cluster(digits, "saved", file=str(path)).grouping == made.grouping
    assert made.map(lambda x: x.flatten(1)).grouping == made.grouping
    assert cluster(made, "random", num_clusters=2).grouping == Grouping("random")
    assert cluster(made, "class").grouping == made.grouping
    save_partition(path, digits, digits)
    assert load_partition(path, digits).grouping is None


@pytest.mark.parametrize("labels", [np.full(270, 4), np.full(270, -1), np.zeros(270), np.eye(270)])
def test_a_partition_of_labels_without_a_name_is_refused(labels, digits, tmp_path):
    path = tmp_path / "partition.npz"
    save_partition(path, digits, cluster(digits, "random", num_clusters=4))
    with np.load(path) as file:
        content = {key: file[key] for key in file.files}
    np.savez(path, **content | {"train": labels})
    with pytest.raises(uomh.UomhError, match="no partition as uomh saves it"):
        load_partition(path, digits)


@pytest.mark.parametrize("settings", [{}, {"test_fraction": 0.0}, {"limit": 200}])
def test_labels_of_a_file_are_those_of_the_rows_of_the_source(settings, tmp_path):
    np.save(tmp_path / "mine.npy", np.arange(1797) % 5)
    data = uomh.load_data("digits", **settings)
    made = cluster(data, str(tmp_path / "mine.npy"))
    for split in (made.train, made.valid, made.test):
        assert torch.equal(split.y, split.rows % 5)


def test_a_partition_of_other_data_is_refused(digits, vectors, tmp_path):
    path = tmp_path / "partition.npz"
    save_partition(path, digits, cluster(digits, "random"))
    with pytest.raises(uomh.UomhError, match="labels of other data than vectors"):
        load_partition(path, vectors)
    with pytest.raises(uomh.UomhError, match="270 training, 30 validation and 60 test points"):
        load_partition(path, uomh.load_data("digits", limit=200, test_limit=60))
    two = uomh.load_data("digits", limit=300, test_limit=60, class_ind=[0, 1])
    with pytest.raises(uomh.UomhError, match="labels of other data"):
        load_partition(path, two)
    path.write_bytes(b"no archive")
    with pytest.raises(uomh.UomhError, match="no partition as uomh saves it"):
        load_partition(path, digits)
    np.savez(path, x=np.zeros(3))
    with pytest.raises(uomh.UomhError, match="no partition as uomh saves it"):
        load_partition(path, digits)


def test_agreement_against_hand_counts(vectors):
    y = torch.tensor([0, 0, 0, 1, 1, 1])
    groups = torch.tensor([0, 0, 1, 1, 1, 1])
    x = torch.zeros(6, 1)
    none = Split(x[:0], y[:0])
    original = Data("six", Split(x, y), none, none, ("a", "b"), None, "six")
    grouped = Data("six", Split(x, groups), none, none, ("0", "1"), None, "six+")
    found = compare(grouped, original)
    assert found.sizes == (2, 4)
    assert found.purity == 5 / 6
    # Pairs: 1 + 3 agree as together, out of 1 + 6 and 3 + 3; expected 7 * 6 / 15.
    assert found.adjusted_rand == pytest.approx((4 - 2.8) / ((7 + 6) / 2 - 2.8))
    joint, h_class = np.array([2, 1, 3]) / 6, np.log(2)
    h_group = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    mutual = h_class + h_group + (joint * np.log(joint)).sum()
    assert found.mutual_information == pytest.approx(2 * mutual / (h_class + h_group))
    unlabelled = Data("six", Split(x), none, none, (), None, "six")
    assert compare(grouped, unlabelled).purity is None
