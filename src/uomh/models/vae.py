r"""The variational autoencoder.

With a prior p(z) on codes, a decoder p(x|z) = N(x; mu(z), sigma^2) and an encoder
q(z|x) = N(m(x), diag s(x)^2), Jensen's inequality bounds the likelihood from below,

    log p(x) >= E_q [ log p(x|z) + log p(z) - log q(z|x) ],

which training maximises with one reparameterised draw z = m + s eps; where the prior is the
standard Gaussian, E_q log q - log p is taken in closed form. With k draws (Burda et al. 2016),

    log p(x) >= E log 1/k sum_i p(x|z_i) p(z_i) / q(z_i|x),

which is tighter in k and converges to the likelihood. Both are in nats in data space: the
log-determinants of the transforms are included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from uomh.data.core import Data, DataSpec
from uomh.models.ae import AutoencoderConfig
from uomh.models.core import Model
from uomh.nn.nets import decoder, encoder
from uomh.nn.priors import PriorSettings, StandardNormal, build_prior
from uomh.nn.transforms import Cells
from uomh.registry import register
from uomh.settings import Nested

LOG_2PI = math.log(2 * math.pi)


@register("models", "vae")
class VAE(Model):
    """Variational autoencoder with Gaussian encoder and decoder."""

    paper = "Kingma & Welling 2014; Burda et al. 2016"
    likelihood = "bound"
    log_floor: Tensor

    class Config(AutoencoderConfig):
        """Settings of the VAE."""

        decoder_sigma: Literal["unit", "single", "per_pixel"] = "single"
        """deviation of the decoder: 1, one learned number, or an output of the decoder by pixel"""
        prior: PriorSettings = PriorSettings()
        """density of the codes"""
        importance_samples: int = Field(64, ge=1)
        """draws k of the importance-weighted bound that `log_prob` gives"""
        sample_means: bool = True
        """samples are the decoder's means; false: draws from the decoder's Gaussian"""

        @classmethod
        def defaults(cls, spec: DataSpec) -> Nested:
            """By the shape of the data."""
            return {"model": {"latent_dim": min(20, max(1, spec.dim // 4))}}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.config = config
        self.latent_dim = config.latent_dim
        maps = 2 if config.decoder_sigma == "per_pixel" else 1
        self.encoder = encoder(config.encoder, spec.shape, 2 * config.latent_dim, self.num_classes)
        self.decoder = decoder(
            config.decoder, config.latent_dim, spec.shape, self.num_classes, maps
        )
        self.prior = build_prior(config.prior, config.latent_dim)
        self.register_buffer("log_floor", torch.full(spec.shape, math.log(1e-3)))
        if config.decoder_sigma == "single":
            self.log_sigma = nn.Parameter(torch.zeros(()))

    def losses(self, x: Tensor, y: Tensor | None, step: int) -> Iterator[tuple[str, Tensor]]:
        """The negative evidence lower bound."""
        del step
        yield "model", self.score(x, y).mean()

    def score(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Negative evidence lower bound in nats in data space, one draw for each point."""
        y = self.labels_of(y)
        x, log_det = self.preprocess(x)
        mean, log_std = self.posterior(x, y)
        z = mean + log_std.exp() * torch.randn_like(mean)
        return self.divergence(z, mean, log_std) - self.log_decoder(x, z, y) - log_det

    def log_density(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Importance-weighted lower bound of the log-density, in nats in data space, (B,).

        The setting ``importance_samples`` is its number of draws k; 1 gives the ELBO.
        """
        x, log_det = self.preprocess(x)
        mean, log_std = self.posterior(x, y)
        k = self.config.importance_samples
        log_weights = []
        for _ in range(k):
            noise = torch.randn_like(mean)
            z = mean + log_std.exp() * noise
            log_q = -(0.5 * (noise.square() + LOG_2PI) + log_std).sum(1)
            log_weights.append(self.log_decoder(x, z, y) + self.prior.log_prob(z) - log_q)
        return torch.logsumexp(torch.stack(log_weights), 0) - math.log(k) + log_det

    def posterior(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of q(z|x), each (B, latent_dim)."""
        mean, log_std = self.encoder(x, y).chunk(2, 1)
        # Beyond these bounds exp() leaves float32 within a step or two of a bad start.
        return mean, log_std.clamp(-15, 15)

    def divergence(self, z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
        """E_q log q(z|x) - log p(z), (B,): exact for a Gaussian prior, else at the draw z."""
        if isinstance(self.prior, StandardNormal):
            return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(1)
        noise = (z - mean) * (-log_std).exp()
        log_q = -(0.5 * (noise.square() + LOG_2PI) + log_std).sum(1)
        return log_q - self.prior.log_prob(z)

    def log_decoder(self, x: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """Log N(x; mu(z), sigma^2), (B,), in the space of the transforms."""
        mean, log_sigma = self.likelihood_of(z, y)
        standard = ((x - mean) * (-log_sigma).exp()).flatten(1)
        spread = log_sigma.expand_as(mean).flatten(1).sum(1)
        return -0.5 * (standard.square().sum(1) + self.spec.dim * LOG_2PI) - spread

    def likelihood_of(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean (B, ...) and log-deviation (B, ...) or () of the decoder at codes z."""
        match self.config.decoder_sigma:
            case "unit":
                return self.decoder(z, y), z.new_zeros(())
            case "single":
                return self.decoder(z, y), self.floored(self.log_sigma)
            case "per_pixel":
                mean, log_sigma = self.decoder(z, y).chunk(2, 1)
                return mean, self.floored(log_sigma)

    def floored(self, log_sigma: Tensor) -> Tensor:
        """Keep a learned deviation above half a grey level (1e-3 for vectors).

        Below it, a Gaussian would earn density from the grid of grey levels, without limit on
        pixels that never change. The floor is smooth, so that gradients survive it.
        """
        return self.log_floor + nn.functional.softplus(log_sigma - self.log_floor)

    def prepare(self, data: Data) -> None:
        """Fit the transforms; set the floor of deviations, and where the learned one begins.

        The floor is half a grey level at mid-grey, seen through the transforms. The single
        deviation begins at that of the data, the best one for a decoder that has learned nothing.
        """
        super().prepare(data)
        if self.config.decoder_sigma == "single":
            x, _ = self.transform(Cells(dequantize=False)(data.train.x[:4096]))
            deviation = (x - x.mean(0)).square().mean().sqrt().clamp_min(1e-3)
            self.log_sigma.data.copy_(deviation.log())
        if self.spec.levels is not None:
            middle = torch.full((1, *self.spec.shape), self.spec.levels / 2)
            low, high = (self.transform(middle + step)[0][0] for step in (-0.25, 0.25))
            self.log_floor.copy_((high - low).log())

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Posterior means (B, latent_dim)."""
        y = self.labels_of(y)
        return self.posterior(self.preprocess(x)[0], y)[0]

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Decoder means in data space (B, ...)."""
        return self.transform.inverse(self.likelihood_of(z, self.labels_of(y))[0])

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Points (n, ...) of data space; see the setting ``sample_means``."""
        mean, log_sigma = self.likelihood_of(self.prior.sample(n), y)
        if not self.config.sample_means:
            mean = mean + log_sigma.exp() * torch.randn_like(mean)
        return self.transform.inverse(mean)
