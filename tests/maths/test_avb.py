"""Adversarial variational Bayes on a model whose likelihood is known."""

import torch

from uomh.data import DataSpec
from uomh.models.avb import AVB
from uomh.nn.layers import NetSettings


def linear_avb():
    """x = W z + b + noise as the model's decoder, and the exact law of x."""
    config = AVB.Config(
        latent_dim=2,
        noise_dim=16,
        input_sigma=1.0,
        encoder=NetSettings(net="mlp", hidden_dims=(64,)),
        decoder=NetSettings(net="mlp", hidden_dims=()),
        discriminator=NetSettings(net="mlp", hidden_dims=(128, 128)),
        decoder_sigma="unit",
        posterior_draws=64,
        scale_data=False,
        whitening_transform=False,
    )
    torch.manual_seed(0)
    model = AVB(config, DataSpec((3,), None, 0))
    weight = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.7, 0.0]])
    model.decoder.body[0].weight.data = weight
    bias = model.decoder.body[0].bias.data
    law = torch.distributions.MultivariateNormal(bias, weight @ weight.T + torch.eye(3))
    return model, law


def test_bound_of_a_linear_gaussian_model_is_near_its_likelihood():
    model, law = linear_avb()
    groups = model.groups() | {"autoencoder": list(model.encoder.parameters())}
    steps = 1200
    optimizers = {name: torch.optim.Adam(weights, 3e-3) for name, weights in groups.items()}
    for step in range(steps):
        for group, loss in model.losses(law.sample((256,)), None, step):
            optimizer = optimizers[group]
            optimizer.zero_grad()
            loss.backward(inputs=groups[group])
            optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
            optimizer.step()
    x = law.sample((2000,))
    with torch.no_grad():
        exact, estimate = law.log_prob(x).mean().item(), model.eval().log_prob(x).mean().item()
        # The posterior is Gaussian with covariance (W^T W + I)^-1, about half the prior's in each
        # direction: a divergence of one nat, which the discriminator must learn.
        blind = model.log_decoder(x, model.prior.sample(2000), None).mean().item()
    assert abs(estimate - exact) < 0.2
    assert blind < exact - 1


def test_a_learned_prior_has_the_gradient_of_its_density():
    config = AVB.Config(latent_dim=2, prior={"kind": "completely_learned_mixture_of_gaussians"})
    torch.manual_seed(0)
    model = AVB(config, DataSpec((5,), None, 0))
    x = torch.randn(8, 5)
    of_prior = list(model.prior.parameters())
    torch.manual_seed(1)
    through_bound = torch.autograd.grad(model.bound(x, None).sum(), of_prior)
    torch.manual_seed(1)
    codes = model.posterior_sample(x, None).detach()
    for got, expected in zip(
        through_bound, torch.autograd.grad(model.prior.log_prob(codes).sum(), of_prior), strict=True
    ):
        torch.testing.assert_close(got, expected)
