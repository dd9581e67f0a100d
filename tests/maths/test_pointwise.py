"""Pointwise dimension of samples, and foreign data of high likelihood and few dimensions."""

import numpy as np
import pytest
import torch

from tests.gaussian import Gaussian
from uomh.data import Data, Split
from uomh.dimension.thinning import list_length
from uomh.errors import UomhError
from uomh.metrics import Evaluation, PointSource, evaluate
from uomh.metrics.foreign import placed
from uomh.metrics.pointwise import dimension_at, pointwise_shares
from uomh.neighbours import nearest_neighbours
from uomh.settings import config_class


def flat(n, dim, seed, ambient=6):
    """Points of a ``dim``-dimensional Gaussian in ``ambient`` coordinates."""
    x = torch.zeros(n, ambient)
    x[:, :dim] = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))
    return x


def evaluation_of(train, draw=None, test=None, others=None):
    test = train[:100] if test is None else test
    data = Data("flat", Split(train, None), Split(train[:0], None), Split(test, None), ())
    model = Gaussian(Gaussian.Config(), data.spec)
    if draw is not None:
        model.draw = draw
    return Evaluation(model, data, data.test, other=others and others.get)


def lists(points, k=10):
    return nearest_neighbours(points, list_length(k, len(points)))


def test_of_fresh_samples_two_in_a_hundred_are_unusual():
    found = [
        pointwise_shares(lists(flat(400, 3, seed)), lists(flat(400, 3, seed + 99)), 10)
        for seed in range(12)
    ]
    assert np.mean([shares.outside.value for shares in found]) == pytest.approx(0.02, abs=0.01)
    assert sum(shares.outside.low <= 0.02 <= shares.outside.high for shares in found) >= 9


@pytest.mark.parametrize(("dim", "side"), [(1, "below"), (5, "above")])
def test_samples_of_another_dimension_are_unusual(dim, side):
    evaluation = evaluation_of(flat(400, 2, 0), lambda n, y: flat(n, dim, 1))
    values = evaluate(["pointwise_id"], evaluation)
    assert values["pointwise_id"].low > 0.1
    assert values[f"pointwise_id_{side}"].value == values["pointwise_id"].value
    assert values["pointwise_id"].higher_is_better is False
    shown = evaluation.shown["pointwise_id"]
    assert len(shown["samples"]) == len(shown["training"]) == 400
    assert np.median(shown["samples"]) == pytest.approx(dim, rel=0.25)
    low, high = shown["limits"]
    unusual = (shown["samples"] < low) | (shown["samples"] > high)
    assert unusual.mean() == pytest.approx(values["pointwise_id"].value)


@pytest.mark.parametrize(
    ("n", "k", "sentence"),
    [(150, 10, "150 distinct samples .* which need 200"), (220, 180, "k = 180 is too many")],
)
def test_too_few_points_are_one_sentence(n, k, sentence):
    with pytest.raises(UomhError, match=sentence):
        pointwise_shares(lists(flat(300, 2, 0), k), lists(flat(n, 2, 1), k), k)


def test_the_dimension_at_a_point_is_that_of_the_data_around_it():
    train = torch.cat([flat(300, 1, 0), flat(300, 4, 1) + 50])
    train[300:310] = train[299]  # copies are no neighbours
    evaluation = evaluation_of(train, test=torch.cat([flat(50, 1, 2), flat(50, 4, 3) + 50]))
    found = dimension_at(evaluation, PointSource("held_out"), 10).numpy()
    assert 1 / np.mean(1 / found[:50]) == pytest.approx(1, rel=0.2)
    assert 1 / np.mean(1 / found[50:]) == pytest.approx(4, rel=0.3)
    of_train = dimension_at(evaluation, PointSource("train"), 10)
    assert of_train.shape == (600,)
    assert of_train.isfinite().all()
    with pytest.raises(
        UomhError, match=r"590 distinct training points are too few .* at k = 700; lower k"
    ):
        dimension_at(evaluation, PointSource("held_out"), 700)


def test_a_place_is_a_share_with_ties_counted_half():
    assert placed(np.array([0.0, 1.0, 2.5, np.inf]), np.array([1.0, 1, 2, 3])).tolist() == [
        0,
        0.25,
        0.75,
        1,
    ]


def test_foreign_data_of_high_likelihood_and_few_dimensions_are_told_apart():
    """A line of little probability inside a cloud: its points are the likeliest of all."""
    line = 0.3 * flat(60, 1, 4)
    line[:, 5] += 6.0
    cloud = 3 * flat(1200, 5, 0)
    train = torch.cat([cloud[:1000], line[:30]])
    inside = Data("flat", *[Split(x, None) for x in (train, train[:0], cloud[1000:])], ())
    foreign = Data("line", *[Split(x, None) for x in (line[:30], train[:0], line[30:])], ())
    model = Gaussian(Gaussian.Config(), inside.spec)
    model.mean.data[0, 5] = 6.0
    evaluation = Evaluation(model, inside, inside.test, other=lambda name: foreign)
    named = {
        name: config_class("metrics", name)(name=name, ood="line", k=10)
        if "_id_" in name
        else config_class("metrics", name)(name=name, ood="line")
        for name in ("likelihood_ood_acc", "likelihood_id_ood_acc")
    }
    values = evaluate(named.values(), evaluation)
    assert values["likelihood_ood_auroc"].value < 0.05
    assert values["likelihood_id_ood_auroc"].low > 0.9
    assert values["likelihood_id_ood_fpr95"].value < 0.2
    for name in ("acc", "aupr"):
        assert values[f"likelihood_id_ood_{name}"].value > values[f"likelihood_ood_{name}"].value
    shown = evaluation.shown["ood_line"]
    sides = ("is_train", "is_test", "oos_train", "oos_test", "threshold")
    assert set(shown) == {f"{s}_{of}" for s in sides for of in ("lowdim_False", "likelihood_id")}
    assert len(shown["oos_test_lowdim_False"]) == 30
