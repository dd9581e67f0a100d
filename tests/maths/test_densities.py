"""Exact densities in the plane: total mass, own samples, and the entropy of a known mixture."""

import math

import pytest
import torch

from uomh import registry
from uomh.data import Data, Split
from uomh.training import TrainConfig, Trainer

MEANS = torch.tensor([[-2.0, 0.0], [2.0, 1.0], [0.5, -2.5]])
STDS = torch.tensor([[0.5, 1.0], [0.8, 0.4], [0.4, 0.4]])
WEIGHTS = torch.tensor([0.5, 0.3, 0.2])
STEP = 0.12
"""of the grid that integrates"""
FLOW = {"num_layers": 3, "hidden_units": 32, "num_blocks_per_layer": 2}
CASES = {
    "flow": ("flow", FLOW, {"max_epochs": 20}),
    "autoregressive flow": ("flow", FLOW | {"transform": "autoregressive"}, {"max_epochs": 20}),
    "arm": ("arm", {"num_layers": 1, "hidden_size": 128}, {"max_epochs": 20}),
    "flow matching": ("flow_matching", {"hidden_units": 64, "num_layers": 3}, {"max_epochs": 40}),
}


def truth():
    components = torch.distributions.Independent(torch.distributions.Normal(MEANS, STDS), 1)
    weights = torch.distributions.Categorical(WEIGHTS)
    return torch.distributions.MixtureSameFamily(weights, components)


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    """A model that has been trained on draws of the mixture."""
    name, settings, training = CASES[request.param]
    torch.manual_seed(0)
    x = truth().sample((6000,))
    data = Data("mixture", Split(x), Split(x[:0]), Split(x[:0]), (), None, "mixture")
    cls = registry.load("models", name)
    model = cls(cls.Config(**settings), data.spec)
    config = TrainConfig(batch_size=256, lr=5e-3, schedule="cosine", **training)
    Trainer(config).fit(model, data)
    return model


@pytest.fixture(scope="module")
def grid(fitted):
    """Points of a grid and the density there; the square holds all but 1e-6 of the mixture."""
    axis = torch.arange(-8.4, 8.4, STEP)
    points = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        return points, torch.cat([fitted.log_prob(part).exp() for part in points.split(20000)])


def test_density_integrates_to_one(grid):
    # The step is less than a third of the narrowest deviation: the rule's own error is far below.
    assert grid[1].sum().item() * STEP**2 == pytest.approx(1, abs=3e-3)


def test_density_is_that_of_its_own_samples(fitted, grid):
    """Mean of cos(w x) over samples against its integral under the density, for several w."""
    torch.manual_seed(1)
    frequencies = 1.5 * torch.randn(2, 24)
    n = 4000
    points, density = grid
    values = torch.cos(points @ frequencies + 0.7)
    expected = (density[:, None] * values).sum(0) * STEP**2
    second = (density[:, None] * values**2).sum(0) * STEP**2
    with torch.no_grad():
        samples = fitted.sample(n)
    z = (torch.cos(samples @ frequencies + 0.7).mean(0) - expected) * math.sqrt(n)
    z = z / (second - expected**2).sqrt()
    # 24 correlated standard normals under equality: beyond 4.5 with probability below 2e-4.
    assert z.abs().max() < 4.5


def test_fit_comes_within_a_twentieth_of_a_nat_of_the_entropy(fitted):
    torch.manual_seed(2)
    x = truth().sample((6000,))
    with torch.no_grad():
        gap = truth().log_prob(x) - fitted.log_prob(x)
    # The same points for both, so that the mean gap is the divergence with an error of some 0.005.
    assert -0.01 < gap.mean().item() < 0.05
