"""The dimension of samples against that of data: sources of one dimension, and of two."""

import math

import numpy as np
import pytest
import torch

from tests.gaussian import Gaussian
from uomh.data import Data, Split
from uomh.metrics import Evaluation, Value
from uomh.metrics.core import evaluate_with_groups
from uomh.metrics.geometry import difference, mean_of


def flat(n, dim, generator, ambient=8):
    """Points of a ``dim``-dimensional Gaussian in ``ambient`` coordinates."""
    x = torch.zeros(n, ambient)
    x[:, :dim] = torch.randn(n, dim, generator=generator)
    return x


def evaluation_of(draw, train, y=None, classes=(), **settings):
    data = Data("flat", Split(train, y), Split(train[:0]), Split(train[:50]), classes)
    model = Gaussian(Gaussian.Config(), data.spec)
    model.draw = draw
    return Evaluation(model, data, data.test, **settings)


def test_the_dimension_of_a_fresh_sample_is_that_of_the_data():
    misses = 0
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        train = flat(300, 3, generator)

        def draw(n, y, generator=generator):
            return flat(n, 3, generator)

        value = evaluate_with_groups(["id"], evaluation_of(draw, train))["id_difference"]
        misses += not value.low <= 0 <= value.high
    assert misses <= 3  # of intervals of 95%; four or more of 20 have a chance of 2%


def test_a_model_of_another_dimension_is_seen():
    generator = torch.Generator().manual_seed(0)
    train = flat(400, 2, generator)
    values = evaluate_with_groups(
        ["id"],
        evaluation_of(lambda n, y: flat(n, 5, generator), train),
    )
    assert values["id_difference"].low > 1.5
    assert values["id_difference_k3"].low > 1.5
    assert values["id"].value == pytest.approx(5, abs=1)
    assert values["id_real"].value == pytest.approx(2, abs=0.3)
    assert values["id"].n == values["id_real"].n == 400
    assert values["id"].higher_is_better is None


def test_classes_of_samples_are_those_of_their_nearest_training_point():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(600) % 2
    train = torch.where(y[:, None] == 0, flat(600, 2, generator), flat(600, 4, generator) + 100)

    def draw(n, labels):
        pick = torch.rand(n, 1, generator=generator) < 0.5
        return torch.where(pick, flat(n, 2, generator), flat(n, 2, generator) + 100)

    values = evaluate_with_groups(["clustered_id"], evaluation_of(draw, train, y, ("two", "four")))
    same, less = values["clustered_id[two]"], values["clustered_id[four]"]
    assert same.low <= 0 <= same.high
    assert less.high < -1
    assert values["clustered_id"].value == pytest.approx((same.value + less.value) / 2)
    assert values["clustered_id"].about == "k = 10, of 2 of 2 classes"


def test_too_few_samples_are_a_reason():
    train = flat(300, 2, torch.Generator().manual_seed(0))
    values = evaluate_with_groups(["id"], evaluation_of(lambda n, y: train[:n], train, samples=5))
    assert values["id"].value is None
    assert "5 points are too few for a dimension at k = 10; draw more" in values["id"].reason


def test_where_one_k_fails_the_others_are_measured():
    train = flat(300, 2, torch.Generator().manual_seed(0))
    evaluation = evaluation_of(lambda n, y: train[:n], train, samples=15)
    values = evaluate_with_groups(["id"], evaluation)
    assert values["id_k3"].value is not None
    assert "too few for a dimension at k = 20" in values["id_k20"].reason


def test_a_class_that_fails_does_not_hide_why_the_whole_does():
    train, y = flat(300, 2, torch.Generator().manual_seed(0)), torch.arange(300) % 2
    evaluation = evaluation_of(lambda n, y: train[:n], train, y, ("a", "b"), samples=4)
    values = evaluate_with_groups(["clustered_id"], evaluation)
    assert "too few for a dimension" in values["clustered_id[a]"].reason
    assert "no class has samples enough" in values["clustered_id"].reason


def test_data_without_classes_are_a_reason():
    train = flat(300, 2, torch.Generator().manual_seed(0))
    values = evaluate_with_groups(["clustered_id"], evaluation_of(lambda n, y: train[:n], train))
    assert values["clustered_id"].reason == "flat has no classes"


def test_intervals_of_differences_and_means_are_those_of_independent_values():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 3, 20_000), rng.normal(0, 4, 20_000)
    first, second = Value(7.0, 7 - 3, 7 + 3, 9), Value(5.0, 5 - 4, 5 + 4, 4)
    apart = difference(first, second)
    assert (apart.value, apart.high - apart.value, apart.n) == (2.0, 5.0, 4)
    assert (a - b).std() == pytest.approx(5, rel=0.03)
    mean = mean_of([first, second])
    assert mean.high - mean.value == pytest.approx(math.hypot(3, 4) / 2)
