"""The autoregressive model: its mixtures, the order of reading, and cached sampling."""

import pytest
import torch

from uomh.data import DataSpec
from uomh.models.arm import ARM, mixture_log_prob


def build(shape, levels=256, **settings):
    torch.manual_seed(0)
    return ARM(ARM.Config(hidden_size=16, **settings), DataSpec(shape, levels, 3)).double().eval()


def test_mixture_is_that_of_torch():
    torch.manual_seed(0)
    x, *mixture = torch.randn(7), *(torch.randn(4, 7) for _ in range(3))
    logits, means, log_stds = (parameters.t() for parameters in mixture)
    expected = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=logits),
        torch.distributions.Normal(means, log_stds.exp()),
    )
    torch.testing.assert_close(mixture_log_prob(x, mixture), expected.log_prob(x))


@pytest.mark.parametrize("shape", [(3, 4, 5), (6,)])
def test_order_of_reading(shape):
    model = build(shape)
    x = torch.arange(2 * model.spec.dim, dtype=torch.float64).reshape(2, *shape)
    assert torch.equal(model.unsequence(model.sequence(x)), x)
    if len(shape) == 3:
        assert torch.equal(model.sequence(x)[0, :4], x[0].flatten(1).t().flatten()[:4])
        assert torch.equal(model.sequence(x)[0, :3], x[0, :, 0, 0])


@pytest.mark.parametrize("conditional", [False, True])
def test_each_factor_depends_on_the_coordinates_before_it_alone(conditional):
    """Changing coordinate t moves the joint density's factors t and later, none before."""
    model = build((6,), None, conditional=conditional)
    y = torch.tensor([1]) if conditional else None
    x = torch.randn(1, 6, dtype=torch.float64).requires_grad_()

    def factors(x):
        hidden, _ = model.lstm(model.inputs(torch.nn.functional.pad(x[:, :-1], (1, 0)), y))
        return mixture_log_prob(x[0], model.mixture(hidden[0]))

    jacobian = torch.autograd.functional.jacobian(factors, x)[:, 0]
    assert torch.equal(jacobian, jacobian.tril())
    assert (jacobian.diagonal() != 0).all()
    torch.testing.assert_close(factors(x).sum(), model.log_prob(x, y)[0])


def test_cached_sampling_draws_from_the_density():
    """With one narrow component, a sample is nearly the mean that a full pass gives."""
    model = build((5,), None, k_mixture=1)
    with torch.no_grad():
        model.head.weight[0] *= 20
        model.head.weight[1] *= 20
        model.head.weight[2] = 0
        model.head.bias[2] = -40.0  # the floor, 1e-3
        x = model.sample(50)
        hidden, _ = model.lstm(model.inputs(torch.nn.functional.pad(x[:, :-1], (1, 0)), None))
        _, means, log_stds = model.mixture(hidden.flatten(0, 1))
    standard = (x.flatten() - means[0]) / log_stds[0].exp()
    # 250 standard normal numbers: mean and mean square within five standard errors.
    assert standard.mean().abs() < 5 / 250**0.5
    assert standard.square().mean() == pytest.approx(1, abs=5 * (2 / 250) ** 0.5)


def test_reduced_precision_trains_and_does_not_touch_likelihoods():
    full = build((1, 4, 4), train_precision="float32").float()
    fast = build((1, 4, 4), train_precision="bfloat16").float()
    x = torch.randint(0, 256, (8, 1, 4, 4)).float()
    assert torch.equal(full.log_prob(x), fast.log_prob(x))
    full.train()
    fast.train()
    exact, rounded = full.log_prob(x), fast.log_prob(x)
    assert exact.dtype == rounded.dtype == torch.float32
    # Eight bits in 16 steps of recurrence: a relative error of some 2^-8 in the states.
    torch.testing.assert_close(exact, rounded, rtol=1e-2, atol=0.2)
