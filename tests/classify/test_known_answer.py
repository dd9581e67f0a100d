"""Classes of known dimension and known noise: the reported correlation is the true one."""

import itertools

import numpy as np
import pytest
import scipy.stats
import torch

import uomh
from uomh.data import Data, Split
from uomh.experiments.weighting import compare

DIMENSIONS = (1, 2, 3, 4, 5, 6, 7)
NOISE = (0.05, 0.35, 0.12, 0.28, 0.45, 0.20, 0.52)
"""share of a class's test points that bear the label of another"""
AMBIENT, POINTS, TESTED = 12, 150, 100


def points(d, n, centre, rng):
    """N points of a cube of d dimensions, turned into the ambient space, far from the others."""
    axes = np.linalg.qr(rng.normal(size=(AMBIENT, AMBIENT)))[0][:d]
    return rng.random((n, d)) @ axes + centre


def known_data():
    """The data, and the accuracy by label of whoever knows the manifolds."""
    rng = np.random.default_rng(0)
    k = len(DIMENSIONS)
    centres = 20 * rng.normal(size=(k, AMBIENT))
    splits = {}
    for name, n in (("train", POINTS), ("valid", 20), ("test", TESTED)):
        seeds = np.random.default_rng(1)  # the same planes in each split
        x = [points(d, n, c, seeds) for d, c in zip(DIMENSIONS, centres, strict=True)]
        splits[name] = np.concatenate(x).astype(np.float32), np.repeat(np.arange(k), n)
    manifold = splits["test"][1]
    labels = manifold.copy()
    for c, share in enumerate(NOISE):
        wrong = np.flatnonzero(manifold == c)[: round(share * TESTED)]
        labels[wrong] = (c + 1 + np.arange(len(wrong)) % (k - 1)) % k
    accuracy = [float((manifold[labels == c] == c).mean()) for c in range(k)]

    def split(name, y):
        return Split(torch.from_numpy(splits[name][0]), torch.from_numpy(y))

    names = tuple(f"{d} dimensions" for d in DIMENSIONS)
    train, valid = (split(name, splits[name][1]) for name in ("train", "valid"))
    return Data("known", train, valid, split("test", labels), names, None, "known"), accuracy


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data, accuracy = known_data()
    overrides = ["threads=1", "train.max_epochs=6"]
    # The settings of a run by data of these sizes; the points are these.
    config, _ = uomh.resolve(values={"model": {"name": "classifier"}}, overrides=overrides)
    folder = tmp_path_factory.mktemp("known") / "run"
    done = uomh.complete(config, folder, data)
    return config, data, accuracy, folder, done.values


def test_accuracy_by_class_is_that_of_the_noise(run):
    _, data, accuracy, _, values = run
    found = [values[f"accuracy[{name}]"].value for name in data.classes]
    assert found == accuracy
    intervals = [values[f"accuracy[{name}]"] for name in data.classes]
    assert all(v.low < v.value < v.high for v in intervals)


def test_dimensions_of_classes_are_in_their_true_order(run):
    _, data, _, _, values = run
    found = [values[f"class_dimension[{name}]"].value for name in data.classes]
    assert found == sorted(found)
    # Cubes are all edge: their estimates fall short, the more the higher the dimension.
    assert found[0] == pytest.approx(1, abs=0.15)
    assert 4.5 < found[-1] < 7.5


def test_the_reported_correlation_is_the_true_one(run):
    _, _, accuracy, _, values = run
    rank, line = values["dimension_correlation"], values["dimension_pearson"]
    truth = scipy.stats.spearmanr(DIMENSIONS, accuracy).statistic
    assert rank.value == pytest.approx(truth, abs=1e-12)
    assert rank.low < truth < rank.high
    assert rank.by == "classes"
    # Ranks are as they should be; dimensions are bent by up to a tenth of their range.
    assert line.value == pytest.approx(
        scipy.stats.pearsonr(DIMENSIONS, accuracy).statistic, abs=0.06
    )
    assert values["dimension_correlation_p"].value == exact_p_value(accuracy)


def exact_p_value(accuracy):
    """The share of all pairings whose rank correlation is as far from 0."""
    ranks = scipy.stats.rankdata(accuracy)
    pairings = np.array(list(itertools.permutations(range(len(ranks)))))
    a, b = (x - x.mean() for x in (np.array(DIMENSIONS), ranks))
    sums = np.abs(b[pairings] @ a)
    return (sums >= abs(a @ b) - 1e-9).mean()


def test_where_both_losses_see_separate_classes_they_differ_in_nothing(run):
    config, data, accuracy, folder, _ = run
    found = compare(config, data, folder, seeds=2)
    assert found.seeds == (0, 1)
    assert found.differences["accuracy"].value == 0
    assert found.differences["accuracy"].n == 2
    assert found.differences["lowest_class_accuracy"].value == 0
    means = found.class_means("weighted")
    assert [means[f"accuracy[{name}]"].value for name in data.classes] == accuracy
    assert "accuracy" not in found.gains  # none gained anything
    folders = sorted(path.name for path in (folder / "compared").iterdir())
    assert folders == ["comparison.json", "plain-1", "weighted-0", "weighted-1"]
