"""The probability-flow likelihood against Gaussians; pairing; the solver; the networks."""

import itertools
import math

import pytest
import torch

from uomh.data import Data, DataSpec, Split
from uomh.errors import UomhError
from uomh.models import flow_matching
from uomh.models.flow_matching import FlowMatching, paired
from uomh.nn.ode import solve
from uomh.nn.unet import UNet
from uomh.training import TrainConfig, Trainer


@pytest.mark.parametrize(("start", "end"), [(0.0, 2.0), (2.0, 0.0)])
def test_solver_reaches_its_tolerance(start, end):
    x = torch.tensor([[1.0, 0.5], [2.0, -1.0]], dtype=torch.float64)

    def exact(t):
        return torch.exp(torch.tensor(-t - math.sin(3 * t), dtype=torch.float64))

    for tolerance in (1e-4, 1e-7):
        # dx/dt = -(1 + 3 cos 3t) x; errors of some steps add up, and grow on the way back.
        got = solve(
            lambda t, x: -(1 + 3 * math.cos(3 * t)) * x, x * exact(start), start, end, tolerance
        )
        torch.testing.assert_close(got, x * exact(end), atol=30 * tolerance, rtol=30 * tolerance)


def test_solver_says_when_it_cannot_go_on():
    with pytest.raises(UomhError, match="tolerance"):
        solve(lambda t, x: x / (t - 0.5) ** 2, torch.ones(1, 1), 0.0, 1.0, 1e-4, 50)


def gaussian_model(dim, tolerance=1e-4, probes=4):
    """The exact field of lines from N(0, I) to N(m, s^2) with known m and s."""
    torch.manual_seed(0)
    config = FlowMatching.Config(
        tolerance=tolerance, probes=probes, hidden_units=8, whitening_transform=False
    )
    model = FlowMatching(config, DataSpec((dim,), None, 0)).double().eval()
    mean = torch.randn(dim, dtype=torch.float64)
    std = torch.rand(dim, dtype=torch.float64) * 2 + 0.3
    mix = torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64)).Q

    def velocity(t, x, y):
        # E[x1 - x0 | x_t = x] of jointly Gaussian coordinates, in a rotated frame.
        t = t[:, None]
        gain = (t * std**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * std**2)
        return (mean + gain * (x @ mix.T - t * mean)) @ mix

    model.velocity = velocity
    covariance = mix.T @ torch.diag(std**2) @ mix
    return model, torch.distributions.MultivariateNormal(mean @ mix, covariance)


def test_likelihood_of_the_exact_field_is_the_gaussians():
    errors = {}
    for tolerance in (1e-3, 5e-4, 1e-6):
        model, exact = gaussian_model(4, tolerance)
        assert model.likelihood == "exact"
        torch.manual_seed(1)
        x = exact.sample((100,))
        errors[tolerance] = (model.log_prob(x) - exact.log_prob(x)).abs().max().item()
    # Ten steps or so, each of an error of the tolerance in units of one.
    assert errors[1e-3] < 0.05
    assert errors[1e-6] < 1e-4
    assert abs(errors[1e-3] - errors[5e-4]) < 0.05


def test_random_divergence_is_unbiased_and_knows_its_spread():
    dim = flow_matching.EXACT_DIM + 16
    model, exact = gaussian_model(dim)
    assert model.likelihood == "estimate"
    torch.manual_seed(1)
    x = exact.sample((200,))
    estimate = model.estimated_log_prob(x)
    error = estimate.value - exact.log_prob(x)
    assert (estimate.standard_error > 0).all()
    # Four probes: the mean over 200 points within five of its standard errors, and the errors'
    # own root mean square within a fifth (600 degrees of freedom would give 6%).
    spread = estimate.standard_error.square().mean().sqrt()
    assert error.mean().abs() < 5 * spread / 200**0.5
    assert error.square().mean().sqrt() == pytest.approx(spread.item(), rel=0.2)


def test_trained_on_a_gaussian_it_comes_within_a_twentieth_of_a_nat():
    torch.manual_seed(0)
    scale = torch.tensor([[1.5, 0.0], [0.8, 0.5]])
    exact = torch.distributions.MultivariateNormal(torch.tensor([1.0, -2.0]), scale_tril=scale)
    x = exact.sample((4000,))
    data = Data("gaussian", Split(x), Split(x[:0]), Split(x[:0]), (), None, "gaussian")
    model = FlowMatching(FlowMatching.Config(hidden_units=64, num_layers=2), data.spec)
    config = TrainConfig(max_epochs=25, batch_size=256, lr=3e-3, schedule="cosine")
    Trainer(config).fit(model, data)
    test = exact.sample((1500,))
    gap = exact.log_prob(test) - model.log_prob(test)
    assert -0.01 < gap.mean().item() < 0.05
    finer = model.estimated_log_prob(test, tolerance=model.config.tolerance / 2).value
    assert (finer - model.log_prob(test)).abs().mean() < 0.05


def test_pairing_is_optimal_and_stays_within_labels():
    torch.manual_seed(0)
    data, noise = torch.randn(2, 6, 3)
    best = min(
        (noise[list(order)] - data).square().sum().item()
        for order in itertools.permutations(range(6))
    )
    assert (paired(noise, data, None) - data).square().sum().item() == pytest.approx(best, rel=1e-5)
    y = torch.tensor([0, 1, 0, 1, 0, 1])
    moved = paired(noise, data, y)
    source = (moved[:, None] == noise).all(2).float().argmax(1)
    assert torch.equal(y[source], y)
    assert torch.equal(source.sort().values, torch.arange(6))


def test_guidance_mixes_the_fields():
    config = FlowMatching.Config(conditional=True, guidance=3.0, hidden_units=8)
    model = FlowMatching(config, DataSpec((2,), None, 2)).eval()
    # Constant fields: label k moves by k, no label by 10; three times the label's less twice none.
    model.velocity = lambda t, x, y: torch.where(y == 2, 10.0, y.float())[:, None].expand(-1, 2)
    torch.manual_seed(0)
    noise = torch.randn(4, 2)
    torch.manual_seed(0)
    y = torch.tensor([0, 1, 0, 1])
    expected = noise + (10 + 3 * (y - 10))[:, None]
    torch.testing.assert_close(model.sample(4, y), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 7)])
def test_unet_keeps_the_shape_of_any_image(shape):
    net = UNet(shape, (8, 16, 16), 2, 3)
    x, t, y = torch.randn(2, *shape), torch.rand(2), torch.tensor([0, 2])
    out = net(x, t, y)
    assert out.shape == x.shape
    assert not torch.allclose(out, net(x, t, torch.tensor([1, 1])))
    assert not torch.allclose(out, net(x, 1 - t, y))


def test_optimal_transport_trains(digits):
    config = FlowMatching.Config(optimal_transport=True, conditional=True, hidden_units=32)
    model = FlowMatching(config, digits.spec)
    model.prepare(digits)
    torch.manual_seed(0)
    x, y = digits.train.x[:64], digits.train.y[:64]
    plain = FlowMatching(config.model_copy(update={"optimal_transport": False}), digits.spec)
    plain.load_state_dict(model.state_dict())
    # Closer pairs have smaller velocities: an untrained field's error is mostly their square.
    assert model.objective(x, y).mean() < plain.objective(x, y).mean()
