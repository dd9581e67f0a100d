r"""Adversarial variational Bayes.

The bound that a variational autoencoder maximises, for a posterior q(z|x) of any form,

    log p(x) >= E_q [ log p(x|z) + log p(z) - log q(z|x) ],

needs the density of q only in the ratio q(z|x) / p(z), and that can be learned (Mescheder, Nowozin
& Geiger 2017): a discriminator T(x, z) that tells pairs (x, z), z from q(z|x), from pairs with z
from the prior, by the logistic loss

    E softplus(-T(x, z_q)) + E softplus(T(x, z_p)),

has its optimum at T(x, z) = log q(z|x) - log p(z). So q may be any network of x and noise,
z = E(x, eps), eps ~ N(0, sigma^2 I), and encoder and decoder minimise

    E [ T(x, E(x, eps)) - log p(x|E(x, eps)) ].

T changes with the encoder, too, but the gradient by that way is left out: its mean is zero at the
optimum.

`log_prob` is this bound, with T in place of the ratio, averaged over draws. It is a bound only as
far as T is right, which the model alone does not show: a T that is too weak understates the
divergence, and so overstates the likelihood. Therefore it is called an estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Parameter

from uomh.data.core import DataSpec
from uomh.models.codec import usual_latent_dim
from uomh.models.gaussian import GaussianDecoderConfig, GaussianDecoderModel
from uomh.nn.critics import logistic_loss
from uomh.nn.layers import NetSettings
from uomh.nn.nets import nets_by_shape
from uomh.nn.pairs import PairNet
from uomh.registry import register
from uomh.settings import Nested, merged

CODE_DRAWS = 16
"""posterior draws whose mean is the code of a point"""


@register("models", "avb")
class AVB(GaussianDecoderModel):
    """Adversarial variational Bayes: a VAE whose encoder is any network of data and noise."""

    paper = "Mescheder, Nowozin & Geiger 2017"
    likelihood = "estimate"
    code_noise: Tensor
    config: Config

    class Config(GaussianDecoderConfig):
        """Settings of adversarial variational Bayes."""

        noise_dim: int = Field(256, ge=1)
        """dimension of the encoder's noise"""
        input_sigma: float = Field(3.0, gt=0)
        """deviation of the encoder's noise"""
        discriminator: NetSettings = NetSettings(net="mlp", hidden_dims=(256, 256))
        """network that tells codes of a point from draws of the prior"""
        posterior_draws: int = Field(16, ge=1)
        """draws that the estimate of `log_prob` averages over"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data; rates and epochs are the paper's beyond 8x8 pixels."""
            parts = ("encoder", "decoder", "discriminator")
            model: dict[str, Any] = {
                name: getattr(cls(), name).model_dump(mode="json") for name in parts
            }
            model["latent_dim"] = usual_latent_dim(spec)
            if not spec.is_image:
                model["noise_dim"] = 128
            rate = {"lr": 1e-3, "schedule": "cosine"}
            groups = {"autoencoder": rate, "discriminator": rate}
            train: dict[str, Any] = {"groups": groups, "max_epochs": 50}
            if spec.is_image and spec.shape[0] > 1:
                train["max_epochs"] = 100
            if spec.dim <= 64:
                model["latent_dim"] = min(8, model["latent_dim"])
                train |= {"max_epochs": 200, "batch_size": 64}
            return {"model": merged(model, nets_by_shape(cls(), spec.shape)), "train": train}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        latent, classes = config.latent_dim, self.num_classes
        self.encoder = PairNet(config.encoder, spec.shape, config.noise_dim, latent, classes)
        self.add_decoder()
        self.discriminator = PairNet(config.discriminator, spec.shape, latent, 1, classes)
        noise = config.input_sigma * torch.randn(CODE_DRAWS, config.noise_dim)
        self.register_buffer("code_noise", noise)

    def groups(self) -> dict[str, list[Parameter]]:
        """The discriminator, and everything else."""
        discriminator = list(self.discriminator.parameters())
        excluded = set(map(id, discriminator))
        others = [parameter for parameter in self.parameters() if id(parameter) not in excluded]
        return {"autoencoder": others, "discriminator": discriminator}

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """The discriminator's loss, then the negative bound at fresh draws of the posterior."""
        del step
        y = self.labels_of(y)
        x, log_det = self.preprocess(x)
        with torch.no_grad():
            codes, draws = self.posterior_sample(x, y), self.prior.sample(len(x))
        on_codes, on_draws = self.log_ratio(x, codes, y), self.log_ratio(x, draws, y)
        yield "discriminator", logistic_loss(on_codes, on_draws)
        yield "autoencoder", -(self.bound(x, y) + log_det).mean()

    def posterior_sample(self, x: Tensor, y: Tensor | None) -> Tensor:
        """One draw of q(z|x) for each x (B, ...), in the space of the transforms: (B, d)."""
        shape = (len(x), self.config.noise_dim)
        noise = self.config.input_sigma * torch.randn(shape, device=x.device, dtype=x.dtype)
        codes: Tensor = self.encoder(x, noise, y)
        return codes

    def log_ratio(self, x: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """The discriminator's log q(z|x) - log p(z), (B,)."""
        ratio: Tensor = self.discriminator(x, z, y)
        return ratio.squeeze(1)

    def bound(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Estimate of the evidence lower bound from one draw, (B,), in the transforms' space."""
        z = self.posterior_sample(x, y)
        bound = self.log_decoder(x, z, y) - self.log_ratio(x, z, y)
        if any(True for _ in self.prior.parameters()):
            # The discriminator stands for the prior's density, but passes no gradient to its
            # parameters. This term does, and its value is zero.
            density = self.prior.log_prob(z.detach())
            bound = bound + density - density.detach()
        return bound

    def objective(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Negative estimate of the bound in nats in data space, one draw for each point."""
        y = self.labels_of(y)
        x, log_det = self.preprocess(x)
        return -self.bound(x, y) - log_det

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Estimate of the evidence lower bound in nats in data space, (B,)."""
        x, log_det = self.preprocess(x)
        draws = [self.bound(x, y) for _ in range(self.config.posterior_draws)]
        return torch.stack(draws).mean(0) + log_det

    def proposal(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of q(z|x) over fixed draws of the noise."""
        draws = self.fixed_draws(x, y)
        return draws.mean(0), draws.std(0).clamp_min(1e-6).log()

    def inferred(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Posterior means (B, latent_dim), all over the same fixed draws of the noise."""
        return self.fixed_draws(x, y).mean(0)

    def fixed_draws(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Draws of q(z|x), (CODE_DRAWS, B, latent_dim), of noise that is always the same."""
        draws = [self.encoder(x, noise.expand(len(x), -1), y) for noise in self.code_noise]
        return torch.stack(draws)
